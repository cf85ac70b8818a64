"""Whether a command is one that its program would accept: words, flags and values are read by the program's own parser.

Nothing is started. What a parser writes about a wrong command is the reason.
"""

import contextlib
import io
import re
import shlex
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from services.__main__ import CHECK
from services.__main__ import parse as parse_service
from services.driver import options
from tests.documents import parsers
from tests.documents.places import read
from tools.deploy import __main__ as deploy

OF_DEPLOY = ("images", "deploy", "undeploy", "cluster")
"""Targets whose ARGS are flags of tools.deploy."""
OTHERS = {"build/testers/client", "build/testers/h2spec", "diff", "grpcurl", "helm", "kubectl", "openssl", "source"}
"""Programs that are not the project's: only which one it is can be checked."""


def fault(words: Sequence[str]) -> str:
    """What is wrong with a command; empty where nothing is."""
    program, *rest = words
    match program, rest:
        case "sweetspot", _:
            why = _refused(lambda: parsers.sweetspot().parse_args(rest))
        case "python", ["-m", "services", *flags]:
            why = _service(flags)
        case "python", ["-m", "services.driver", *flags]:
            why = _driver(flags)
        case "python", ["-m", module, *flags]:
            why = _module(module, flags)
        case "make", _:
            why = _make(rest)
        case _:
            why = "" if program in OTHERS else f"{program} is a program that {Path(__file__).name} does not know"
    return why


def _module(name: str, flags: list[str]) -> str:
    if parser := parsers.programs().get(f"python -m {name}"):
        return _refused(lambda: parser.parse_args(flags))
    return "" if find_spec(name) else f"there is no module {name}"


def _service(flags: list[str]) -> str:
    if flags in (["--list"], ["--help"]):
        return ""
    return _refused(lambda: parse_service([flag for flag in flags if flag != CHECK], {}))


def _driver(flags: list[str]) -> str:
    if flags == ["--help"]:
        return ""
    try:
        options.parse(flags)
    except options.OptionError as error:
        return str(error)
    return ""


def _make(words: list[str]) -> str:
    makefile = read("Makefile")
    variables = {word.partition("=")[0]: word.partition("=")[2] for word in words if "=" in word}
    for name in variables:
        if not re.search(rf"^{name} [?:]?=", makefile, re.MULTILINE):
            return f"the Makefile has no variable {name}"
    for target in (word for word in words if "=" not in word):
        if not re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE):
            return f"the Makefile has no target {target}"
        if target in OF_DEPLOY:
            arguments = [target, *shlex.split(variables.get("ARGS", ""))]
            if why := _refused(lambda given=arguments: deploy._parser().parse_args(given)):  # type: ignore[misc]
                return why
    return ""


def _refused(read_words: Callable[[], object]) -> str:
    written = io.StringIO()
    try:
        with contextlib.redirect_stderr(written), contextlib.redirect_stdout(io.StringIO()):
            read_words()
    except SystemExit as ended:
        return written.getvalue().strip() if ended.code else ""
    return ""

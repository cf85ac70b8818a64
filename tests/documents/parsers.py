"""Every program's parser of its command line, and what documents show of one."""

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest.mock import patch

from services.driver import merge, options, order
from tests.documents.tables import WIDTH, code, plain, table
from tools import cli
from tools.bench import __main__ as bench
from tools.deploy import __main__ as deploy

INDENT = "    "


def sweetspot() -> argparse.ArgumentParser:
    """Of the command; its subcommands are parsers of their own."""
    return cli._parser()


class _Made(Exception):
    """A parser, at the moment when it would read a command line."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def _made_by(main: Callable[[Sequence[str]], int]) -> argparse.ArgumentParser:
    """The parser that the program makes when it starts."""

    def stop(parser: argparse.ArgumentParser, *_: object) -> None:
        raise _Made(parser)

    with patch.object(argparse.ArgumentParser, "parse_args", stop):
        try:
            main([])
        except _Made as made:
            return made.parser
    raise AssertionError(f"{main.__module__} makes no parser")


def programs() -> dict[str, argparse.ArgumentParser]:
    """The other programs, by what a person types; `python -m services` makes its own."""
    return {
        "python -m services.driver": options._whole_parser(),
        "python -m services.driver.merge": _made_by(merge.main),
        "python -m services.driver.order": _made_by(order.main),
        "python -m tools.deploy": deploy._parser(),
        "python -m tools.bench": bench._parser(),
    }


def leaves(parser: argparse.ArgumentParser, about: str = "") -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """The parsers of commands without further subcommands, and what the line of each in --help is."""
    found = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not found:
        yield parser, about
    for action in found:
        texts = {choice.dest: choice.help or "" for choice in action._choices_actions}
        for name, child in action.choices.items():
            yield from leaves(child, texts[name])


def usage(parser: argparse.ArgumentParser) -> str:
    """One line of everything that may be given, wrapped. Argparse has one too, other in each version of Python."""
    parts = [parser.prog]
    done: set[argparse.Action] = set()
    for action in _shown(parser):
        group = next((each for each in parser._mutually_exclusive_groups if action in each._group_actions), None)
        if group is None:
            parts.append(_in_usage(action))
        elif action not in done:
            done.update(group._group_actions)
            either = " | ".join(f"{_flag(each)}{_value(each)}" for each in group._group_actions)
            parts.append(f"({either})" if group.required else f"[{either}]")
    return "\n".join(_wrap(parts))


def _wrap(parts: list[str]) -> Iterator[str]:
    line, *rest = parts
    for part in rest:
        if len(line) + 1 + len(part) > WIDTH - 20:
            yield line
            line = INDENT + part
        else:
            line += " " + part
    yield line


def tables(parser: argparse.ArgumentParser) -> str:
    """A table of arguments and flags, and one for each group that has a title of its own."""
    usual, parts = [], []
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if action in _shown(parser)]
        if group in (parser._positionals, parser._optionals):
            usual += actions
        elif actions:
            title = f"{group.title}:"
            parts.append(f"{title[:1].upper()}{_with_code(title[1:])}\n\n{_table(actions)}")
    return "\n".join([_table(usual), *parts] if usual else parts)


def _table(actions: list[argparse.Action]) -> str:
    return table(("argument or flag", "default", "meaning"), *map(_row, actions))


def _row(action: argparse.Action) -> tuple[str, str, str]:
    meaning, default = split(help_of(action))
    names = action.option_strings or [_metavar(action)]
    value = _value(action)
    return ", ".join(code(name + value) for name in names), plain(default), plain(meaning)


def help_of(action: argparse.Action) -> str:
    """As --help shows it."""
    return (action.help or "").replace("%%", "%")


def split(text: str) -> tuple[str, str]:
    """A help message without its last brackets, and what is in these: the default."""
    match = re.fullmatch(r"(.*?) ?\(([^()]*)\)", text)
    return (match[1], match[2]) if match else (text, "")


def _shown(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [
        action
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction) and action.help != argparse.SUPPRESS
    ]


def _in_usage(action: argparse.Action) -> str:
    if action.option_strings:
        flag = _flag(action) + _value(action)
        return flag if action.required else f"[{flag}]"
    name = _metavar(action)
    return {"?": f"[{name}]", "*": f"[{name} ...]", "+": f"{name} [{name} ...]"}.get(str(action.nargs), name)


def _flag(action: argparse.Action) -> str:
    return action.option_strings[0]


def _value(action: argparse.Action) -> str:
    return "" if action.nargs == 0 or not action.option_strings else " " + _metavar(action)


def _metavar(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper() if action.option_strings else action.dest


def _with_code(text: str) -> str:
    return re.sub(r"(--[a-z-]+)", r"`\1`", text)


def flags(parser: Any) -> set[str]:
    """Every flag of a program, its subcommands' included."""
    return {flag for leaf, _ in leaves(parser) for action in leaf._actions for flag in action.option_strings}

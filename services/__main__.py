"""`python -m services MODEL`: one service of that model, until it is asked to stop. `backend` starts the downstream.

With --check it reads its options and imports the model, prints what it would run on as a line of JSON, and ends.
`--help` without a model describes each model in a line; `--list` is the same for programs.
"""

import importlib
import json
import os
import platform
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.models import MODELS
from services.runtime.config import SHARED, Absent, Config, parse_config
from services.runtime.control.control_port import ControlPort
from services.runtime.drain import Drain
from services.runtime.malloc import return_memory
from services.runtime.options import ENV_PREFIX, Option
from services.runtime.refusal import refuse, refusing
from services.runtime.service import BACKEND_SHAPES, WORKLOAD_SHAPES, Service, server_tls
from services.runtime.workers import MAX_PROCESSES
from services.telemetry import Tracing
from services.telemetry.environment import RefusedVariableError, check
from services.workload import own
from services.workload.ledger import fitting_strategy

BACKEND = "backend"
NOT_OF_BACKEND = ("conflicts", "function", "interop")
"""Options of every model that the backend does not have, because it runs no steps and serves one method."""
CHECK = "--check"
USAGE = "usage: python -m services MODEL [OPTION ...]"
MODEL_VARIABLE = ENV_PREFIX + "MODEL"
"""The model where no argument names it: an image has one."""


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> int:
    """Runs the command line; the exit code."""
    if arguments[:1] in (("--help",), ("-h",)) and MODEL_VARIABLE not in os.environ:
        print(describe())
        return 0
    if arguments[:1] == ("--list",):
        for model in MODELS.values():
            variants = "; ".join(map(" ".join, model.variants))
            configs = [parse((model.name, *options), {})[1] for options in ((), *model.variants)]
            kinds = "; ".join(f"{model.tasks(config)} {model.taxonomy.io}" for config in configs)
            print(model.name, model.caption, " ".join(model.needs), variants, kinds, sep="\t")
        return 0
    name, config = parse([each for each in arguments if each != CHECK], os.environ)
    if CHECK in arguments:
        with refusing(name):
            load_serve(name)
            import_own(name, config)
            Tracing.preload(config.trace_file)
        print(json.dumps(describe_interpreter()))
    else:
        run(name, config)
    return 0


def describe() -> str:
    """What the program serves, with one line for each model."""
    services = {**{model.name: model.caption for model in MODELS.values()}, BACKEND: "the service that models call"}
    width = max(map(len, services))
    return "\n".join(
        (
            f"{USAGE}\n",
            "Serves with a model until SIGTERM or SIGINT asks it to drain.\n",
            *(f"  {name:{width}}  {caption}" for name, caption in services.items()),
            "\npython -m services MODEL --help   lists the options of a model",
            "python -m services MODEL --check  checks the options, and serves nothing",
            "python -m services --list         lists the models for a program",
        )
    )


def parse(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[str, Config]:
    """The model, or the backend, and its options. What is wrong is one line on stderr and exit 2."""
    if MODEL_VARIABLE in environ and (not arguments or arguments[0].startswith("-")):
        arguments = (environ[MODEL_VARIABLE], *arguments)
    if not arguments or arguments[0].startswith("-"):
        refuse(f"{USAGE}; --help lists the models")
    name = arguments[0].replace("-", "_")
    if name != BACKEND and name not in MODELS:
        refuse(f"unknown model {name!r}; there are {', '.join(MODELS)}")
    try:
        check(environ)
    except RefusedVariableError as error:
        refuse(f"{name}: {error}")
    options = (*options_of(name), *absent_options(name))
    config = parse_config(f"python -m services {arguments[0]}", options, arguments[1:], environ)
    if name != BACKEND:
        try:
            strategy = fitting_strategy(config.conflicts, MODELS[name].sharing(config))
        except ValueError as error:
            refuse(f"{name}: --conflicts {error}")
        config = replace(config, conflicts=strategy)
    return name, config


def options_of(name: str) -> tuple[Option[Any], ...]:
    """Every option of the model, or of the backend."""
    if name == BACKEND:
        return tuple(option for option in SHARED if option.name not in NOT_OF_BACKEND)
    return MODELS[name].all_options


def absent_options(name: str) -> Iterator[Option[Any]]:
    """An option for each that the model, or the backend, does not have: it rejects every value."""
    own = {option.name for option in options_of(name)}
    for option in {option.name for model in MODELS.values() for option in model.all_options} - own:
        models = [each for each in MODELS if option in {one.name for one in options_of(each)}]
        yield Option(option, None, Absent(name, models), "")


def describe_interpreter() -> dict[str, Any]:
    """Version, whether the interpreter lock is on, and packages. An import can have put the lock back."""
    from importlib.metadata import distributions  # noqa: PLC0415  (a fifth of a service's start)

    is_gil_enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "gil": is_gil_enabled(),
        "packages": {each.name: each.version for each in sorted(distributions(), key=lambda each: each.name.lower())},
    }


def run(name: str, config: Config) -> None:
    """Serves, and after the drain gives telemetry its last chance."""
    sys.setswitchinterval(config.switch_interval_us / 1e6)
    if config.stack_kib is not None:
        threading.stack_size(config.stack_kib * 1024)
    return_memory()
    drain = Drain()
    drain.on_signals()
    shapes = BACKEND_SHAPES if name == BACKEND else WORKLOAD_SHAPES
    forks = name != BACKEND and MODELS[name].runs_in(config) != "one"
    with refusing(name):
        workers = MAX_PROCESSES + 1 if forks else 0  # one more, where one reads for the others
        stages = () if name == BACKEND else MODELS[name].stages
        service = Service(
            name, config, drain=drain, shapes=shapes, tls=server_tls(config), workers=workers, stages=stages
        )
        control = ControlPort(service)
        # Forks: so before there is a thread, and before grpcio is imported, which starts some.
        service.control_address = control.start()
        serve = load_serve(name)  # before there are threads of telemetry: it may make threads green
        import_own(name, config)
        if forks:  # and then the threads of telemetry are its children's
            Tracing.preload(config.trace_file)
        else:
            service.start_tracing()
        serve(service)
    control.stop()
    service.stop_tracing()
    if service.calls_in_flight.value():
        # Handlers that are blocked have had their time to drain; a pool would join their threads (concurrent.futures).
        os._exit(0)


def import_own(name: str, config: Config) -> None:
    """The function of the user, if there is one: before a model forks, and after it may have made threads green."""
    if config.function is None:
        return
    try:
        function = own.load(config.function)
    except own.BadFunctionError as error:
        refuse(f"{name}: --function {error}")
    if function.is_async and not MODELS[name].awaits:
        models = " and ".join(model.name for model in MODELS.values() if model.awaits)
        refuse(f"{name}: --function {function.name} is async: only {models} can await it")
    own.use(function)


def load_serve(name: str) -> Callable[[Service], None]:
    """The model's `serve`, or the backend's; imported only now, so that a process loads no other model's needs."""
    module = "services.backend" if name == BACKEND else f"services.models.{name}"
    serve: Callable[[Service], None] = importlib.import_module(module).serve
    return serve


if __name__ == "__main__":
    sys.exit(main())

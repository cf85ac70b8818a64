"""What it takes to let a handler wait once more: a pause after each step of work, edited into each style's own code.

The edits are texts. Each is exactly once in the code that serves, so that they cannot become outdated. What comes out
is compiled and run by the tests, which see it wait.
"""

import difflib
import inspect
from types import ModuleType

PAUSE_US = 7

_LINEAR = """\
            run.work(step)
"""
_CLOSURES = """\
                if run.has_streamed_much:
                    proceed(steps, run, waits, send, done, elsewhere=elsewhere)
                    return
"""
_RIPPED = """\
                run.work(step)
                if run.streams:
                    self.send(run.streamed())
"""
_LAST_OF_RIPPED = """\
    def moved(self) -> None:
"""

_BLOCKS = {_LINEAR: _LINEAR + f"            waits.sleep({PAUSE_US}, run)\n"}

EDITS: dict[str, dict[str, str]] = {
    "linear": _BLOCKS,
    "green": _BLOCKS,
    "coroutine": {_LINEAR: _LINEAR + f"            await waits.sleep({PAUSE_US}, run)\n"},
    "continuations": {_LINEAR: _LINEAR + f"            yield partial(waits.sleep, {PAUSE_US}, run)\n"},
    "closures": {
        _CLOSURES: f"""\
{_CLOSURES}\
            waits.sleep({PAUSE_US}, run, partial(proceed, steps, run, waits, send, done, elsewhere=elsewhere))
            return
"""
    },
    "ripped": {
        _RIPPED: f"""\
                run.work(step)
                self.waits.sleep({PAUSE_US}, run, self.worked)
                return
""",
        _LAST_OF_RIPPED: f"""\
    def worked(self) -> None:
        try:
            if self.run.streams:
                self.send(self.run.streamed())
        except Exception as error:
            self.done(*status_of(error))
        else:
            self.proceed()

{_LAST_OF_RIPPED}""",
    },
}
"""For each style, what stands in the code -> what would stand there."""


def edited(style: str, handlers: ModuleType) -> str:
    """The module's text with one more blocking point. Raises ValueError where the edit does not fit it any more."""
    text = inspect.getsource(handlers)
    for before, after in EDITS[style].items():
        found = text.count(f"\n{before}")
        if found != 1:
            raise ValueError(f"the text that an edit of {style} replaces is {found} times in {handlers.__file__}")
        text = text.replace(f"\n{before}", f"\n{after}")
    return text


def lines_to_change(before: str, after: str) -> int:
    """Lines added, removed or changed between two texts; empty ones do not count."""
    old, new = ([line for line in text.splitlines() if line.strip()] for text in (before, after))
    changes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return sum(max(i2 - i1, j2 - j1) for kind, i1, i2, j1, j2 in changes if kind != "equal")

"""How a command ends: its exit statuses, and what ends it early."""

FAILED, REFUSED, VOID, INTERRUPTED = 1, 2, 42, 130
"""Something could not be done; a person can put it right; a trial is void, where that was asked to matter; a signal
came (128 and SIGINT's number, as in a shell)."""


_MOST = 160
"""Characters of a message of others."""


class PlainError(Exception):
    """What a person can put right; the message is one line for them."""


def one_line(error: object) -> str:
    """The message of a library in one line, without its full stop, and without its middle if it is long."""
    line = " ".join(str(error).split()).rstrip(".")
    half = _MOST // 2 - 1
    return line if len(line) <= _MOST else f"{line[:half]} ... {line[-half:]}"

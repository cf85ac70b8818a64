"""How a command ends: its exit statuses, and what ends it early."""

FAILED, REFUSED, VOID, INTERRUPTED = 1, 2, 42, 130
"""Something could not be done; a person can put it right; a trial is void, where that was asked to matter; a signal
came (128 and SIGINT's number, as in a shell)."""


class PlainError(Exception):
    """What a person can put right; the message is one line for them."""

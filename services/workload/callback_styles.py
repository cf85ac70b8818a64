"""The styles of a handler that never waits: all are called alike, so a loop can run any of them."""

from services.workload import callbacks, continuations, ripped

CALLBACK_STYLES = {
    "closures": callbacks.handle,
    "ripped": ripped.handle,
    "continuations": continuations.handle,
}

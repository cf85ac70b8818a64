"""How many bytes a connection reads at a time."""

RECEIVE_BYTES = 64 * 1024
"""Of one recv(2)."""

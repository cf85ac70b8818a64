"""As many processes as the memory holds, unless their number is configured."""

import pytest

from services.__main__ import parse
from services.models import process_per_connection

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("options", "limit_bytes", "processes"),
    [
        ([], None, 256),
        ([], 256 * MIB, 42),
        ([], 4 * MIB, 1),
        ([], 1 << 40, 256),
        (["--processes-bound", "300"], 256 * MIB, 300),
    ],
)
def test_the_processes_take_at_most_half_of_the_memory(
    options: list[str], limit_bytes: int | None, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_per_connection, "memory_limit_bytes", lambda: limit_bytes)
    _, config = parse(["process_per_connection", *options], {})
    assert process_per_connection.most_processes(config) == processes

"""Testers of gRPC and HTTP/2 that are written in Go, where `make testers` has installed them."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "build" / "testers"
GRPC_CLIENT = "client"
"""gRPC's interop client for Go."""
H2SPEC = "h2spec"


def go_tool(name: str) -> str:
    """Its path. If it is missing, the test is skipped with this reason."""
    found = FOLDER / name
    if not found.exists():
        pytest.skip(f"{found.relative_to(FOLDER.parents[1])} is missing: where Go is, `make testers` installs it")
    return str(found)

"""The program that merges shards, within the process of a test: an interpreter takes 0.25 s of CPU for each trial."""

import io
import subprocess
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace
from typing import Any

import pytest

from services.driver import merge
from tools.cluster import store
from tools.local import Programs


def merge_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on; tests/tools/cluster/test_merging.py starts the real program."""
    monkeypatch.setattr(store, "subprocess", SimpleNamespace(run=_run, TimeoutExpired=subprocess.TimeoutExpired))


def _run(command: Sequence[str], **_: Any) -> "subprocess.CompletedProcess[str]":
    program = Programs().merge
    assert command[: len(program)] == list(program)
    printed, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(errors):
        try:
            status = merge.main(command[len(program) :])
        except Exception:
            traceback.print_exc()
            status = 1
    return subprocess.CompletedProcess(command, status, printed.getvalue(), errors.getvalue())

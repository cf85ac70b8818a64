"""The connection to the API server that a pod has, from the files and variables of its service account."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.cluster import connection

HEAVY = ("kubernetes", "jsonschema", "requests", "grpc")
"""Packages that take up to 0.3 s of CPU, while a driver's pod has half a CPU."""


@pytest.mark.parametrize(
    ("host", "url"), [("10.96.0.1", "https://10.96.0.1:443"), ("fd00:10:96::1", "https://[fd00:10:96::1]:443")]
)
def test_a_pod_connects_with_its_account_whose_token_is_replaced_while_it_runs(
    host: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_ACCOUNT", tmp_path)
    monkeypatch.setattr(connection, "_trust", lambda _: None)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    (tmp_path / "namespace").write_text("lab")
    (tmp_path / "token").write_text("first\n")
    made = connection.connect()
    assert (made.host, made.namespace) == (url, "lab")
    assert made.headers() == {"Authorization": "Bearer first"}
    (tmp_path / "token").write_text("second\n")
    assert made.headers() == {"Authorization": "Bearer second"}


def test_a_shard_starts_without_the_packages_that_it_may_not_need() -> None:
    code = f"import sys, tools.cluster.shard; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"

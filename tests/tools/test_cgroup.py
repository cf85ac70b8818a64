"""CPU limits: found where there are any, held by the kernel, and gone afterwards."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.cgroup import ControlGroups, NoLimitsError

V1 = "30 25 0:26 / {mount} rw - cgroup cgroup rw,cpu,cpuacct\n"
V2 = "30 25 0:26 / {mount} rw - cgroup2 cgroup2 rw,nsdelegate\n"


def proc(folder: Path, membership: str, mountinfo: str) -> Path:
    (folder / "self").mkdir(parents=True)
    (folder / "self/cgroup").write_text(membership)
    (folder / "self/mountinfo").write_text(mountinfo.format(mount=folder / "mounted"))
    return folder


@pytest.mark.parametrize(
    ("membership", "mountinfo", "v2"),
    [("4:cpu,cpuacct:/pod\n0::/other\n", V1, False), ("0::/pod\n", V2, True)],
    ids=["v1", "v2"],
)
def test_groups_are_made_below_the_one_that_this_process_is_in(
    tmp_path: Path, membership: str, mountinfo: str, v2: bool
) -> None:
    (tmp_path / "mounted/pod").mkdir(parents=True)
    with pytest.raises(NoLimitsError, match="not empty"):  # the files of a real group need not be removed first
        ControlGroups.detect(proc(tmp_path, membership, mountinfo))
    (group,) = (path for path in (tmp_path / "mounted/pod").iterdir() if path.is_dir())
    written = {path.name: path.read_text() for path in group.iterdir()}
    assert written == (
        {"cpu.max": "100000 100000", "cpu.weight": "625"}
        if v2
        else {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "100000", "cpu.shares": "16384"}
    )


@pytest.mark.parametrize(
    ("membership", "mountinfo", "why"),
    [
        ("0::/\n", "22 1 0:21 / /proc rw - proc proc rw\n", "no hierarchy of control groups"),
        ("4:cpu:/pod\n", V1, "cannot create a control group in .*/mounted/pod: No such file or directory"),
    ],
    ids=["none mounted", "not allowed"],
)
def test_where_there_are_no_limits_to_be_had_the_reason_is_said(
    tmp_path: Path, membership: str, mountinfo: str, why: str
) -> None:
    with pytest.raises(NoLimitsError, match=why):
        ControlGroups.detect(proc(tmp_path, membership, mountinfo))


@pytest.fixture
def groups() -> ControlGroups:
    try:
        return ControlGroups.detect()
    except NoLimitsError as error:
        pytest.skip(str(error))


def test_a_process_gets_no_more_than_its_limit_and_the_group_is_gone_afterwards(groups: ControlGroups) -> None:
    with groups.limited(0.2, "test") as group:
        # The first line is answered once the process is in the group; then it wants a whole CPU for half a second.
        code = (
            "import time; input(); begun, used = time.monotonic(), time.process_time()\n"
            "while time.monotonic() < begun + 0.5: pass\nprint(time.process_time() - used)"
        )
        with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as process:
            group.take(process.pid)
            used_s = float(process.communicate("go\n")[0])
        stat = dict(line.split() for line in (group.folder / "cpu.stat").read_text().splitlines())
    assert used_s < 0.2
    assert int(stat["nr_throttled"]) > 0
    assert not group.folder.exists()

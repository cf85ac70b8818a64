"""The CPU quota in force, in each way that a kernel or a container runtime shows control groups."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from services.runtime.counters.quota import Throttling, cpu_quota, memory_limit_bytes, read_throttling, usable_cpus

V1 = "31 23 0:29 {root} {at} rw,relatime shared:9 - cgroup cgroup rw,{controllers}"
V2 = "41 31 0:38 {root} {at} rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V2_STAT = "usage_usec 9\nnr_periods 40\nnr_throttled 4\nthrottled_usec 1500\n"
V1_STAT = "nr_periods 40\nnr_throttled 4\nthrottled_time 1500000\n"


class Machine:
    """A fabricated /proc, and control groups at the mount points of its mountinfo."""

    def __init__(self, home: Path) -> None:
        self.proc = home / "proc"
        self.groups = home / "groups"
        (self.proc / "self").mkdir(parents=True)
        self.mounts: list[str] = ["23 1 8:1 / / rw,noatime - ext4 /dev/root rw"]

    def own_group(self, *lines: str) -> None:
        (self.proc / "self/cgroup").write_text("".join(f"{line}\n" for line in lines))

    def mount(self, template: str, name: str, *, root: str = "/", controllers: str = "") -> None:
        at = str(self.groups / name).replace(" ", r"\040")
        self.mounts.append(template.format(root=root.replace(" ", r"\040"), at=at, controllers=controllers))
        (self.proc / "self/mountinfo").write_text("\n".join(self.mounts))

    def v2(self, group: str, cpu_max: str, stat: str = V2_STAT) -> None:
        self.write(group, {"cpu.max": f"{cpu_max}\n", "cpu.stat": stat})

    def v1(self, group: str, quota_us: int, stat: str = V1_STAT) -> None:
        self.write(group, {"cpu.cfs_quota_us": f"{quota_us}\n", "cpu.cfs_period_us": "100000\n", "cpu.stat": stat})

    def write(self, group: str, files: dict[str, str]) -> None:
        home = self.groups / group
        home.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (home / name).write_text(content)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def in_v2(machine: Machine) -> None:
    machine.own_group("0::/app/service")
    machine.mount(V2, "unified")
    machine.v2("unified/app/service", "150000 100000")


def in_v1(machine: Machine) -> None:
    machine.own_group("4:cpu,cpuacct:/app", "3:memory:/elsewhere", "1:name=systemd:/elsewhere")
    machine.mount(V1, "memory", controllers="memory")
    machine.mount(V1, "cpu", controllers="cpu,cpuacct")
    machine.v1("cpu/app", 150_000)
    machine.v1("cpu/elsewhere", 10_000)


def in_hybrid(machine: Machine) -> None:
    machine.own_group("4:cpu:/app", "0::/app")
    machine.mount(V2, "unified")
    machine.mount(V1, "cpu", controllers="cpu")
    machine.v1("cpu/app", 150_000)
    (machine.groups / "unified/app").mkdir(parents=True)


def in_a_v2_container_with_a_namespace(machine: Machine) -> None:
    machine.own_group("0::/")
    machine.mount(V2, "cgroup")
    machine.v2("cgroup", "150000 100000")


def in_a_v1_container_without_a_namespace(machine: Machine) -> None:
    machine.own_group("4:cpu,cpuacct:/docker/f00d")
    machine.mount(V1, "cpu", root="/docker/f00d", controllers="cpu,cpuacct")
    machine.v1("cpu", 150_000)


def in_a_group_below_a_container(machine: Machine) -> None:
    machine.own_group("0::/docker/f00d/service")
    machine.mount(V2, "cgroup", root="/docker/f00d")
    machine.v2("cgroup", "150000 100000")
    machine.v2("cgroup/service", "max 100000")


def with_a_path_from_outside_of_the_mount(machine: Machine) -> None:
    machine.own_group("0::/../elsewhere")
    machine.mount(V2, "cgroup")
    machine.v2("cgroup", "150000 100000")
    machine.v2("elsewhere", "10000 100000")


def with_another_containers_mount_first(machine: Machine) -> None:
    machine.own_group("0::/app")
    machine.mount(V2, "other", root="/docker/beef")
    machine.mount(V2, "unified")
    machine.v2("other", "10000 100000")
    machine.v2("unified/app", "150000 100000")


def with_blanks_in_paths(machine: Machine) -> None:
    machine.own_group("0::/my app/service")
    machine.mount(V2, "my groups", root="/my app")
    machine.v2("my groups/service", "150000 100000")


def with_a_higher_quota_below_a_lower(machine: Machine) -> None:
    machine.own_group("0::/pod/container")
    machine.mount(V2, "unified")
    machine.v2("unified/pod", "150000 100000")
    machine.v2("unified/pod/container", "800000 100000", stat="nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n")


def with_a_lower_quota_below_a_higher(machine: Machine) -> None:
    machine.own_group("0::/pod/container")
    machine.mount(V2, "unified")
    machine.v2("unified/pod", "800000 100000", stat="nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n")
    machine.v2("unified/pod/container", "75000 50000")


@pytest.mark.parametrize(
    "place",
    [
        in_v2,
        in_v1,
        in_hybrid,
        in_a_v2_container_with_a_namespace,
        in_a_v1_container_without_a_namespace,
        in_a_group_below_a_container,
        with_a_path_from_outside_of_the_mount,
        with_another_containers_mount_first,
        with_blanks_in_paths,
        with_a_higher_quota_below_a_lower,
        with_a_lower_quota_below_a_higher,
    ],
    ids=lambda place: place.__name__,
)
def test_the_quota_in_force_is_found_with_its_counters(machine: Machine, place: Callable[[Machine], None]) -> None:
    place(machine)
    assert cpu_quota(proc=machine.proc) == 1.5
    assert read_throttling(proc=machine.proc) == Throttling(40, 4, 1_500_000, 1.5)


def unlimited_v2(machine: Machine) -> None:
    machine.own_group("0::/app")
    machine.mount(V2, "unified")
    machine.v2("unified/app", "max 100000")


def unlimited_v1(machine: Machine) -> None:
    machine.own_group("4:cpu:/")
    machine.mount(V1, "cpu", controllers="cpu")
    machine.v1("cpu", -1)


def without_a_cpu_controller(machine: Machine) -> None:
    machine.own_group("0::/app")
    machine.mount(V2, "unified")
    (machine.groups / "unified/app").mkdir(parents=True)


def with_nothing_mounted(machine: Machine) -> None:
    machine.own_group("0::/app")
    (machine.proc / "self/mountinfo").write_text(machine.mounts[0])


def with_no_groups_at_all(machine: Machine) -> None:
    machine.own_group()
    (machine.proc / "self/mountinfo").write_text(machine.mounts[0])


@pytest.mark.parametrize(
    "place",
    [unlimited_v2, unlimited_v1, without_a_cpu_controller, with_nothing_mounted, with_no_groups_at_all],
    ids=lambda place: place.__name__,
)
def test_where_no_quota_is_in_force_all_allowed_cpus_are_usable(
    machine: Machine, place: Callable[[Machine], None]
) -> None:
    place(machine)
    assert cpu_quota(proc=machine.proc) is None
    assert read_throttling(proc=machine.proc) is None
    assert usable_cpus(proc=machine.proc) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("quota", "allowed", "usable"), [("50000", 8, 0.5), ("250000", 8, 2.5), ("800000", 3, 3.0)])
def test_usable_is_the_quota_or_the_allowed_cpus_if_fewer(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, quota: str, allowed: int, usable: float
) -> None:
    in_v2(machine)
    machine.v2("unified/app/service", f"{quota} 100000")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(allowed)))
    assert usable_cpus(proc=machine.proc) == usable


@pytest.mark.parametrize(
    ("own", "parent", "in_force"),
    [("268435456", "max", 268_435_456), ("max", "1000000", 1_000_000), ("2000", "1000", 1000), ("max", "max", None)],
)
def test_the_memory_limit_in_force_is_the_least_on_the_way_up(
    machine: Machine, own: str, parent: str, in_force: int | None
) -> None:
    machine.own_group("0::/app/service")
    machine.mount(V2, "unified")
    machine.write("unified/app", {"memory.max": f"{parent}\n"})
    machine.write("unified/app/service", {"memory.max": f"{own}\n"})
    assert memory_limit_bytes(proc=machine.proc) == in_force


@pytest.mark.parametrize(("own", "in_force"), [("268435456", 268_435_456), ("9223372036854771712", None)])
def test_the_memory_limit_of_a_v1_group_is_its_memory_controllers(
    machine: Machine, own: str, in_force: int | None
) -> None:
    machine.own_group("4:cpu,cpuacct:/elsewhere", "3:memory:/app")
    machine.mount(V1, "cpu", controllers="cpu")
    machine.mount(V1, "memory", controllers="memory")
    machine.write("memory/app", {"memory.limit_in_bytes": f"{own}\n"})
    assert memory_limit_bytes(proc=machine.proc) == in_force


def test_where_nothing_is_mounted_there_is_no_memory_limit(machine: Machine) -> None:
    with_nothing_mounted(machine)
    assert memory_limit_bytes(proc=machine.proc) is None


def test_the_machine_that_runs_this_can_be_read() -> None:
    assert (memory_limit_bytes() or 1) > 0
    assert 0 < usable_cpus() <= len(os.sched_getaffinity(0))
    assert (read_throttling() is None) == (cpu_quota() is None)

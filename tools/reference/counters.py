"""The counters of one process without descendants, as a model's control port has them (proc(5)).

Must not know which process it is. Calls and connections are absent: only the server itself could count them.
"""

import re
import socket
import time
from pathlib import Path

from sweetspot.v1.control_pb2 import SnapshotReply

from tools.processors import TICK_NS

KIB = 1024


def snapshot(name: str, pid: int) -> SnapshotReply:
    """The counters now. Raises OSError if the process has ended."""
    home = Path(f"/proc/{pid}")
    # The program's name is in brackets, and may hold blanks and brackets itself.
    fields = (home / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    status = _numbers(home / "status")
    return SnapshotReply(
        model=name,
        host=socket.gethostname(),
        monotonic_ns=time.monotonic_ns(),
        processes=1,
        threads=status["Threads"],
        cpu_user_ns=int(fields[11]) * TICK_NS,
        cpu_system_ns=int(fields[12]) * TICK_NS,
        rss_bytes=status["VmRSS"] * KIB,
        pss_bytes=_numbers(home / "smaps_rollup")["Pss"] * KIB,
        rss_peak_bytes=status["VmHWM"] * KIB,
        vsz_bytes=status["VmSize"] * KIB,
        voluntary_switches=status["voluntary_ctxt_switches"],
        involuntary_switches=status["nonvoluntary_ctxt_switches"],
    )


def _numbers(file: Path) -> dict[str, int]:
    return {name: int(number) for name, number in re.findall(r"^(\w+):\s+(\d+)", file.read_text("utf-8"), re.MULTILINE)}

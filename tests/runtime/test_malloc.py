"""What the C library does with freed memory, in a process of its own: its settings are for the whole process."""

import subprocess
import sys

COPIES = 50
FAULTS = f"""
import resource
from services.runtime.malloc import return_memory

return_memory()
message = bytes(1_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({COPIES}):
    copies = [bytearray(message) for _ in range(2)]
    del copies
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES_OF_ONE = 1_000_000 // 4096


def test_messages_of_1_mb_reuse_the_memory_of_those_before_them() -> None:
    ran = subprocess.run([sys.executable, "-c", FAULTS], check=True, capture_output=True, text=True)
    assert int(ran.stdout) < 4 * PAGES_OF_ONE  # each copy anew would be 2 * COPIES * PAGES_OF_ONE

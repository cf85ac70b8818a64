"""`python -I -S tied.py PID COMMAND ...`: becomes that command, which is killed once the process PID has ended.

However that ends, by `kill -9` too: PR_SET_PDEATHSIG outlives an execve(2), and so is set before. It follows the thread
that started this, which has to be PID's main thread. Nobody is tied who is started by hand. Imports little: each
process that is measured starts through it, which takes 15 ms.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h

if __name__ == "__main__":
    parent, command = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before prctl(2)
        sys.exit(1)
    os.execvp(command[0], command)

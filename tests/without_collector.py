"""Runs a service without Python's cycle collector: `python -m tests.without_collector -m services MODEL [OPTION ...]`.

What such a service still frees it frees by reference counting, as one that is idle does.
"""

import gc
import sys

from services.__main__ import main

gc.disable()
sys.exit(main(sys.argv[3:]))

"""What holds for every test."""

import os
import sys

from hypothesis import settings

pytest_plugins = ["tests.expected_skips", "tests.conformance.costs"]

# Tests start a thousand processes of ours. Where no byte code is written, each compiles all that it imports: 0.12 s.
# Here scipy alone is 3 s.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A deadline is a timing figure, and the first example of a property pays for imports: 260 ms once, where 4 were needed.
settings.register_profile("sweetspot", deadline=None)
settings.load_profile("sweetspot")

# Services that tests start are not behind a proxy, and each client would have to ignore it.
for name in ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy"):
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)

"""How a map names what it has measured."""


def described(cpu_ms: float, wait_ms: float) -> str:
    """As `0.3 ms of CPU and 20 ms of wait`."""
    return f"{cpu(cpu_ms)} and {wait(wait_ms)}"


def cpu(cpu_ms: float) -> str:
    """As `0.3 ms of CPU`."""
    return f"{cpu_ms:g} ms of CPU" if cpu_ms else "no CPU"


def wait(wait_ms: float) -> str:
    """As `20 ms of wait`."""
    return f"{wait_ms:g} ms of wait" if wait_ms else "no wait"

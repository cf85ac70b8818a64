"""Which run a span belongs to: the driver sends it with a traced call, and every span of that call repeats it.

A service does not know the run when it starts, so the call has to bring it. It comes as `baggage`, one member for each
label, and not as `tracestate`. That "MUST NOT be used for any properties that are not defined by a tracing system" (W3C
Trace Context, level 2, section 3.3). Baggage is for an application's own properties. OpenTelemetry's baggage span
processors copy members into attributes as this does. Baggage goes with traced calls alone, as `traceparent` does.

Baggage comes from the wire: members that are no label, too long or malformed become no attribute.
"""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, unquote

from services.telemetry.context import REMEMBERED

Labels = Mapping[str, str | int]

MAX_VALUE = 128
"""Characters of a label's value."""

_TEXTS = ("sweetspot.run", "sweetspot.trial", "sweetspot.model")
_NUMBERS = ("sweetspot.connections", "sweetspot.shard")
_MAX_DIGITS = 9


def to_baggage(labels: Labels) -> str:
    """The header value with these."""
    return ",".join(f"{name}={quote(str(value)[:MAX_VALUE], safe='')}" for name, value in labels.items())


@lru_cache(maxsize=REMEMBERED)
def from_baggage(baggage: str) -> Labels:
    """The labels in a `baggage`, as attributes of a span."""
    found: dict[str, str | int] = {}
    for member in baggage.split(","):
        name, _, rest = member.partition("=")
        name, value = name.strip(), unquote(rest.partition(";")[0].strip())
        if name in _NUMBERS and value.isascii() and value.isdecimal() and len(value) <= _MAX_DIGITS:
            found[name] = int(value)
        elif name in _TEXTS and value.isprintable() and 0 < len(value) <= MAX_VALUE:
            found[name] = value
    return found

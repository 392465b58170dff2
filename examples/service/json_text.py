"""JSON from bytes that nobody vouches for, and for bytes."""

from __future__ import annotations

import json
import math
from typing import Any


def loads(text: bytes) -> Any:
    """Parse UTF-8 without a byte-order mark.

    Raises:
        ValueError: no JSON, or a number too large for a double.
        RecursionError: nested too deep.
    """
    return json.loads(text.decode("utf-8"), parse_constant=_refused, parse_float=_finite)


def dumps(value: Any) -> str:
    """Encode on one line, in ASCII, so that halves of surrogate pairs can be written, too."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _refused(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:20]} is too large for a double")
    return number

"""JSON as RFC 8259 has it, with bounds, from bytes that nobody vouches for.

Python's ``json`` is wider than the RFC and has no bounds: it takes UTF-16, a byte-order mark, ``NaN``
and ``1e999``, it recurses as deep as it is led, and 8 MB of ``[]`` cost it 190 MB. Each is refused here.
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any

# Deeper values exist in attacks only; Python's own codec starts to fail at about 1,000.
MAX_DEPTH = 512
# What a workflow's own value may have, so that it still fits when a message is wrapped around it.
MAX_VALUE_DEPTH = 500
# A parsed value costs 60 to 100 bytes whatever its text: this bounds a line at about 100 MB.
MAX_VALUES = 1_000_000
# The largest double has 309 digits; longer integers can only be an infinity or a denial of service.
MAX_INTEGER_DIGITS = 309

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class StructureError(ValueError):
    """Valid JSON perhaps, but nested deeper or split into more values than we parse."""


def loads(text: bytes) -> Any:
    """Parse one JSON text.

    Args:
        text: UTF-8 without a byte-order mark.

    Raises:
        StructureError: more than `MAX_DEPTH` levels or `MAX_VALUES` values.
        ValueError: anything else that RFC 8259, or a double, does not allow.
    """
    check_structure(text)
    return _DECODER.decode(text.decode("utf-8"))


def dumps(value: Any) -> str:
    """Encode on one line; lone surrogates become escapes, so the text always encodes as UTF-8.

    Raises:
        ValueError: NaN, infinities, or a cycle.
        TypeError: a value that JSON has no form for.
    """
    text = _ENCODER.encode(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return dumps_ascii(value)
    return text


def dumps_ascii(value: Any) -> str:
    """Encode on one line, in ASCII alone; errors as `dumps`."""
    return _ASCII_ENCODER.encode(value)


def check_structure(text: bytes, max_depth: int = MAX_DEPTH) -> None:
    """Raise `StructureError` for a text that would cost far more memory than its bytes justify."""
    openers = text.count(b"[") + text.count(b"{")
    values = openers + text.count(b",")
    if openers <= max_depth and values <= MAX_VALUES:
        return
    bare = _STRING.sub(b"", text)  # brackets and commas inside strings are not structure
    if bare.count(b"[") + bare.count(b"{") + bare.count(b",") > MAX_VALUES:
        raise StructureError(f"more than {MAX_VALUES:,} values in one message")
    brackets = bare.translate(None, _NOT_BRACKETS)
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > max_depth:
        raise StructureError(f"nested more than {max_depth} levels deep")


def _finite_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:20]} is too large for a double")
    return number


def _bounded_int(text: str) -> int:
    if len(text) >= MAX_INTEGER_DIGITS and math.isinf(float(text)):
        raise ValueError(f"an integer of {len(text)} digits is too large for a double")
    return int(text)


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(parse_float=_finite_float, parse_int=_bounded_int, parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ASCII_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))

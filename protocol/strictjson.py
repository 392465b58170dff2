"""JSON by RFC 8259, with bounds, from untrusted bytes.

Python's ``json`` accepts more than the RFC and has no bounds: it takes UTF-16, a byte-order mark, ``NaN`` and
``1e999``, it recurses to any depth, and 8 MB of ``[]`` take 190 MB. All of this is refused here.
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate

from flowcage._hints import Any

# Deeper values occur in attacks only; Python's codec raises RecursionError from about 1,000 on.
MAX_DEPTH = 512
# Depth of a workflow's own value, so that a message around it stays within `MAX_DEPTH`.
MAX_VALUE_DEPTH = 500
# A parsed value takes 60 to 100 bytes, whatever its text: this bounds a line to about 100 MB.
MAX_VALUES = 1_000_000
# The largest double has 309 digits. A longer integer is an infinity to most readers, and slow to parse for
# Python.
MAX_INTEGER_DIGITS = 309

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class StructureError(ValueError):
    """The text is nested deeper, or has more values, than is parsed here; it may be valid JSON."""


def loads(text: bytes) -> Any:
    """Parse one JSON text.

    Args:
        text: UTF-8 without a byte-order mark.

    Raises:
        StructureError: more than `MAX_DEPTH` levels or `MAX_VALUES` values.
        ValueError: the text is not JSON by RFC 8259, or a number is too large for a double.
    """
    check_structure(text)
    return _DECODER.decode(text.decode("utf-8"))


def dumps(value: Any) -> str:
    """Encode a value as one line of text that UTF-8 can encode: lone surrogates become escapes.

    Raises:
        ValueError: NaN, infinities, or a cycle.
        TypeError: JSON has no form for a value.
    """
    text = _ENCODER.encode(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return dumps_ascii(value)
    return text


def encoded(value: Any) -> bytes:
    """`dumps` as UTF-8, encoded once. Raises as `dumps`."""
    try:
        return _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError:
        return dumps_ascii(value).encode()


def dumps_ascii(value: Any) -> str:
    """Encode a value as one line of ASCII. Raises as `dumps`."""
    return _ASCII_ENCODER.encode(value)


def check_structure(text: bytes, max_depth: int = MAX_DEPTH) -> None:
    """Raise `StructureError` for a text of too many levels or values, without parsing it.

    The counts are upper bounds where brackets and commas stand in strings; only then are strings removed.
    """
    if len(text) <= max_depth:  # as many brackets at most
        return
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

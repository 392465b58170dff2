"""Candidate numbers and strings for an instance of a schema, the smallest first.

Candidates are guesses: the schema itself decides which of them is right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain, count, islice, product
from typing import Any, TypeAlias

from flowcage.host.agents import pattern
from flowcage.protocol.messages import Json

# The schemas that one value must satisfy, all at once.
Parts: TypeAlias = Sequence[dict[str, Json]]

# Enough to step over what `not` or `uniqueItems` rules out.
TRIES = 64
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def given(parts: Parts, keyword: str) -> list[Any]:
    """What those of the schemas that have a keyword say."""
    return [part[keyword] for part in parts if keyword in part]


def numbers(parts: Parts, *, whole: bool) -> Iterator[int | float]:
    """Numbers near zero, or near the bound that is nearest to it."""
    low = max(map(_exact, given(parts, "minimum") + given(parts, "exclusiveMinimum")), default=None)
    high = min(map(_exact, given(parts, "maximum") + given(parts, "exclusiveMaximum")), default=None)
    step = _common_multiple([Fraction(1)] * whole + [_exact(each) for each in given(parts, "multipleOf")])
    first = _nearest_to_zero(low, high, step)
    for candidate in chain(_around(first, step), [] if whole else _between(low, high)):
        if (number := _as_json(candidate)) is not None:
            yield number


def strings(parts: Parts) -> Iterator[str]:
    """Strings of the least length, then longer ones."""
    length = least_length(parts)
    for expression in given(parts, "pattern"):
        yield from pattern.matching(expression, length)
    lengths = count(length)
    yield from islice(chain.from_iterable(map(_words, lengths)), TRIES)


def least_length(parts: Parts) -> int:
    """Characters that a string must have."""
    return int(max(given(parts, "minLength"), default=0))


def _words(length: int) -> Iterator[str]:
    return map("".join, product(_LETTERS, repeat=length))


def _exact(number: int | float) -> Fraction:
    return Fraction(repr(number))  # a tenth, not the double next to it


def _common_multiple(steps: list[Fraction]) -> Fraction:
    """The least number that all steps divide; 1 when there are none."""
    if not steps:
        return Fraction(1)
    numerator = math.lcm(*(step.numerator for step in steps))
    return Fraction(numerator, math.gcd(*(step.denominator for step in steps)))


def _nearest_to_zero(low: Fraction | None, high: Fraction | None, step: Fraction) -> Fraction:
    if low is not None and low > 0:
        return math.ceil(low / step) * step
    if high is not None and high < 0:
        return math.floor(high / step) * step
    return Fraction(0)


def _around(first: Fraction, step: Fraction) -> Iterator[Fraction]:
    for distance in range(TRIES):
        yield first + distance * step
        yield first - distance * step


def _between(low: Fraction | None, high: Fraction | None) -> list[Fraction]:
    """Where no multiple lies between narrow bounds: the middle, and the bounds."""
    bounds = [bound for bound in (low, high) if bound is not None]
    return [sum(bounds) / Fraction(len(bounds)), *bounds] if bounds else []


def _as_json(number: Fraction) -> int | float | None:
    if number.denominator == 1:
        return number.numerator
    try:
        return float(number)
    except OverflowError:
        return None

"""Types of command-line options, for argparse, which names the option in the error."""

from __future__ import annotations

import argparse
import math


def seconds(text: str) -> float:
    """A length of time: finite, 0 or more."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"expected seconds, 0 or more, not {text}")
    return value


def count(text: str) -> int:
    """A whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, not {text}")
    return value

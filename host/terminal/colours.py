"""Styles as escape sequences (ECMA-48, 8.3.117)."""

from __future__ import annotations

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def painted(text: str, style: str, *, colour: bool) -> str:
    """A safe text in a style, such as ``bold cyan``; "" is none."""
    if not colour or not style:
        return text
    codes = ";".join(_CODES[word] for word in style.split())
    return f"\x1b[{codes}m{text}\x1b[0m"

"""Text on its way to a person's terminal."""

from __future__ import annotations

import re

# Escapes and bidirectional overrides: a workflow's text must not move the cursor, recolour the terminal or
# reorder what is read. Newlines stay.
_UNSAFE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
MAX_CHARACTERS = 4000


def safe(text: str) -> str:
    """Text that cannot steer a terminal, of bounded length."""
    shown = text.replace("\t", " ")
    if len(shown) > MAX_CHARACTERS:
        shown = f"{shown[:MAX_CHARACTERS]}… ({len(text)} characters)"
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", shown)

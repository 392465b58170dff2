"""Text on its way to a person's terminal."""

from __future__ import annotations

import os
import re
import sys
from typing import NoReturn

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


def is_interactive() -> bool:
    """Whether a person's terminal is at stderr."""
    return sys.stderr is not None and sys.stderr.isatty()


def wants_colour() -> bool:
    """Whether stderr gets colour: as no-color.org and force-color.org have it, else where it is a terminal.

    A variable that is empty counts as unset, and a ``FORCE_COLOR`` of 0 or false as what it says.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if forced := os.environ.get("FORCE_COLOR"):
        return forced.lower() not in ("0", "false")
    return is_interactive()


def tell(line: str) -> None:
    """Write a line to stderr.

    Raises:
        OSError: it takes no more.
    """
    if sys.stderr is not None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def leave(status: int) -> NoReturn:
    """Exit with this status, whatever becomes of text that is still buffered."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):  # the interpreter would flush again, fail, and exit with 120
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(status)

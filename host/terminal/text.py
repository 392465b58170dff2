"""Text on its way to a person's terminal: what is safe to show, and how it gets there.

What a workflow, a child, an agent's program or a peer says is untrusted. Every place that shows such text, or
passes it on to a log or a trace, has it from one of these functions.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import NoReturn

from flowcage.host.terminal.line_sink import PATIENCE_SECONDS, LineSink

# Controls (C0, C1), formats (bidirectional overrides, zero-width, tags), halves of surrogate pairs, private
# and unassigned characters, and what separates lines and paragraphs: they move the cursor, recolour, reorder
# or hide (Unicode, chapter 4.5). All else shows as itself.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Persian and Indic words and compound emoji need the two joiners, and a terminal obeys neither.
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC and its kin: titles, links
    r"|\x1b[ -/]*[0-~]"
)
MAX_CHARACTERS = 4000
# What an untrusted text's further lines are indented by: at column 0 stands only what flowcage says itself.
_INDENT = "   "
_UNINDENTED = re.compile("\n(?!  )")


class _Translation:
    """For str.translate: every unsafe character but those kept becomes what `replace` makes of it."""

    def __init__(self, kept: str, replace: Callable[[str], str]) -> None:
        self._kept = kept
        self._replace = replace

    def __getitem__(self, code: int) -> str | int:
        character = chr(code)
        if character in self._kept or unicodedata.category(character) not in _UNSAFE:
            return code
        return self._replace(character)


def _escape(character: str) -> str:
    """As JSON has it: in UTF-16 code units (RFC 8259, 7)."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


_SHOWN = _Translation("\n" + _JOINERS, lambda character: " " if character == "\t" else "\ufffd")
_PLAIN = _Translation("\n\t" + _JOINERS, lambda _: "")
_JSON = _Translation("\n", _escape)


def cut(text: str, most: int) -> str:
    """At most so many characters of a text, with an ellipsis where some are missing."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def safe(text: str) -> str:
    """Text that cannot steer a terminal, of bounded length; lines stay.

    What could is replaced, so that it is seen that something was there.
    """
    shown = text
    if len(shown) > MAX_CHARACTERS:
        shown = f"{shown[:MAX_CHARACTERS]}… ({len(text)} characters)"
    return shown.translate(_SHOWN)


def indented(text: str, indent: str = _INDENT) -> str:
    """The same, with all lines but the first indented."""
    return safe(text).replace("\n", f"\n{indent}")


def message(text: str) -> str:
    """The same for a message that has a layout of its own: only lines at column 0 or 1 are indented."""
    return _UNINDENTED.sub(f"\n{_INDENT}", safe(text))


def plain_text(data: bytes | bytearray) -> str:
    """What a program said, without escape sequences: it was meant for a terminal, and has colours.

    Nothing stands in the place of what is left out.
    """
    text = data.decode("utf-8", "replace").replace("\r", "\n")
    return _SEQUENCE.sub("", text).translate(_PLAIN).strip()


def escaped(json: str) -> str:
    """JSON that a terminal shows and does not obey: the same values, with escapes for such characters."""
    return json.translate(_JSON)


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


@cache
def _stderr() -> LineSink | None:
    if sys.stderr is None:  # its number may be another file's by now
        return None
    return LineSink(sys.stderr.fileno(), lambda count: f"flowcage: {count} lines dropped: nobody read stderr")


def tell(line: str) -> None:
    """Have a line written to stderr; never waits for whoever reads it."""
    if (stderr := _stderr()) is not None:
        stderr.write(f"{line}\n".encode(sys.stderr.encoding or "utf-8", "backslashreplace"))


def wait_until_told() -> None:
    """Return when stderr has what it was told, but soon where nobody reads it."""
    if (stderr := _stderr()) is not None:
        stderr.flush()


def leave(status: int) -> NoReturn:
    """Exit with this status, whatever becomes of text that nobody reads."""
    try:
        wait_until_told()
        flushing = threading.Thread(target=_flush, daemon=True)
        flushing.start()
        flushing.join(PATIENCE_SECONDS)
        is_stuck = flushing.is_alive()
    except KeyboardInterrupt:
        is_stuck, status = True, 130
    except RuntimeError:  # there is no thread to be had
        is_stuck = True
    if is_stuck:  # the interpreter would flush again, and wait for ever
        os._exit(status)
    sys.exit(status)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):  # the interpreter would flush again, fail, and exit with 120
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

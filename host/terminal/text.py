"""Text for a person's terminal: what is safe to show, and the way to stderr.

Text from a workflow, a child, an agent's program or a peer is untrusted. Every place that shows such text, or
passes it on to a log or a trace, takes it through one of these functions; no other strips escapes.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import NoReturn

from flowcage.host.terminal.form import of_text
from flowcage.host.terminal.line_sink import FLUSH_SECONDS
from flowcage.host.terminal.screen import Screen

# Controls (C0, C1), formats (bidirectional overrides, zero-width, tags), halves of surrogate pairs, private
# and unassigned characters, and what separates lines and paragraphs: they move the cursor, recolour, reorder
# or hide (Unicode, chapter 4.5). All else shows as itself.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Persian and Indic words and compound emoji need the two joiners, which do nothing to a terminal.
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC and its kin: titles, links
    r"|\x1b[ -/]*[0-~]"
)
# Of one message.
MAX_CHARACTERS = 4000
# For the further lines of untrusted text, so that it cannot imitate a line of flowcage's own at column 0.
_INDENT = "   "
_UNINDENTED = re.compile("\n(?!  )")


class _Translation:
    """A table for str.translate that replaces unsafe characters, except those that are kept."""

    def __init__(self, kept: str, replace: Callable[[str], str]) -> None:
        self._kept = kept
        self._replace = replace

    def __getitem__(self, code: int) -> str | int:
        character = chr(code)
        if character in self._kept or unicodedata.category(character) not in _UNSAFE:
            return code
        return self._replace(character)


def _escape(character: str) -> str:
    r"""``\uXXXX`` for each UTF-16 code unit of a character (RFC 8259, 7)."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


_SHOWN = _Translation("\n" + _JOINERS, lambda character: " " if character == "\t" else "\ufffd")
_PLAIN = _Translation("\n\t" + _JOINERS, lambda _: "")
_JSON = _Translation("\n", _escape)


def cut(text: str, most: int) -> str:
    """At most so many characters of a text, with an ellipsis where some are missing."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def tail(text: str, most: int) -> str:
    """The last characters of a text, at most so many, with an ellipsis where some are missing."""
    return text if len(text) <= most else f"…{text[len(text) - most + 1 :]}"


def safe(text: str) -> str:
    """Text that cannot control a terminal, at most `MAX_CHARACTERS` long; newlines are kept.

    Unsafe characters become U+FFFD, which shows that something was there.
    """
    shown = text
    if len(shown) > MAX_CHARACTERS:
        shown = f"{shown[:MAX_CHARACTERS]}… ({len(text)} characters)"
    return shown.translate(_SHOWN)


def indented(text: str, indent: str = _INDENT) -> str:
    """`safe` text, with all lines but the first indented."""
    return safe(text).replace("\n", f"\n{indent}")


def whole(text: str, indent: str = "") -> str:
    """Text that cannot control a terminal, however long, with all of its lines indented."""
    return indent + text.replace("\r\n", "\n").translate(_SHOWN).replace("\n", f"\n{indent}")


def message(text: str) -> str:
    """`safe` text that has a layout of its own: only lines that begin at column 0 or 1 are indented."""
    return _UNINDENTED.sub(f"\n{_INDENT}", safe(text))


def plain_text(data: bytes | bytearray) -> str:
    """The output of a program without its escape sequences, such as colours; nothing takes their place."""
    text = data.decode("utf-8", "replace").replace("\r", "\n")
    return _SEQUENCE.sub("", text).translate(_PLAIN).strip()


def escaped(json: str) -> str:
    """The same JSON values, with escapes for characters that could control a terminal."""
    return json.translate(_JSON)


def is_interactive() -> bool:
    """Whether stderr is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def wants_colour() -> bool:
    """Whether stderr gets colour.

    NO_COLOR (no-color.org) comes first, then FORCE_COLOR, CLICOLOR_FORCE, CLICOLOR; a terminal gets it. An
    empty variable counts as unset. 0, and for the forcing ones false, mean no colour.
    """
    if os.environ.get("NO_COLOR"):
        return False
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
        if forced := os.environ.get(name):
            return forced.lower() not in ("0", "false")
    return (
        is_interactive()
        and os.environ.get("CLICOLOR") != "0"
        and os.environ.get("TERM", "") not in ("", "dumb")
    )


@cache
def stderr() -> Screen | None:
    """The way to stderr; None where it is closed."""
    if sys.stderr is None:  # closed at the start; descriptor 2 may be another file now
        return None
    return Screen(
        sys.stderr.fileno(), lambda n: of_text(f"{n} lines dropped: stderr was not read", "warning")
    )


def tell(line: str) -> None:
    """Write a line to stderr, without waiting for its reader."""
    if (sink := stderr()) is not None:
        sink.write(encoded(f"{line}\n"))


@contextmanager
def held() -> Iterator[None]:
    """Leave the terminal to whoever asks a person something, where frames are drawn: lines wait."""
    sink = stderr()
    if sink is not None:
        sink.hold()
    try:
        yield
    finally:
        if sink is not None:
            sink.release()


def tell_through(line: str) -> None:
    """As `tell`, for whoever has the terminal."""
    if (sink := stderr()) is not None:
        sink.write_through(encoded(f"{line}\n"))


def encoded(line: str) -> bytes:
    """A text as stderr takes it."""
    return line.encode(sys.stderr.encoding or "utf-8", "backslashreplace")


def wait_until_told() -> None:
    """Return when all lines are written to stderr; after `FLUSH_SECONDS` even if they are not read."""
    if (sink := stderr()) is not None:
        sink.flush()


def leave(status: int) -> NoReturn:
    """Exit with this status; text that is not read delays that by a few seconds at most."""
    try:
        wait_until_told()
        flushing = threading.Thread(target=_flush, daemon=True)
        flushing.start()
        flushing.join(FLUSH_SECONDS)
        is_stuck = flushing.is_alive()
    except KeyboardInterrupt:
        is_stuck, status = True, 130
    except RuntimeError:  # the system has no thread left
        is_stuck = True
    if is_stuck:  # sys.exit would flush the streams once more, and wait without a limit
        os._exit(status)
    sys.exit(status)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):  # at exit the interpreter would flush again, fail, and use status 120
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

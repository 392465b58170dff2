"""Lines of JSON that a program writes to its descriptor 3, as hostile as all else that it writes."""

from __future__ import annotations

from collections.abc import Callable

from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

MAX_NOTE_BYTES = 64 * 1024


class NoteReader:
    """Cuts bytes into lines and reads them. A line that is no note is left out, and why is told.

    Args:
        on_note: is given the value of each line.
        on_bad: is told why a line was left out; it is given a sentence without its subject.
    """

    def __init__(self, on_note: Callable[[Json], None], on_bad: Callable[[str], None]) -> None:
        self._on_note = on_note
        self._on_bad = on_bad
        self._begun = bytearray()
        self._is_too_long = False

    def feed(self, data: bytes) -> bool:
        """Take in the next bytes; whether a line ended with them."""
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._add(end)
            self._end_line()
        self._add(rest)
        return bool(ends)

    def _add(self, part: bytes) -> None:
        if self._is_too_long or len(self._begun) + len(part) > MAX_NOTE_BYTES:
            self._is_too_long = True
            self._begun.clear()
        else:
            self._begun += part

    def _end_line(self) -> None:
        line, was_too_long = bytes(self._begun), self._is_too_long
        self._begun.clear()
        self._is_too_long = False
        if was_too_long:
            self._on_bad(f"is longer than {MAX_NOTE_BYTES} bytes")
        elif line.strip():
            try:
                note = strictjson.loads(line)
            except (ValueError, RecursionError) as error:
                self._on_bad(f"is not JSON: {error}")
            else:
                self._on_note(note)

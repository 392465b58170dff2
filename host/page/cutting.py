"""Caps on what a document has of long texts and values."""

from __future__ import annotations

from typing import Any, NamedTuple

from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json


class Caps(NamedTuple):
    """Bounds of a document; None of a text has no bound.

    Attributes:
        text: characters of a prompt, a value, a refused answer.
        total: characters of the texts and values of all calls, above which each is cut further, down to
            `least`.
        line: characters of a line of the log; `event` of an event's.
        lines: of the log, and events; the first are left out.
        characters: of all lines of the log.
    """

    text: int = 16_000
    least: int = 500
    total: int = 16_000_000
    line: int = 2_000
    event: int = 300
    lines: int = 10_000
    characters: int = 4_000_000


CAPS = Caps()
_ALL = 1 << 62
WHOLE = Caps(_ALL, _ALL, _ALL, _ALL, 2_000, _ALL, _ALL)


def caps_of(*, full: bool) -> Caps:
    """Those of a report."""
    return WHOLE if full else CAPS


class Cutter:
    """Cuts the members of one object, and notes what it has cut.

    Args:
        most: characters of each; None for all.

    Attributes:
        lengths: of all that it was given to cut.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._cut: dict[str, int] = {}
        self.lengths: list[int] = []

    def text(self, name: str, text: str) -> str:
        """A text, or its beginning."""
        self.lengths.append(len(text))
        if self._most is None or len(text) <= self._most:
            return text
        self._cut[name] = len(text)
        return text[: self._most]

    def value(self, name: str, value: Json) -> Json:
        """A value, or the beginning of its JSON."""
        if isinstance(value, str):
            return self.text(name, value)
        if value is None or isinstance(value, bool | int | float) or not value or self._most is None:
            return value
        text = self.text(name, whole := strictjson.dumps(value))
        return value if len(text) == len(whole) else text

    def part(self, text: str, most: int) -> str:
        """At most so much of a text, which is not told to be cut."""
        told = text[: most if self._most is None else min(most, self._most)]
        self.lengths.append(len(told))
        return told

    def name(self, name: str, text: str | None) -> str | None:
        """A text that may be missing."""
        return None if text is None else self.text(name, text)

    def put(self, told: dict[str, Any], name: str, value: Json) -> None:
        """Set a member to a value, or to the beginning of it."""
        told[name] = self.value(name, value)

    def finish(self, told: dict[str, Any]) -> dict[str, Any]:
        """The object, with what was cut of it."""
        return told | {"cut": self._cut} if self._cut else told

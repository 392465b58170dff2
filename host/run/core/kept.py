"""What is kept of a workflow's words for its report: logs, phases and diagnostics, each in its own bounds.

Each has a room of its own, so that five megabytes of logs hide no diagnostic. What does not fit is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowcage.protocol import strictjson
from flowcage.protocol.messages import MISSING, Json

MAX_KEPT_BYTES = 4 * 1024 * 1024
MAX_KEPT_ENTRIES = 10_000


@dataclass(slots=True)
class Room:
    """A list with a bound on its entries and on what they are as JSON."""

    entries: list[Any] = field(default_factory=list)
    dropped: int = 0
    size: int = 0

    def add(self, entry: Any, value: Json) -> bool:
        """Keep an entry that is `value` as JSON, or count it as dropped. Says whether it was kept."""
        size = len(strictjson.dumps(value))
        if len(self.entries) >= MAX_KEPT_ENTRIES or self.size + size > MAX_KEPT_BYTES:
            self.dropped += 1
            return False
        self.entries.append(entry)
        self.size += size
        return True

    def replace(self, old: Json, new: Json) -> bool:
        """Keep `new` in place of an entry that is `old` as JSON, as `add`."""
        grown = self.size + len(strictjson.dumps(new)) - len(strictjson.dumps(old))
        if grown > MAX_KEPT_BYTES:
            self.dropped += 1
            return False
        self.size = grown
        return True


@dataclass(slots=True)
class Kept:
    """What one workflow said.

    Attributes:
        phases: the options of each phase by its title, in the order in which they were first named.
    """

    logs: Room = field(default_factory=Room)
    diagnostics: Room = field(default_factory=Room)
    titles: Room = field(default_factory=Room)
    phases: dict[str, Json] = field(default_factory=dict)

    def log(self, values: list[Json]) -> None:
        """Keep one ``log()`` call."""
        self.logs.add(tuple(values), values)

    def diagnostic(self, note: Mapping[str, Json]) -> None:
        """Keep one diagnostic."""
        self.diagnostics.add(note, dict(note))

    def phase(self, title: str, options: Json = MISSING) -> None:
        """Keep a phase's title once, with the last options it came with."""
        told = None if options is MISSING else options
        if title not in self.phases:
            is_kept = self.titles.add(title, [title, told])
        else:
            is_kept = told is not None and self.titles.replace([title, self.phases[title]], [title, told])
        if is_kept:
            self.phases[title] = told

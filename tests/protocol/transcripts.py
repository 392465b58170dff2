"""Golden transcripts: what a host said to one child and what it heard, line by line.

A file of ``tests/golden`` has one JSON object a line: ``{"from": "host" | "child", "line": "…"}``. Bytes that
are no UTF-8 stand as lone surrogates U+DC80 to U+DCFF (PEP 383). Versions are placeholders.

``python -m tools.golden FILE…`` records them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from flowcage.child.cage.highwater import HighWater
from flowcage.child.cage.lockdown import apply_nothing
from flowcage.child.engine.context import library
from flowcage.child.session import Session
from flowcage.protocol.version import PACKAGE_VERSION

FOLDER = Path(__file__).parent.parent / "golden"


class Transcript(NamedTuple):
    """One conversation; every line ends in a newline."""

    entries: list[tuple[str, bytes]]

    def said_by(self, speaker: str) -> list[bytes]:
        """The lines of ``host`` or ``child``."""
        return [line for sender, line in self.entries if sender == speaker]


class Answers(NamedTuple):
    """What a session answered, and whether it wants to leave."""

    data: bytes
    left: bool


def load(path: Path) -> Transcript:
    """Read a transcript, with the placeholders filled in."""
    entries = []
    with path.open(encoding="utf-8", newline="\n") as file:
        for text in file:
            entry = json.loads(text)
            line = entry["line"].encode("utf-8", "surrogateescape") + b"\n"
            entries.append((entry["from"], _fill_in(line)))
    return Transcript(entries)


def fresh_session() -> Session:
    """One that leaves the process it is in as it is."""
    return Session(apply_nothing, HighWater())


def replay(pieces: Iterable[bytes]) -> Answers:
    """Feed a fresh session, until it wants to leave; what comes after is never read."""
    session, data = fresh_session(), b""
    for piece in pieces:
        for reply in session.receive(piece):
            data += reply.data
            if reply.last:
                return Answers(data, left=True)
    return Answers(data, left=False)


def builds() -> list[tuple[bytes, bytes]]:
    """What differs between builds: placeholder and what stands for it now."""
    versions = {"quickjs-ng": library().JS_GetVersion().decode(), "flowcage": PACKAGE_VERSION}
    pattern = '"name":"{}","version":"{}"'
    return [
        (pattern.format(name, "<version>").encode(), pattern.format(name, version).encode())
        for name, version in versions.items()
    ]


def _fill_in(line: bytes) -> bytes:
    for placeholder, version in builds():
        line = line.replace(placeholder, version)
    return line

"""Golden transcripts: what a host said to one child and what it heard, line by line.

A file of ``tests/golden`` has one JSON object a line: ``{"from": "host" | "child", "line": "…"}``. Bytes that
are no UTF-8 stand as lone surrogates U+DC80 to U+DCFF (PEP 383). Versions are placeholders.

``python -m tests.protocol.transcripts FILE…`` says the host's lines to a fresh session and writes down what
it answers now. Read the difference before you commit it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

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


def replay(pieces: Iterable[bytes]) -> Answers:
    """Feed a fresh session, until it wants to leave; what comes after is never read."""
    session, data = Session(), b""
    for piece in pieces:
        for reply in session.receive(piece):
            data += reply.data
            if reply.last:
                return Answers(data, left=True)
    return Answers(data, left=False)


def record(path: Path) -> None:
    """Write down what a fresh session answers to the host's lines of a transcript."""
    session = Session()
    with_answers = []
    for line in load(path).said_by("host"):
        with_answers.append(("host", line))
        answers = b"".join(reply.data for reply in session.receive(line))
        with_answers += [("child", answer) for answer in answers.split(b"\n")[:-1]]
    texts = (
        _take_out(line).removesuffix(b"\n").decode("utf-8", "surrogateescape") for _, line in with_answers
    )
    senders = (sender for sender, _ in with_answers)
    entries = [
        json.dumps({"from": sender, "line": text}) for sender, text in zip(senders, texts, strict=True)
    ]
    path.write_text("".join(f"{entry}\n" for entry in entries), encoding="utf-8", newline="\n")


def _builds() -> list[tuple[bytes, bytes]]:
    versions = {"quickjs-ng": library().JS_GetVersion().decode(), "flowcage": PACKAGE_VERSION}
    pattern = '"name":"{}","version":"{}"'
    return [
        (pattern.format(name, "<version>").encode(), pattern.format(name, version).encode())
        for name, version in versions.items()
    ]


def _fill_in(line: bytes) -> bytes:
    for placeholder, version in _builds():
        line = line.replace(placeholder, version)
    return line


def _take_out(line: bytes) -> bytes:
    for placeholder, version in _builds():
        line = line.replace(version, placeholder)
    return line


if __name__ == "__main__":
    for name in sys.argv[1:]:
        record(Path(name))

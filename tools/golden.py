"""``python -m tools.golden FILE…``: records again what a session answers to the host of golden transcripts.

The transcripts are not in ``make generated``, because the answers of a child are promised: review the
difference before you commit it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.protocol.transcripts import builds, fresh_session, load


def record(path: Path) -> None:
    """Write a transcript's host lines with the answers of a new session to them."""
    session = fresh_session()
    with_answers = []
    for line in load(path).said_by("host"):
        with_answers.append(("host", line))
        answers = b"".join(reply.data for reply in session.receive(line))
        with_answers += [("child", answer) for answer in answers.split(b"\n")[:-1]]
    path.write_text("".join(map(_entry, *zip(*with_answers, strict=True))), encoding="utf-8", newline="\n")


def _entry(sender: str, line: bytes) -> str:
    for placeholder, version in builds():
        line = line.replace(version, placeholder)
    text = line.removesuffix(b"\n").decode("utf-8", "surrogateescape")
    return json.dumps({"from": sender, "line": text}) + "\n"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        record(Path(name))

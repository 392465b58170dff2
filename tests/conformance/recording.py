"""What a check and a good child say to one another, as turns for mutants to look at."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from flowcage.conformance.check import Check
from flowcage.conformance.peer import ChildPeer
from flowcage.conformance.process import Program
from flowcage.host.process.launch import switches

from .broken.mutant import Mutant, Turn

ROOT = Path(__file__).parents[2]
# Without an environment, so that the child need not start over to leave one behind.
_BARE = ("env", "-i", "TZ=UTC0", f"PYTHONPATH={ROOT}", sys.executable)
GOOD_CHILD = (*_BARE, "-m", "flowcage.child", *switches.child_options())


def broken_child(identifier: str) -> tuple[str, ...]:
    """The command of the mutant for this check."""
    return (*_BARE, "-m", "tests.conformance.broken.child", identifier)


class _RecordedProgram(Program):
    sent = b""
    heard = b""

    def send(self, data: bytes) -> None:
        self.sent += data
        super().send(data)

    def read_line(self) -> bytes | None:
        line = super().read_line()
        self.heard += (line or b"") + b"\n"
        return line


class Recording:
    """One check's conversation.

    Attributes:
        turns: line by line.
        held: what stood after the last newline.
    """

    def __init__(self, check: Check[ChildPeer]) -> None:
        program = _RecordedProgram(GOOD_CHILD, 20.0)
        try:
            check.run(ChildPeer(program))
        finally:
            program.end()
        *lines, self.held = program.sent.split(b"\n")
        answers = program.heard.split(b"\n")[:-1]
        self.turns: list[Turn] = []
        for line in lines:
            answer = answers.pop(0) + b"\n" if answers and not _is_notification(line) else b""
            self.turns.append(Turn(line, answer, list(self.turns)))

    def is_touched_by(self, mutant: Mutant) -> bool:
        """Whether the mutant would do anything otherwise than a good child in this conversation."""
        return (
            mutant.breaks_lines is not None
            or any(mutant.before(turn.line) != turn.line for turn in self.turns)
            or any(mutant.after(turn) != turn.answer for turn in self.turns)
            or any(map(mutant.mutters, self.turns))
            or any(mutant.ends(self.turns, ended, self.held) != 0 for ended in (True, False))
        )


def _is_notification(line: bytes) -> bool:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(message, dict) and "method" in message and "id" not in message

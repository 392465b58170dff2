"""What a server learns of a peer's `initialize`, which it does not see.

Before any source can arrive the child leaves a note of what was asked for, on a pipe that is its stderr until
then. It is believed as far as it goes: its form is checked, and with isolation ``strict`` the kernel is asked
whether the cage is closed. Into the log go names that are known, and numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import trio

from flowcage.host.outcome.errors import RunError
from flowcage.host.process.proc_status import require_cage
from flowcage.protocol.terms import MAX_NOTE_BYTES, Note, Terms, parse_note


@dataclass(frozen=True)
class NewChild:
    """A child of a connection, whose peer it is for, and the pipe that its note comes from."""

    pid: int
    uid: int
    notes: trio.lowlevel.FdStream


async def closed_its_cage(child: NewChild, terms: Terms, tell: Callable[[str], None]) -> bool:
    """Wait for the note; whether the child may go on. Tell what its peer was refused, or why it may not.

    Nothing is told where it ended first: its exit status does.
    """
    line = await _first_line(child.notes)
    await child.notes.aclose()  # what it says from here on is the workflow's, and nobody's to read
    if not line:
        return False
    try:
        note = parse_note(line)
        if terms.isolation == "strict":
            require_cage(child.pid)
    except (ValueError, RunError) as error:
        said = line.decode("utf-8", "replace")
        tell(f"a child of a peer of uid {child.uid} is not believed: {error}; it said: {said}")
        return False
    if (refused := _refused(note, terms)) is not None:
        tell(f"a peer of uid {child.uid} {refused}")
    return True


async def _first_line(stream: trio.lowlevel.FdStream) -> bytes:
    """What comes up to the first newline, the end, or a bound."""
    line = b""
    while b"\n" not in line and len(line) < MAX_NOTE_BYTES:
        data = await stream.receive_some(MAX_NOTE_BYTES - len(line))
        if not data:
            break
        line += data
    return line.partition(b"\n")[0]


def _refused(note: Note, terms: Terms) -> str | None:
    """What a peer asked for and did not get; None where it got all."""
    ceilings = terms.ceilings.to_wire()
    refused = [f"{name} {asked}, lowered to {ceilings[name]}" for name, asked in note.lowered.items()]
    if note.isolation is not None:
        refused.insert(0, f"isolation {note.isolation}, raised to {terms.isolation}")
    return f"asked for {'; '.join(refused)}" if refused else None

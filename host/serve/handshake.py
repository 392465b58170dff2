"""The child's note about its peer's `initialize`, which the server does not see.

Before any source can arrive the child writes what was asked for to a pipe that is its stderr until then. The
form of the note is checked, and with isolation ``strict`` the kernel is asked whether the cage is closed.
Only known names and numbers are logged, since a peer chooses the rest.
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
    """A child of a connection.

    Attributes:
        pid: of the child.
        uid: of the peer's user.
        notes: the pipe from which the note comes.
    """

    pid: int
    uid: int
    notes: trio.lowlevel.FdStream


async def closed_its_cage(child: NewChild, terms: Terms, tell: Callable[[str], None]) -> bool:
    """Wait for the note, log what the peer was refused, and return whether the child may go on.

    A child that ends before its note is not logged here: its end is, if a signal caused it.
    """
    line = await _first_line(child.notes)
    await child.notes.aclose()  # stderr may be the workflow's from here on; with the pipe closed it is lost
    if not line:
        return False
    try:
        note = parse_note(line)
        if terms.isolation == "strict":
            require_cage(child.pid)
    except (ValueError, RunError) as error:
        said = line.decode("utf-8", "replace")
        tell(f"a child of a peer of uid {child.uid} was ended: {error}; its note: {said}")
        return False
    if (refused := _refused(note, terms)) is not None:
        tell(f"a peer of uid {child.uid} {refused}")
    return True


async def _first_line(stream: trio.lowlevel.FdStream) -> bytes:
    """The bytes up to the first newline, the end of the stream, or `MAX_NOTE_BYTES`."""
    line = b""
    while b"\n" not in line and len(line) < MAX_NOTE_BYTES:
        data = await stream.receive_some(MAX_NOTE_BYTES - len(line))
        if not data:
            break
        line += data
    return line.partition(b"\n")[0]


def _refused(note: Note, terms: Terms) -> str | None:
    """What a peer asked for and did not get, for the log; None if it got everything."""
    ceilings = terms.ceilings.to_wire()
    refused = [f"{name} {asked}, lowered to {ceilings[name]}" for name, asked in note.lowered.items()]
    if note.isolation is not None:
        refused.insert(0, f"isolation {note.isolation}, raised to {terms.isolation}")
    return f"asked for {'; '.join(refused)}" if refused else None

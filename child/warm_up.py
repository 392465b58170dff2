"""Before its first fork a zygote lives the life of a child, and builds the realm of its children.

Afterwards every module is imported, every lazy cache filled, and the bytecode adapted to what it is used for.
A child in its cage could not load a file
(`tests/process/test_zygote.py::test_a_child_finds_everything_loaded`), and what it computes by itself is on
pages of its own. So the life goes through all that a child's does (`life.run_session`), with the wire's
descriptors, a realm that was built before, and the messages that the host sends; only the cage is left out.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Callable, Iterator

from flowcage._hints import Any, TypeAlias
from flowcage._kept_modules import keep
from flowcage.child import gathering
from flowcage.child.cage import lockdown
from flowcage.child.cage.highwater import HighWater, open_high_water
from flowcage.child.life import run_session
from flowcage.child.sandbox.realm import Realm
from flowcage.child.session import Session
from flowcage.child.stdio import INCOMING, OUTGOING, STATUS
from flowcage.protocol import envelope
from flowcage.protocol.limits import Limits
from flowcage.protocol.version import PROTOCOL_VERSION

# It uses every kind of resolution and result that a small workflow does.
_SOURCE = """phase("warm"); log(args);
const words = await parallel([() => agent("a", { label: "a" }), () => agent("b")]);
for (let trips = 0; trips < 8; trips++) await agent("c");
return words.filter((word) => /[a-z]+/.test(word)).map((word) => ({ word }));"""
_BUDGET = {"total": None, "spent": 1}
_ANSWER = {"type": "ok", "value": "word", "budget": _BUDGET}
_RUN = {"source": _SOURCE, "sourceName": "workflow.js", "args": {"n": [1.5, "x", None]}, "budget": _BUDGET}
_FIRST = ("initialize", {"protocolVersion": PROTOCOL_VERSION, "isolation": "none"})
_Message: TypeAlias = tuple[str, dict[str, Any]]
_Watch: TypeAlias = Callable[[Callable[[], object]], object]
_LIFE: list[_Message] = [  # with some trips more: CPython 3.11 adapts what is called eight times
    ("run", _RUN),
    ("advance", {"turns": [[{"id": identifier, "resolution": _ANSWER}] for identifier in ("1", "2")]}),
    *(
        ("advance", {"turns": [[{"id": str(identifier), "resolution": _ANSWER}]]})
        for identifier in range(3, 11)
    ),
]
# The messages of a small run, as a host writes them.
_SHORT_LIFE: list[_Message] = [
    ("run", {"source": "export default await agent('a')", "describe": True, "budget": _BUDGET}),
    ("advance", {"turns": [[{"id": "1", "resolution": _ANSWER}]]}),
]
# CPython 3.11 adapts bytecode after eight uses, later versions after two.
_REHEARSALS = 10 if sys.version_info < (3, 12) else 4


def _do(work: Callable[[], object]) -> None:
    work()


def warm_up() -> Realm:
    """Live, and build the realm that every child begins with.

    Raises:
        RuntimeError: the workflow failed, so children would, too.
    """
    realm = Realm(Limits(), HighWater())
    replies = _live(realm, _LIFE)
    if b'"error"' in replies or replies.count(b"\n") != 1 + len(_LIFE):
        raise RuntimeError(f"the warm-up run failed: {replies[-500:]!r}")
    realm.close()
    realm = Realm(Limits(), HighWater())
    keep()
    gc.collect()
    gc.enable()
    gc.freeze()  # a collection in a child would write to, and so copy, the pages that all share
    return realm


def rehearse() -> Iterator[None]:
    """Gather the code that runs in each child, and adapt what runs once in a life.

    Yields:
        After each short life, between which the process may be forked.
    """
    addresses: set[int] = set()
    _live_shortly(lambda work: addresses.update(gathering.code_that_runs(work)))
    gathering.fill_holes()
    gathering.gather(addresses)
    for _ in range(_REHEARSALS):
        yield
        _live_shortly()


def _live_shortly(watch: _Watch = _do) -> None:
    realm = Realm(Limits(), HighWater())
    _live(realm, _SHORT_LIFE, watch)
    realm.close()
    gc.collect()


def _live(realm: Realm, messages: list[_Message], watch: _Watch = _do) -> bytes:
    """Everything that a session replies. The descriptors of a child are free before and afterwards.

    Args:
        realm: of the session.
        messages: what it is told behind `initialize`.
        watch: is given what a prepared child does, and does it.
    """
    lines = [envelope.request(number, *message) for number, message in enumerate(messages, 1)]
    replies = _open_wire(lines)
    first = envelope.request(0, *_FIRST)
    session = Session(lockdown.apply_nothing, open_high_water(), realm)
    answers = tuple(session.receive(first))
    watch(lambda: run_session(lambda: session, lambda _session: answers))
    for descriptor in (INCOMING, OUTGOING, STATUS):
        os.close(descriptor)
    with open(replies, "rb", buffering=0) as file:
        return file.readall()


def _open_wire(lines: list[bytes]) -> int:
    """Open the wire of a child that reads each line by itself; returns where to read its replies."""
    theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for line in lines:
        ours.send(line)
    ours.close()
    assert theirs.detach() == INCOMING
    reading, writing = os.pipe()
    replies = os.dup(reading)
    os.dup2(writing, OUTGOING)
    os.close(writing)
    return replies

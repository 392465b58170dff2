"""A session that begins behind `initialize`, as a forked child's does, answers as one that heard it."""

from __future__ import annotations

import pytest

from flowcage.child.cage.highwater import HighWater
from flowcage.child.cage.lockdown import apply_nothing
from flowcage.child.sandbox.realm import Realm
from flowcage.child.session import Session
from flowcage.protocol import envelope
from flowcage.protocol.limits import Limits
from flowcage.protocol.version import PROTOCOL_VERSION

LIMITS = Limits(max_pending_requests=1, max_message_bytes=2_000)
SOURCES = [
    "log('hello'); return 1;",
    "agent('a'); agent('b');",
    "return 'x'.repeat(5_000);",
    "export default await 1 +",
]


def answers(session: Session, source: str) -> bytes:
    lines = [
        envelope.request(2, "initialize", {"protocolVersion": PROTOCOL_VERSION}),
        envelope.request(3, "check", {"source": source}),
        envelope.request(4, "start", {"source": source}),
        envelope.request(5, "drain", {}),
        envelope.request(6, "drain", {"long": "x" * 3_000}),
        envelope.request(7, "shutdown", {}),
    ]
    return b"".join(reply.data for reply in session.receive(b"".join(lines)))


@pytest.mark.parametrize("source", SOURCES)
def test_it_answers_as_one_that_was_initialized(source: str) -> None:
    asked = {"protocolVersion": PROTOCOL_VERSION, "isolation": "none", "limits": LIMITS.to_wire()}
    told = Session(apply_nothing, HighWater())
    list(told.receive(envelope.request(1, "initialize", asked)))
    begun = Session.initialized(LIMITS, HighWater(), Realm(Limits(), HighWater()), PROTOCOL_VERSION)
    assert answers(begun, source) == answers(told, source)

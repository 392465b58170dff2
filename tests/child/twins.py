"""Two sessions in this process that hear the same bytes; one may take the short cut, one may not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeVar

from flowcage.child.cage.highwater import HighWater
from flowcage.child.cage.lockdown import apply_nothing
from flowcage.child.sandbox.realm import Realm
from flowcage.child.session import Session
from flowcage.protocol import envelope
from flowcage.protocol.limits import Limits
from flowcage.protocol.version import PROTOCOL_VERSION

_S = TypeVar("_S", bound=Session)


def answers(session: Session, pieces: Iterable[bytes]) -> bytes:
    """What a session answers to what it reads."""
    return b"".join(reply.data for piece in pieces for reply in session.receive(piece))


class Usual(Session):
    """A session that takes the usual way."""

    takes_short_cuts = False


class Watched(Session):
    """A session that counts the lines that have taken the short cut.

    Attributes:
        short: how many have.
    """

    short = 0

    def _short_reply(self, data: bytes) -> Any:
        reply = super()._short_reply(data)
        self.short += reply is not None
        return reply


DEFAULTS = Limits()


def _session(kind: type[_S], limits: Limits, fresh: bool) -> _S:
    if fresh:
        return kind(apply_nothing, HighWater())
    return kind.initialized(limits, HighWater(), Realm(Limits(), HighWater()), PROTOCOL_VERSION)


class Twins:
    """The two sessions. Every answer is asserted to be the same, to the last byte.

    Args:
        limits: the effective limits of both.
        fresh: whether both stand before `initialize`.
    """

    def __init__(self, limits: Limits = DEFAULTS, *, fresh: bool = False) -> None:
        self.short: Watched = _session(Watched, limits, fresh)
        self._usual: Usual = _session(Usual, limits, fresh)

    def hear(self, *pieces: bytes) -> list[dict[str, Any]]:
        """Let both read the same pieces. Returns their replies."""
        one, other = answers(self.short, pieces), answers(self._usual, pieces)
        assert one == other, pieces
        return [json.loads(line) for line in one.splitlines()]

    def ask(self, method: str, params: Any, identifier: Any = 7) -> dict[str, Any]:
        """Let both read one request, as a host writes it. Returns their reply."""
        (reply,) = self.hear(envelope.request(identifier, method, params))
        return reply

    def run(self, source: str, **params: Any) -> dict[str, Any]:
        """Run a workflow."""
        return self.ask("run", {"source": source, **params})

    def advance(self, *answers: tuple[str, Any]) -> dict[str, Any]:
        """Answer requests with resolutions."""
        turn = [{"id": identifier, "resolution": resolution} for identifier, resolution in answers]
        return self.ask("advance", {"turns": [turn]})

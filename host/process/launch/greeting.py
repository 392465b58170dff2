"""The first message to a child, and what must hold before it is given any source.

A child that is started for a run is greeted by the run (`Child.initialize`); a spare is greeted in advance,
by the reserve. Both use what is here: the answer must agree with what was asked for, and with strict
isolation the kernel must confirm the cage.

An inspection stays true. After it the child cannot undo what was read: no_new_privs is never cleared, a
filter never removed (prctl(2), seccomp(2)), no capability gained without execve(2), and clone(2), which makes
threads and processes, is what the filter refuses. And what was read was the child's own state, not that of
another
process with its pid: the pidfd is opened before, and only this program reaps the child. So a spare may wait
for its run any time after the inspection; it has received no source until then.
"""

from __future__ import annotations

import sys

from flowcage.host.outcome.errors import ProtocolViolation, RunRefused
from flowcage.host.process.proc_status import require_cage
from flowcage.host.process.replies import Replies
from flowcage.protocol import errors
from flowcage.protocol.connection import HostConnection
from flowcage.protocol.envelope import Failure, Result
from flowcage.protocol.errors import RemoteProtocolError
from flowcage.protocol.layers import missing_layers
from flowcage.protocol.limits import NO_LIMITS, TABLE, Limits, unknown_to_child
from flowcage.protocol.messages import Initialize, Initialized, Isolation, Peer
from flowcage.protocol.version import PACKAGE_VERSION, PROTOCOL_VERSION, newest_common

_CLIENT = Peer("flowcage-host", PACKAGE_VERSION)


def initialize_message(
    limits: Limits, isolation: Isolation | None, version: str = PROTOCOL_VERSION, *, reads: bool = False
) -> Initialize:
    """The first message to a child; spares are sent the same one in advance.

    Args:
        limits: of the run.
        isolation: None for the default of the child, which is strict on Linux.
        version: of the protocol.
        reads: whether `Check` will be asked for more than `meta`. A spare was not told, and tells nothing.
    """
    return Initialize(version, _CLIENT, limits, isolation, reads)


def is_strict(asked: Initialize) -> bool:
    """Whether the kernel is to confirm the cage."""
    return asked.isolation == "strict" or (asked.isolation is None and sys.platform == "linux")


def to_lower(held: Initialize, asked: Initialize) -> Limits | None:
    """The limits that a child which was told one first message must lower for a run with another one.

    Returns:
        What `run` carries, 0 where nothing is to be lowered; None where the child does not suit the run.
    """
    asked = asked._replace(reads=held.reads)
    if held == asked:
        return NO_LIMITS
    if held._replace(limits=asked.limits) != asked:
        return None
    lower = {name: new for name, new in asked.limits._asdict().items() if new != getattr(held.limits, name)}
    if all(TABLE[name].can_be_lowered and new < getattr(held.limits, name) for name, new in lower.items()):
        return NO_LIMITS._replace(**lower)
    return None


def older_version(refused: RunRefused) -> str | None:
    """The newest protocol version that both sides support, where the child refused this host's newest."""
    return newest_common(refused.data["supported"]) if refused.kind == errors.PROTOCOL_VERSION else None


def require_agreed(asked: Initialize, told: Initialized) -> None:
    """Check that a child holds to what it was asked for.

    Raises:
        RunRefused: it does not know a limit that was set.
        ProtocolViolation: it reports what no correct child can.
    """
    if missing := unknown_to_child(asked.limits, told.limits):
        raise RunRefused(
            f"the child does not know the limit {', '.join(missing)} and would not hold the run to it; "
            "use a newer child, or leave it at its default"
        )
    if told.max_message_bytes > asked.limits.max_message_bytes:
        raise ProtocolViolation(
            f"the child reports maxMessageBytes {told.max_message_bytes}, more than the "
            f"{asked.limits.max_message_bytes} that were set"
        )
    if is_strict(asked) and (missing := missing_layers(told.isolation)):
        raise ProtocolViolation(f"the child started without strict isolation: {', '.join(missing)}")


def can_lower(told: Initialized) -> bool:
    """Whether a child has `run`, which lowers limits once the cage is closed."""
    return "run" in told.methods


class Greeting:
    """One first message, sent to child after child, and the answer to it.

    Children of one zygote give the same answer to the same message, so an answer is compared with the one
    before, and decoded where it differs.

    Attributes:
        message: the first message.
        line: the same, encoded.
    """

    def __init__(self, message: Initialize) -> None:
        self.message = message
        self.line = HostConnection().send(message)
        self._known: tuple[bytes, Initialized] | None = None

    @property
    def can_lower(self) -> bool | None:
        """Whether children that are told this can lower limits; None until one has answered."""
        return None if self._known is None else can_lower(self._known[1])

    def judge(self, pid: int, said: bytes) -> Initialized:
        """What a child has answered, which agrees with what it was asked for; its cage is confirmed.

        Args:
            pid: of the child.
            said: all that it has sent.

        Raises:
            RunError: it does not hold to the contract or to what it was asked for, or has no cage.
        """
        initialized = self._initialized(said)
        if is_strict(self.message):
            require_cage(pid)
        return initialized

    def _initialized(self, said: bytes) -> Initialized:
        if self._known is None or self._known[0] != said:
            initialized = _decoded(self.message, said)
            require_agreed(self.message, initialized)
            self._known = said, initialized
        return self._known[1]


def _decoded(message: Initialize, said: bytes) -> Initialized:
    if not said.endswith(b"\n") or b"\n" in said[:-1]:
        raise ProtocolViolation("the child's answer to initialize is not one line")
    connection, replies = HostConnection(), Replies()
    connection.send(message)
    replies.expect(message)
    connection.receive_data(said)
    try:
        reply = connection.next_event()
    except RemoteProtocolError as error:
        raise ProtocolViolation(str(error)) from error
    assert isinstance(reply, Result | Failure)
    initialized = replies.take(reply)
    assert isinstance(initialized, Initialized)
    return initialized

"""Children that are forked for one `initialize` line: the answer to it is made once, by a trial child.

The host gives the line with the fork request, and gives the same one again and again: it depends on the
limits only. The first children go the long way: they decode the line, close their cage, and word what holds.
`Lines` notes what was asked for. In idle time it forks a *trial child*, which goes the long way, too. From
the limits and layers in its reply comes the plan (`cage.plan`) by which later children close their cage. A
session in the zygote, which is told the same limits and layers, answers the line: each later child goes on
with a copy of that session, and writes its reply. A second trial child shows that the plan can be carried
out: an older kernel may lack a call in whose place the long way has found another one.

The reply is true of each child: the same calls had the same results. One detail names a process, the one that
the child dies with: trial children die with the zygote, so this detail is worded anew.

What has no plan goes the long way for ever: a line that is refused, an isolation other than strict, a machine
where a layer is missing that strict isolation requires, an architecture without a filter.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from functools import partial

from flowcage._hints import NamedTuple, NoReturn
from flowcage.child.cage import lockdown, process
from flowcage.child.cage.plan import Plan
from flowcage.child.life import run_session
from flowcage.child.session import CloseCage, Reply, Session
from flowcage.child.stdio import INCOMING, OUTGOING, STATUS, move_descriptors
from flowcage.protocol import decode, envelope
from flowcage.protocol.envelope import Result
from flowcage.protocol.errors import ErrorReply, RemoteProtocolError
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import Initialized, Isolation, Layer

# As many as a host keeps spares for (host/process/launch/reserve.py).
_MOST_LINES = 2


class Prepared(NamedTuple):
    """A child that only has to be forked.

    Attributes:
        plan: closes its cage.
        session: has answered the line.
        reply: that answer.
    """

    plan: Plan
    session: Session
    reply: Reply

    def live(self) -> NoReturn:
        """The life of a child that was forked."""
        move_descriptors()
        self.plan.carry_out()
        os._exit(run_session(lambda: self.session, lambda _session: (self.reply,)))


class Lines:
    """The lines that were given with the last fork requests, and what was prepared for them.

    Args:
        new_session: builds the session of a child that will be forked, with what closes its cage.
        live: the life of a child that was forked and goes the long way. It is told the process
            that it dies with, and the line.
        parent: id of the host.
    """

    def __init__(
        self,
        new_session: Callable[[CloseCage], Session],
        live: Callable[[int, bytes], NoReturn],
        parent: int,
    ) -> None:
        self._new_session = new_session
        self._live = live
        self._parent = parent
        # The one that was used last comes last; None for a line that has no plan.
        self._known: dict[bytes, Prepared | None] = {}
        self._last = self._wanted = b""

    def find(self, line: bytes) -> Prepared | None:
        """What is prepared for a line. One that comes twice is noted for `learn`: others may never return."""
        if line not in self._known:
            if line == self._last:
                self._wanted = line
            self._last = line
            return None
        self._known[line] = found = self._known.pop(line)
        return found

    def learn(self) -> bool:
        """Prepare for the line that was noted, if there is one. It takes as long as three forks."""
        if not (line := self._wanted):
            return False
        self._wanted = b""
        if len(self._known) == _MOST_LINES:
            del self._known[next(iter(self._known))]
        self._known[line] = self._prepare(line)
        gc.freeze()
        return True

    def _prepare(self, line: bytes) -> Prepared | None:
        zygote = os.getpid()
        try:
            told = _result(_ask_trial_child(partial(self._live, zygote, line)))
            of_the_trial = self._prepared(line, told, zygote)
            if _ask_trial_child(of_the_trial.live) != of_the_trial.reply.data:
                return None
            prepared = self._prepared(line, told, self._parent)
        except (OSError, ValueError, ErrorReply, RemoteProtocolError):
            return None
        prepared.plan.rehearse()
        return prepared

    def _prepared(self, line: bytes, told: Initialized, parent: int) -> Prepared:
        """What is prepared for children that die with `parent`."""
        layers = told.isolation | {"parent_death": process.dies_with(parent)}
        session = self._new_session(partial(_report, told.limits, layers))
        (reply,) = session.receive(line)
        return Prepared(lockdown.plan(told.limits, layers, parent), session, reply)


def _ask_trial_child(live: Callable[[], NoReturn]) -> bytes:
    """What a child of this process answers; empty where it does not end with status 0.

    A pipe gets the two lowest numbers, which are those of the wire. The child has nothing to read, and what
    it writes to stderr is in the answer, too.

    Raises:
        OSError: no process or descriptor is left.
    """
    reading, writing = os.pipe()
    assert (reading, writing) == (INCOMING, OUTGOING)
    try:
        pid = os.fork()
    except OSError:
        os.closerange(INCOMING, STATUS)  # a request's descriptors must get these numbers
        raise
    if pid == 0:
        os.dup2(0, INCOMING)
        os.dup2(OUTGOING, STATUS)
        os.dup2(OUTGOING, 2)  # it is the zygote's socket
        live()
    os.close(writing)
    with open(reading, "rb", buffering=0) as file:
        reply = file.readall()
    _, status = os.waitpid(pid, 0)
    return reply if status == 0 else b""


def _result(reply: bytes) -> Initialized:
    """What the trial child has answered.

    Raises:
        ValueError, ErrorReply, RemoteProtocolError: no result, or not that of `initialize`.
    """
    answer = envelope.parse_reply(reply)
    if not isinstance(answer, Result):
        raise ValueError(answer)
    return decode.initialized(answer.result)


def _report(
    limits: Limits, layers: dict[str, Layer], _asked: Limits, isolation: Isolation | None
) -> tuple[Limits, dict[str, Layer]]:
    """What `lockdown.enter` returns in a child whose cage is the prepared one.

    Raises:
        ValueError: other than strict isolation was asked for.
    """
    if isolation not in (None, "strict"):
        raise ValueError(isolation)
    return limits, layers

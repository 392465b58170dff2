"""Options of an ``agent()`` call: its attempts, backoff, timeout and session, and those that are text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from flowcage.host.run.core.inputs import Answered, Facts, Reused
from flowcage.protocol.messages import AgentRequest, Json, Missing, Request

MAX_ATTEMPTS = 10
# Of one run; with more, the oldest is forgotten.
MAX_SESSIONS = 10_000
# Characters of a session's name.
MAX_SESSION_NAME = 1_000

_WITHOUT_SESSION = "agent:none:"
_HOW = "agent(prompt, {handle: true}) resolves to {value, handle}"


@dataclass(frozen=True)
class Terms:
    """The terms of one ``agent()`` call.

    Attributes:
        max_attempts: the first one included.
        backoff_ms: wait before the second attempt; twice that before the third, and so on.
        timeout_ms: of one attempt.
        max_wait_ms: the longest backoff.
        session: that the agent goes on with.
    """

    max_attempts: int = 1
    backoff_ms: float = 0.0
    timeout_ms: float = math.inf
    max_wait_ms: float = math.inf
    session: str | None = None

    def backoff_seconds(self, attempt: int) -> float:
        """Seconds between an attempt, counted from 1, and the next one."""
        return min(self.backoff_ms * 2.0 ** (attempt - 1), self.max_wait_ms) / 1000


NO_TERMS = Terms()


def terms_of(options: Mapping[str, Json], max_wait_ms: int, sessions: Sessions | None = None) -> Terms:
    """Read the terms from a call's options; a member that is absent or null has its default.

    Args:
        options: of the ``agent()`` call, unchecked.
        max_wait_ms: the longest backoff and timeout, the run's limit ``maxSleepMs``.
        sessions: of the run, where it has any.

    Raises:
        ValueError: a member has a value that it cannot have; the message names it.
    """
    retry = options.get("retry")
    if retry is None:
        retry = {}
    if not isinstance(retry, dict):
        raise ValueError("options.retry must be an object, such as {maxAttempts: 3, backoffMs: 1000}")
    if unknown := [name for name in retry if name not in ("maxAttempts", "backoffMs")]:
        raise ValueError(
            f"options.retry has no member {unknown[0][:40]!r}; it may have maxAttempts and backoffMs"
        )
    attempts = _number(retry, "maxAttempts", "options.retry.", 1, MAX_ATTEMPTS, default=1)
    if attempts != int(attempts):
        raise ValueError(f"options.retry.maxAttempts must be a whole number, not {attempts}")
    backoff = _number(retry, "backoffMs", "options.retry.", 0, max_wait_ms, default=0)
    timeout = _number(options, "timeoutMs", "options.", 1, max_wait_ms, default=math.inf)
    session = None if sessions is None else sessions.of(options)
    return Terms(int(attempts), backoff, timeout, max_wait_ms, session)


def _number(
    members: Mapping[str, Json], name: str, where: str, least: int, most: int, *, default: float
) -> float:
    value = members.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        shown = repr(value) if isinstance(value, int | float) else f"a {type(value).__name__}"
        raise ValueError(f"{where}{name} must be a number from {least} to {most}, not {shown[:40]}")
    return value


def text_of(options: Mapping[str, Json], name: str) -> str | None:
    """An option that is text; None for any other."""
    value = options.get(name)
    return value if isinstance(value, str) else None


@dataclass(slots=True)
class Sessions:
    """Conversations of one run and its child workflows: handles, and the sessions that they stand for.

    The host makes up a handle for each answer and keeps it beside the answer, as a fact. So a handle is worth
    nothing in a run that was not given that answer, and a run that reuses the answer has the same handle:
    whatever is made of it, such as a prompt or the args of a child workflow, is the same as well, and what
    goes on with an answer that is new differs from what went on with the old one.
    """

    _known: dict[str, str] = field(default_factory=dict)

    def value_of(self, identifier: str, request: Request, answer: Answered | Reused) -> Json | Missing:
        """What the workflow gets for an answer: with ``{handle: true}`` the value and its handle.

        Args:
            identifier: of the request in the tree.
            request: that was answered.
            answer: that it has.
        """
        if not hands_out(request):
            return answer.value
        handle, facts = answer.facts.get("handle"), answer.facts
        if not isinstance(handle, str) or not self._keep(handle, facts.get("session_id")):
            handle = f"{_WITHOUT_SESSION}{identifier}"
        return {"value": answer.value, "handle": handle}

    def take_over(self, facts: Facts) -> None:
        """Know the sessions of a child workflow whose result another run has had: it may hold handles."""
        sessions = facts.get("sessions")
        for handle, name in sessions.items() if isinstance(sessions, dict) else ():
            self._keep(handle, name)

    def of(self, options: Mapping[str, Json]) -> str | None:
        """The session that a call with these options goes on with; None for a new one.

        Raises:
            ValueError: ``options.handle`` or ``options.continue`` has a value that it cannot have.
        """
        if (wanted := options.get("handle")) is not None and not isinstance(wanted, bool):
            raise ValueError("options.handle must be true or false")
        if (handle := options.get("continue")) is None:
            return None
        if not isinstance(handle, str):
            raise ValueError(f"options.continue must be a handle, which is text; {_HOW}")
        if handle.startswith(_WITHOUT_SESSION):
            raise ValueError(
                f"options.continue: agent call {handle.removeprefix(_WITHOUT_SESSION)[:40]} cannot be "
                "continued, because its answer came without a session; choose an agent that has sessions"
            )
        if (session := self._known.get(handle)) is None:
            raise ValueError(
                f"options.continue: this run knows no answer with the handle {handle[:40]!r}; {_HOW}"
            )
        return session

    def _keep(self, handle: str, name: Json) -> bool:
        if not isinstance(name, str) or not 0 < len(name) <= MAX_SESSION_NAME:
            return False
        if len(self._known) >= MAX_SESSIONS:
            del self._known[next(iter(self._known))]
        self._known[handle] = name
        return True


def hands_out(request: Request) -> bool:
    """Whether the workflow asks for the handle of the answer."""
    options = request.options if isinstance(request, AgentRequest) else None
    return isinstance(options, dict) and options.get("handle") is True

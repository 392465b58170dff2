"""Conversations that calls go on with: the handles that a workflow has, and the sessions that they stand for.

The host makes up a handle for each answer and keeps it beside the answer, as a fact. So a handle is worth
nothing in a run that was not given that answer, and a run that reuses the answer has the same handle:
whatever is made of it, such as a prompt or the args of a child workflow, is the same as well, and what goes
on with an answer that is new differs from what went on with the old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowcage.host.run.core.inputs import Answered, Facts, Reused
from flowcage.protocol.messages import AgentRequest, Json, Missing, Request

# Of one run; with more, the oldest is forgotten.
MAX_SESSIONS = 10_000
# Characters of a session's name.
MAX_SESSION_NAME = 1_000

_WITHOUT_SESSION = "agent:none:"


@dataclass(slots=True)
class Sessions:
    """Those of one run with its child workflows."""

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


_HOW = "agent(prompt, {handle: true}) resolves to {value, handle}"


def hands_out(request: Request) -> bool:
    """Whether the workflow asks for the handle of the answer."""
    options = request.options if isinstance(request, AgentRequest) else None
    return isinstance(options, dict) and options.get("handle") is True

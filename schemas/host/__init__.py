"""The schemas of the host protocol, one for each message, and who sends which."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Method(NamedTuple):
    """A message of the host protocol.

    Attributes:
        sender: who sends it.
        is_answered: whether it is a request; otherwise it is a notification, and has no schema of a result.
    """

    sender: Literal["client", "host"]
    is_answered: bool = True


METHODS = {
    "initialize": Method("client"),
    "run.start": Method("client"),
    "run.wait": Method("client"),
    "run.get": Method("client"),
    "run.list": Method("client"),
    "run.cancel": Method("client"),
    "run.attach": Method("client"),
    "run.resume": Method("client"),
    "run.answer": Method("client"),
    "run.reject": Method("client"),
    "check": Method("client"),
    "agent.remember": Method("client"),
    "shutdown": Method("client"),
    "agent.progress": Method("client", is_answered=False),
    "agent.ask": Method("host"),
    "workflow.get": Method("host"),
    "sandbox.exec": Method("host"),
    "question.ask": Method("host"),
    "request.cancelled": Method("host", is_answered=False),
    "run.event": Method("host", is_answered=False),
}

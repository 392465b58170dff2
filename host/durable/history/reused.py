"""The forms of what a run has of another one: which of its requests are known, and their answers."""

from __future__ import annotations

from collections.abc import Mapping

from flowcage.host.durable.history.forms import Object
from flowcage.host.run.core.inputs import NO_FACTS, NOTHING_KNOWN, Reused, Spent
from flowcage.protocol.members import Members
from flowcage.protocol.messages import MISSING, Missing


def reused_form(given: Reused) -> Object:
    """As JSON, without what it cost and its facts."""
    form: Object = {"id": given.id, "run": given.run, "request": given.request}
    if not isinstance(given.value, Missing):
        form["value"] = given.value
    if given.replaced:
        form["replaced"] = True
    return form if given.agents == 1 else form | {"agents": given.agents}


def read_reused(it: Members, spent: Spent) -> Reused:
    """The input again. Raises `ErrorReply`."""
    facts = it.object("facts")
    return Reused(
        it.string("id"),
        it.required("value") if "value" in it else MISSING,
        it.string("run"),
        it.string("request"),
        it.boolean("replaced") if "replaced" in it else False,
        spent,
        it.integer("agents", 0, 2**53) if "agents" in it else 1,
        NO_FACTS if facts is None else dict(facts.items()),
    )


def read_known(it: Members | None) -> Mapping[str, str]:
    """`Said.known` again. Raises `ErrorReply`."""
    return NOTHING_KNOWN if it is None else {name: it.string(name) for name, _ in it.items()}

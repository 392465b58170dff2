"""What a call is made of, as far as its answer depends on it, and the key that follows from that.

Two calls with one key may have one answer: the same prompt, the same agent and the same options, with what
`meta.phases` fills in. How it is named, retried and timed does not count, nor do options that are null. So a
model that is changed, there or in the call, is a miss; a new label is none.

Keys are keyed hashes of digests, so a run whose prompts were withheld has the keys of one that kept them, if
the digests were made with the same key.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from flowcage.host.durable.history.digests import digest
from flowcage.host.durable.history.forms import Withheld
from flowcage.protocol.messages import (
    MISSING,
    AgentRequest,
    AskRequest,
    Json,
    Request,
    SandboxExecRequest,
    SleepRequest,
    WorkflowRequest,
)

VERSION = 1  # of the keys
_OF_NO_EFFECT = frozenset({"label", "phase", "retry", "timeoutMs", "handle"})


class Known(NamedTuple):
    """What a host knows about calls that is not in them.

    Attributes:
        agent: identity of who answers ``agent()``; another model behind one name needs another.
        phases: options that a phase fills in, by its name, of each workflow by its path.
        sources: hash of the source of a child workflow, by the id of the request that asked for it.
        programs: whether `exec` counts; what it did to files is not done again.
    """

    agent: str = ""
    phases: Mapping[str, Mapping[str, Mapping[str, Json]]] = MappingProxyType({})
    sources: Mapping[str, str] = MappingProxyType({})
    programs: bool = False


class Content(NamedTuple):
    """What counts of a call, by the names that a person would look for."""

    kind: str
    fields: Mapping[str, Json]


def content_of(request: Request, identifier: str, known: Known) -> Content | None:
    """What counts of a call; None where its answer is never reused."""
    match request:
        case AgentRequest(_, prompt, options):
            given = {} if options is MISSING or not isinstance(options, dict) else options
            phases = known.phases.get(identifier.rpartition("/")[0], {})
            named = {f"options.{name}": value for name, value in _effective(given, phases).items()}
            return Content("agent", {"agent": known.agent, "prompt": prompt, **named})
        case AskRequest(_, question, schema, choices):
            asked = {"question": question, "schema": schema, "options": choices}
            return Content("ask", {name: each for name, each in asked.items() if each is not MISSING})
        case SleepRequest(_, duration_ms):
            return Content("sleep", {"durationMs": duration_ms})
        case WorkflowRequest(_, _, args) if (source := known.sources.get(identifier)) is not None:
            return Content("workflow", {"source": source, "args": None if args is MISSING else args})
        case SandboxExecRequest(_, profile, program) if known.programs:
            command = program.get("command")
            what = command if isinstance(command, Withheld) else program
            return Content("sandbox_exec", {"profile": profile, "request": what})
        case AskRequest(_, question, schema, choices):
            named = {"schema": schema, "choices": choices}
            given = {name: value for name, value in named.items() if value is not MISSING}
            return Content("ask", {"question": question, **given})
    return None


def key_of(content: Content, key: bytes) -> str:
    """The key: equal for calls that may have one answer.

    Args:
        content: what counts.
        key: of the run whose answers are reused, `RunRecord.digest_key`.
    """
    fields = {
        name: value.digest if isinstance(value, Withheld) else digest(key, value)
        for name, value in content.fields.items()
    }
    return digest(key, {"v": VERSION, "kind": content.kind, "fields": fields})


def _effective(options: Mapping[str, Json], phases: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
    phase = options.get("phase")
    filled = {**phases.get(phase, {}), **options} if isinstance(phase, str) else options
    return {
        name: value
        for name, value in filled.items()
        if name not in _OF_NO_EFFECT and value is not None and value is not MISSING
    }

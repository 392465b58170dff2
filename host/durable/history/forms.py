"""The parts of a reply as JSON: requests and calls, read back as strictly as they were written.

They have the form of the wire, with two additions. A request of a type that this host does not know keeps a
form of its own (``{"unknown": …}``), or a later host would take it for one that it knows. What is not to be
stored is a `Withheld`, and stands in the member ``withheld`` with its digest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, assert_never

from flowcage.protocol import decode
from flowcage.protocol.members import Members
from flowcage.protocol.messages import (
    MISSING,
    AgentRequest,
    AskRequest,
    Call,
    Json,
    Log,
    Phase,
    Request,
    SandboxExecRequest,
    SleepRequest,
    UnknownRequest,
    WorkflowRequest,
)

Object: TypeAlias = dict[str, Json]
# What is stored of a request in its place; `Withheld` parts are told by their digest.
Redaction: TypeAlias = Callable[[Request, Callable[[Json], str]], Request]

SCHEMA = "entry"  # by which `Members` names what it reads
_MEMBERS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "agent": frozenset({"type", "id", "prompt", "options", "withheld"}),
        "workflow": frozenset({"type", "id", "ref", "args", "withheld"}),
        "sleep": frozenset({"type", "id", "durationMs"}),
        "sandbox_exec": frozenset({"type", "id", "profile", "request", "withheld"}),
        "ask": frozenset({"type", "id", "question", "schema", "choices", "label", "withheld"}),
    }
)


class Withheld(str):
    """Stands for a text or value that is not stored.

    Attributes:
        digest: of what was there.
    """

    __slots__ = ("digest",)
    digest: str

    def __new__(cls, digest: str) -> Withheld:
        made = super().__new__(cls, "[not stored]")
        made.digest = digest
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Withheld) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def withhold_prompts(request: Request, digest: Callable[[Json], str]) -> Request:
    """A `Redaction` that stores digests in place of prompts, questions, args, and programs.

    Options stay: caps, retries and phases follow from them when a run is folded again.
    """
    match request:
        case AskRequest():
            return request._replace(question=Withheld(digest(request.question)))
        case AgentRequest():
            return request._replace(prompt=Withheld(digest(request.prompt)))
        case WorkflowRequest() if request.args is not MISSING:
            return request._replace(args=Withheld(digest(request.args)))
        case SandboxExecRequest():
            return request._replace(request={"command": Withheld(digest(request.request))})
    return request


def request_form(request: Request) -> Object:
    """A request as JSON."""
    match request:
        case AgentRequest(identifier, prompt, options):
            form: Object = {"type": "agent", "id": identifier}
            _put(form, "prompt", prompt)
            return form if options is MISSING else form | {"options": options}
        case WorkflowRequest(identifier, ref, args):
            form = {"type": "workflow", "id": identifier, "ref": ref}
            _put(form, "args", args)
            return form
        case SleepRequest(identifier, duration_ms):
            return {"type": "sleep", "id": identifier, "durationMs": duration_ms}
        case SandboxExecRequest(identifier, profile, program):
            form = {"type": "sandbox_exec", "id": identifier, "profile": profile}
            command = program.get("command")
            _put(form, "request", command if isinstance(command, Withheld) else program)
            return form
        case AskRequest(identifier, question, schema, choices, label):
            form = {"type": "ask", "id": identifier}
            _put(form, "question", question)
            for name, value in (("schema", schema), ("choices", choices), ("label", label)):
                _put(form, name, value)
            return form
        case UnknownRequest(identifier, kind):
            return {"unknown": kind, "id": identifier}
        case _:
            assert_never(request)


def _put(form: Object, name: str, value: Any) -> None:
    if isinstance(value, Withheld):
        form["withheld"] = {name: value.digest}
    elif value is not MISSING:
        form[name] = value


def request_of(members: Members) -> Request:
    """The request that has this form.

    Raises:
        ErrorReply: it is no form of a request.
    """
    if "unknown" in members:
        only(members, {"unknown", "id"})
        return UnknownRequest(members.string("id", minimum=1), members.string("unknown"))
    kind = members.choice("type", tuple(_MEMBERS))
    only(members, _MEMBERS[kind])
    withheld = members.object("withheld") if "withheld" in members else None
    return decode.request(members) if withheld is None else _redacted(kind, members, withheld)


def _redacted(kind: str, members: Members, withheld: Members) -> Request:
    identifier = members.string("id", minimum=1)
    if kind == "agent":
        only(withheld, {"prompt"})
        return AgentRequest(identifier, Withheld(withheld.string("prompt")), members.mapping("options"))
    if kind == "ask":
        only(withheld, {"question"})
        return decode.ask(identifier, members, Withheld(withheld.string("question")))
    if kind == "workflow":
        only(withheld, {"args"})
        bare = decode.request(members)
        assert isinstance(bare, WorkflowRequest)
        return bare._replace(args=Withheld(withheld.string("args")))
    only(withheld, {"request"})
    program: Object = {"command": Withheld(withheld.string("request"))}
    return SandboxExecRequest(identifier, members.string("profile"), program)


def call_form(call: Call) -> Object:
    """A call as JSON."""
    match call:
        case Log(values):
            return {"type": "log", "values": values}
        case Phase(name, options):
            form: Object = {"type": "phase", "name": name}
            return form if options is MISSING else form | {"options": options}
        case _:
            assert_never(call)


def call_of(members: Members) -> Call:
    """The call that has this form.

    Raises:
        ErrorReply: it is no form of a call.
    """
    only(members, {"type", "values"} if members.any("type") == "log" else {"type", "name", "options"})
    return decode.call(members)


def only(members: Members, known: frozenset[str] | set[str]) -> None:
    """Refuse a member that this version does not write: what it means would be lost.

    Raises:
        ErrorReply: there is one.
    """
    for name in sorted(members.names - known):
        raise members.error(members.at(name), "is no member of this version's entries")

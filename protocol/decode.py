"""From JSON to messages. A value that is not in the contract raises `ErrorReply`, with a JSON Pointer to it.

The rules are those of the published schemas, as code, because an import of jsonschema takes longer than all
of a child's start. `tests/protocol/test_schema_parity.py` holds the two equal, by generated and by damaged
values. On purpose `result` accepts more: requests of unknown types, which a later 1.x child may send.

Unknown members are ignored. An absent member of any JSON is `MISSING`, because null is a value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowcage.protocol.errors import METHOD_NOT_FOUND, ErrorReply
from flowcage.protocol.limits import FIELD_NAMES, MAX_LIMIT, NO_LIMITS, REQUIRED_WIRE_NAMES, Limits
from flowcage.protocol.members import Members
from flowcage.protocol.messages import (
    DIALECTS,
    ISOLATIONS,
    METHODS,
    MISSING,
    AgentRequest,
    Budget,
    Call,
    Check,
    Checked,
    Drain,
    Drained,
    Initialize,
    Initialized,
    Layer,
    Log,
    Message,
    Ok,
    OkUndefined,
    Peer,
    Phase,
    Poll,
    Rejected,
    Request,
    Resolution,
    Resolve,
    SandboxExecRequest,
    Shutdown,
    SleepRequest,
    Start,
    Started,
    Take,
    UnknownRequest,
    WorkflowRequest,
)


def message(method: str, params: Any) -> Message:
    """Build the message of a request.

    Raises:
        ErrorReply: ``method_not_found`` or ``invalid_params``.
    """
    if method not in METHODS:
        raise ErrorReply(METHOD_NOT_FOUND, f"there is no method {method[:80]!r}")
    members = Members(params, f"{method}.params")
    if method == "initialize":
        return _initialize(members)
    if method == "start":
        return _start(members)
    if method == "check":
        return Check(*_source(members))
    if method == "resolve":
        return Resolve(members.string("id"), _resolution(_nested(members, "resolution")))
    return _BARE[method]()


def result(method: str, value: Any) -> Any:
    """Build the result of a method: `Initialized`, `Started`, `Checked`, `Drained`, or an empty object.

    It accepts what the published schema allows, and requests of unknown types, which become `UnknownRequest`
    behind the other requests of their drain.

    Raises:
        ErrorReply: ``invalid_params``, for a result that is not in the contract.
    """
    if method == "drain":
        known, unknown = split_unknown_requests(value)
        answer = drained(known)
        return answer._replace(requests=[*answer.requests, *unknown]) if unknown else answer
    if method in _RESULTS:
        return _RESULTS[method](value)
    Members(value, f"{method}.result")
    return value


def initialized(result: Any) -> Initialized:
    """Build the result of `initialize`."""
    members = Members(result, "initialize.result")
    layers = _nested(members, "isolation")
    return Initialized(
        members.string("protocolVersion"),
        _peer(_nested(members, "server")),
        _peer(_nested(members, "engine")),
        _effective_limits(members),
        {name: _layer(_nested(layers, name)) for name, _ in layers.items()},
        members.integer("maxMessageBytes", 1, MAX_LIMIT),
    )


def started(result: Any) -> Started:
    """Build the result of `start`; older children do not tell the dialect."""
    members = Members(result, "start.result")
    return Started(members.choice("dialect", ("module", "script")) if "dialect" in members else MISSING)


def checked(result: Any) -> Checked:
    """Build the result of `check`."""
    members = Members(result, "check.result")
    return Checked(members.choice("dialect", ("module", "script")), members.required("meta"))


def drained(result: Any) -> Drained:
    """Build the result of `drain`; a request of an unknown type is an error here."""
    members = Members(result, "drain.result")
    complete = members.choice("state", ("pending", "complete")) == "complete"
    return Drained(
        [call(item) for item in members.objects("calls")],
        [request(item) for item in members.objects("requests")],
        complete,
        _output(members) if complete else MISSING,
        "stalled" in members and members.boolean("stalled"),
        tuple(map(_diagnostic, members.objects("diagnostics"))) if "diagnostics" in members else (),
        "more" in members and members.boolean("more"),
    )


def call(members: Members) -> Call:
    """Build a `Log` or a `Phase`."""
    if members.choice("type", ("log", "phase")) == "log":
        return Log(members.array("values"))
    return Phase(members.string("name"), members.mapping("options"))


def request(members: Members) -> Request:
    """Build a request of a workflow, of a known type."""
    build = _REQUESTS[members.choice("type", tuple(_REQUESTS))]
    return build(members.string("id", minimum=1), members)


def limits(members: Members, otherwise: Limits) -> Limits:
    """Build limits, each a positive integer; unknown names are ignored, missing ones are of `otherwise`."""
    present = [name for name in FIELD_NAMES if name in members]
    return otherwise._replace(**{FIELD_NAMES[name]: members.integer(name, 1, MAX_LIMIT) for name in present})


_BARE: dict[str, type[Poll | Take | Drain | Shutdown]] = {
    "poll": Poll,
    "take": Take,
    "drain": Drain,
    "shutdown": Shutdown,
}


def _effective_limits(members: Members) -> Limits:
    effective = _nested(members, "limits")
    for name in REQUIRED_WIRE_NAMES:
        effective.required(name)
    return limits(effective, NO_LIMITS)


def _output(members: Members) -> dict[str, Any]:
    output = _nested(members, "output")
    output.required("result")
    return dict(output.items())


def _diagnostic(members: Members) -> dict[str, Any]:
    members.string("kind")
    members.string("message")
    return dict(members.items())


def _ref(members: Members) -> str | dict[str, Any]:
    ref = members.required("ref")
    if isinstance(ref, str):
        return ref
    path = _nested(members, "ref")
    path.string("scriptPath")
    return dict(path.items())


def _program(members: Members) -> dict[str, Any]:
    """The member `request` of a `SandboxExecRequest`: command, args?, cwd?, env?, stdin?."""
    members.string("command")
    members.strings("args")
    if (environment := members.object("env")) is not None:
        for name in dict(environment.items()):
            environment.string(name)
    members.string("cwd", "")
    members.string("stdin", "")
    return dict(members.items())


def _initialize(members: Members) -> Initialize:
    client, asked = members.object("client"), members.object("limits")
    return Initialize(
        members.string("protocolVersion"),
        _peer(client) if client else None,
        limits(asked, Limits()) if asked else Limits(),
        members.choice("isolation", ISOLATIONS) if "isolation" in members else None,
    )


def _source(members: Members) -> tuple[str, str, Any]:
    return (
        members.string("source"),
        members.string("sourceName", "workflow.js"),
        members.choice("dialect", DIALECTS, "auto"),
    )


def _start(members: Members) -> Start:
    source, source_name, dialect = _source(members)
    budget = members.object("budget")
    return Start(
        source,
        source_name,
        members.any("args"),
        _budget(budget) if budget else Budget(),
        dialect,
        "describe" in members and members.boolean("describe"),
    )


def _resolution(members: Members) -> Resolution:
    kind = members.choice("type", ("ok", "ok_undefined", "error"))
    if kind == "error":
        return Rejected(members.string("message"))
    if kind == "ok_undefined":
        return OkUndefined()
    budget = members.object("budget")
    return Ok(members.required("value"), _budget(budget) if budget else None)


def _budget(members: Members) -> Budget:
    total = members.required("total")
    return Budget(
        None if total is None else members.integer("total", 0, MAX_LIMIT),
        members.integer("spent", 0, MAX_LIMIT),
    )


def _peer(members: Members) -> Peer:
    return Peer(members.string("name"), members.string("version"))


def _layer(members: Members) -> Layer:
    return Layer(members.boolean("applied"), members.string("detail"))


def _nested(members: Members, name: str) -> Members:
    members.required(name)
    nested = members.object(name)
    assert nested is not None
    return nested


def split_unknown_requests(result: Any) -> tuple[Any, list[UnknownRequest]]:
    """A drain without its requests of unknown types, and these requests.

    The result was not checked; one that is wrong otherwise is returned as it is.
    """
    requests = result.get("requests") if isinstance(result, dict) else None
    if not isinstance(requests, list):
        return result, []
    unknown = [item for item in requests if _is_of_unknown_type(item)]
    if not unknown:
        return result, []
    known = [item for item in requests if not _is_of_unknown_type(item)]
    return {**result, "requests": known}, [UnknownRequest(item["id"], item["type"]) for item in unknown]


def _is_of_unknown_type(item: Any) -> bool:
    if not isinstance(item, dict) or not isinstance(kind := item.get("type"), str) or kind in _REQUESTS:
        return False
    return isinstance(identifier := item.get("id"), str) and identifier != ""


_REQUESTS: dict[str, Callable[[str, Members], Request]] = {
    "agent": lambda id, it: AgentRequest(id, it.string("prompt"), it.mapping("options")),
    "workflow": lambda id, it: WorkflowRequest(id, _ref(it), it.any("args")),
    "sleep": lambda id, it: SleepRequest(id, it.integer("durationMs", 0, MAX_LIMIT)),
    "sandbox_exec": lambda id, it: SandboxExecRequest(
        id, it.string("profile"), _program(_nested(it, "request"))
    ),
}
_RESULTS: dict[str, Callable[[Any], Any]] = {
    "initialize": initialized,
    "start": started,
    "check": checked,
}

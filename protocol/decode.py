"""From JSON to messages. A value that is not in the contract raises `ErrorReply`, with a JSON Pointer to it.

The rules are those of the published schemas, as code, because an import of jsonschema takes longer than all
of a child's start. `tests/protocol/test_schema_parity.py` holds the two equal, by generated and by damaged
values. On purpose `result` accepts more: requests of unknown types, which a later 1.x child may send.

Unknown members are ignored. An absent member of any JSON is `MISSING`, because null is a value.
"""

from __future__ import annotations

from collections.abc import Callable

from flowcage._hints import Any, Literal, TypeAlias
from flowcage.protocol.errors import METHOD_NOT_FOUND, ErrorReply
from flowcage.protocol.limits import MAX_LIMIT, NO_LIMITS, REQUIRED_WIRE_NAMES, Limits
from flowcage.protocol.members import Members
from flowcage.protocol.messages import (
    MISSING,
    SEVERITIES,
    AgentRequest,
    AskRequest,
    Call,
    Checked,
    Drained,
    Finding,
    Import,
    Initialized,
    Layer,
    Log,
    Message,
    Missing,
    Phase,
    Request,
    SandboxExecRequest,
    SleepRequest,
    Started,
    UnknownRequest,
    WorkflowRequest,
)
from flowcage.protocol.params import PARAMS, limits, peer
from flowcage.protocol.sources.findings import Place

# Where outstanding requests were made, by their ids.
Places: TypeAlias = dict[str, Place]
# The methods that are answered with a `Drained`.
DRAINS = ("drain", "run", "advance", "replay")


def message(method: str, params: Any) -> Message:
    """Build the message of a request.

    Raises:
        ErrorReply: ``method_not_found`` or ``invalid_params``.
    """
    if method not in PARAMS:
        raise ErrorReply(METHOD_NOT_FOUND, f"there is no method {method[:80]!r}")
    return PARAMS[method](Members(params, f"{method}.params"))


def result(method: str, value: Any) -> Any:
    """Build the result of a method; that of one without a type of its own is an empty object.

    It accepts what the published schema allows, and requests of unknown types, which become `UnknownRequest`
    behind the other requests of their drain.

    Raises:
        ErrorReply: ``invalid_params``, for a result that is not in the contract.
    """
    if method in DRAINS:
        known, unknown = split_unknown_requests(value)
        answer = drained(known, method)
        return answer._replace(requests=[*answer.requests, *unknown]) if unknown else answer
    if method in _RESULTS:
        return _RESULTS[method](value)
    Members(value, f"{method}.result")
    return value


def initialized(result: Any) -> Initialized:
    """Build the result of `initialize`."""
    members = Members(result, "initialize.result")
    layers = members.nested("isolation")
    return Initialized(
        members.string("protocolVersion"),
        peer(members.nested("server")),
        peer(members.nested("engine")),
        _effective_limits(members),
        {name: _layer(layers.nested(name)) for name, _ in layers.items()},
        members.integer("maxMessageBytes", 1, MAX_LIMIT),
        tuple(members.strings("methods")),
    )


def started(result: Any) -> Started:
    """Build the result of `start`; older children do not tell the dialect."""
    members = Members(result, "start.result")
    return Started(_dialect(members))


def checked(result: Any) -> Checked:
    """Build the result of `check`."""
    members = Members(result, "check.result")
    return Checked(
        members.choice("dialect", ("module", "script")),
        members.required("meta"),
        tuple(map(_finding, members.objects("findings"))) if "findings" in members else MISSING,
        members.mapping("outline"),
    )


def _finding(members: Members) -> Finding:
    end = {
        field: members.integer(name, 1, MAX_LIMIT) if name in members else None
        for field, name in (("end_line", "endLine"), ("end_column", "endColumn"))
    }
    return Finding(
        members.string("kind", minimum=1),
        members.choice("severity", SEVERITIES),
        members.string("message"),
        members.integer("line", 1, MAX_LIMIT),
        members.integer("column", 1, MAX_LIMIT),
        **end,
        hint=members.string("hint") if "hint" in members else None,
        source_name=members.string("sourceName") if "sourceName" in members else None,
    )


def drained(result: Any, method: str = "drain") -> Drained:
    """Build the result of one of `DRAINS`; a request of an unknown type is an error here."""
    members = Members(result, f"{method}.result")
    complete = members.choice("state", ("pending", "complete")) == "complete"
    return Drained(
        [call(item) for item in members.objects("calls")],
        [request(item) for item in members.objects("requests")],
        complete,
        _output(members) if complete else MISSING,
        members.flag("stalled"),
        tuple(map(_diagnostic, members.objects("diagnostics"))) if "diagnostics" in members else (),
        members.flag("more"),
        _dialect(members) if method == "run" else MISSING,
        tuple(members.counts("counts", MAX_LIMIT)) if method == "replay" else (),
    )


def sites(result: Any) -> Places:
    """Build the result of `sites`."""
    return {
        each.string("id", minimum=1): Place(
            *_place(each), each.string("sourceName") if "sourceName" in each else None
        )
        for each in Members(result, "sites.result").objects("sites")
    }


def imports(result: Any) -> tuple[Import, ...]:
    """Build the result of `imports`."""
    found = Members(result, "imports.result").objects("imports")
    return tuple(Import(each.string("specifier"), *_place(each)) for each in found)


def _place(members: Members) -> tuple[int | None, int | None]:
    line, column = (
        members.integer(name, 1, MAX_LIMIT) if name in members else None for name in ("line", "column")
    )
    return line, column


def call(members: Members) -> Call:
    """Build a `Log` or a `Phase`."""
    if members.choice("type", ("log", "phase")) == "log":
        return Log(members.array("values"))
    return Phase(members.string("name"), members.mapping("options"))


def request(members: Members) -> Request:
    """Build a request of a workflow, of a known type."""
    build = _REQUESTS[members.choice("type", tuple(_REQUESTS))]
    return build(members.string("id", minimum=1), members)


def _effective_limits(members: Members) -> Limits:
    effective = members.nested("limits")
    for name in REQUIRED_WIRE_NAMES:
        effective.required(name)
    return limits(effective, NO_LIMITS)


def _dialect(members: Members) -> Literal["module", "script"] | Missing:
    return members.choice("dialect", ("module", "script")) if "dialect" in members else MISSING


def _output(members: Members) -> dict[str, Any]:
    output = members.nested("output")
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
    path = members.nested("ref")
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


def ask(identifier: str, members: Members, withheld: str | None = None) -> AskRequest:
    """Build an `AskRequest`; `withheld` stands for its question, where that is not there."""
    question = members.string("question", minimum=1) if withheld is None else withheld
    schema, choices = _schema(members), _choices(members)
    label = members.string("label") if "label" in members else MISSING
    return AskRequest(identifier, question, schema, choices, label)


def _schema(members: Members) -> dict[str, Any] | bool | Missing:
    if isinstance(members.any("schema"), bool):
        return members.boolean("schema")
    return members.mapping("schema")


def _choices(members: Members) -> list[dict[str, Any]] | Missing:
    """The member `choices` of an `AskRequest`: at least one, each with label and value."""
    if "choices" not in members:
        return MISSING
    choices = members.filled_objects("choices")
    for choice in choices:
        choice.string("label", minimum=1)
        choice.required("value")
    return [dict(choice.items()) for choice in choices]


def _layer(members: Members) -> Layer:
    return Layer(members.boolean("applied"), members.string("detail"))


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
        id, it.string("profile"), _program(it.nested("request"))
    ),
    "ask": ask,
}
_RESULTS: dict[str, Callable[[Any], Any]] = {
    "initialize": initialized,
    "start": started,
    "check": checked,
    "imports": imports,
    "sites": sites,
}

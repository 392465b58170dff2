"""What hypothesis draws messages from: as values, as JSON, and as JSON that something was done to."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, TypeAlias

from hypothesis import strategies as st

from flowcage.protocol.errors import CODES
from flowcage.protocol.limits import (
    FIELD_NAMES,
    LOWERABLE_WIRE_NAMES,
    MAX_LIMIT,
    MAX_STACK_BYTES,
    NO_LIMITS,
    WIRE_NAMES,
    Limits,
)
from flowcage.protocol.messages import (
    DIALECTS,
    ISOLATIONS,
    MISSING,
    SEVERITIES,
    Advance,
    Budget,
    Check,
    Checked,
    Drain,
    Finding,
    Imports,
    Initialize,
    Initialized,
    Layer,
    Message,
    Ok,
    OkUndefined,
    Peer,
    Poll,
    Rejected,
    Replay,
    Resolution,
    Resolve,
    Run,
    Shutdown,
    Sites,
    Start,
    Started,
    Take,
)

Json: TypeAlias = Any
JsonStrategy: TypeAlias = st.SearchStrategy[Json]

ODD_TEXTS = ["", "\0", "\n", "\u2028", "\x85", "😀", "\ud800", "\udfff x", "a/b", "~1", '"\\']
ODD_NUMBERS = [0, 1, -1, 0.5, 1.0, MAX_LIMIT, MAX_LIMIT + 1, 10**300, -(2**63)]


def texts() -> st.SearchStrategy[str]:
    """Text as JSON can hold it, lone surrogates included."""
    return st.sampled_from(ODD_TEXTS) | st.text(max_size=6)


def json_values(max_leaves: int = 6) -> JsonStrategy:
    """Any JSON."""
    numbers = st.sampled_from(ODD_NUMBERS) | st.floats(allow_nan=False, allow_infinity=False) | st.integers()
    scalars = st.none() | st.booleans() | numbers | texts()
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(), inner, max_size=3),
        max_leaves=max_leaves,
    )


# ---- messages as values ----------------------------------------------------------------------

_COUNTS = st.integers(1, MAX_LIMIT)
_AMOUNTS = st.integers(0, MAX_LIMIT)
_PEERS = st.builds(Peer, texts(), texts())
_BUDGETS = st.builds(Budget, st.none() | _AMOUNTS, _AMOUNTS)
_ARGS = st.just(MISSING) | json_values()
_SOURCES = (texts(), texts())
_MODULES = st.dictionaries(texts(), texts(), max_size=2)
_ID = st.text(min_size=1, max_size=3)


def limits() -> st.SearchStrategy[Limits]:
    """Any limits that the wire can carry."""
    own = {"stack_bytes": st.integers(1, MAX_STACK_BYTES), "address_space_bytes": _AMOUNTS}
    return st.builds(Limits, **{name: own.get(name, _COUNTS) for name in WIRE_NAMES})


def run_limits() -> st.SearchStrategy[Limits]:
    """Any limits that a `run` may ask for; 0 is none."""
    some = {FIELD_NAMES[name]: st.just(0) | _COUNTS for name in LOWERABLE_WIRE_NAMES}
    return st.fixed_dictionaries(some).map(lambda asked: NO_LIMITS._replace(**asked))


def resolutions() -> st.SearchStrategy[Resolution]:
    """Every way to settle a request."""
    answered = st.builds(Ok, json_values(), st.none() | _BUDGETS)
    return answered | st.builds(OkUndefined) | st.builds(Rejected, texts())


_RESOLVES = st.builds(Resolve, texts(), resolutions())
_TURNS = st.lists(_RESOLVES, min_size=1, max_size=2).map(tuple)
_START = (
    *_SOURCES,
    _ARGS,
    _BUDGETS | st.just(Budget()),
    st.sampled_from(DIALECTS),
    st.booleans(),
    run_limits(),
    _MODULES,
)

MESSAGES: dict[str, st.SearchStrategy[Message]] = {
    "initialize": st.builds(
        Initialize,
        texts(),
        st.none() | _PEERS,
        limits(),
        st.none() | st.sampled_from(ISOLATIONS),
        st.booleans(),
    ),
    "start": st.builds(Start, *_START),
    "run": st.builds(Run, *_START),
    "check": st.builds(Check, *_SOURCES, st.sampled_from(DIALECTS), st.booleans(), st.booleans(), _MODULES),
    "imports": st.builds(Imports, *_SOURCES, st.sampled_from(DIALECTS)),
    "poll": st.builds(Poll),
    "take": st.builds(Take),
    "drain": st.builds(Drain),
    "resolve": _RESOLVES,
    "advance": st.builds(Advance, st.lists(_TURNS, min_size=1, max_size=2).map(tuple)),
    "replay": st.builds(Replay, st.lists(_TURNS, min_size=1, max_size=2).map(tuple)),
    "sites": st.builds(Sites),
    "shutdown": st.builds(Shutdown),
}


def initialized() -> st.SearchStrategy[Initialized]:
    """Any answer to `initialize`."""
    layers = st.dictionaries(texts(), st.builds(Layer, st.booleans(), texts()), max_size=3)
    methods = st.lists(texts(), max_size=2).map(tuple)
    return st.builds(Initialized, texts(), _PEERS, _PEERS, limits(), layers, _COUNTS, methods)


def started() -> st.SearchStrategy[Started]:
    """Any answer to `start`."""
    return st.builds(Started, st.sampled_from(["module", "script"]) | st.just(MISSING))


def checked() -> st.SearchStrategy[Checked]:
    """Any answer to `check`."""
    end = st.none() | _COUNTS
    finding = st.builds(
        Finding,
        *(_ID, st.sampled_from(SEVERITIES), texts(), _COUNTS, _COUNTS, end, end),
        *(st.none() | texts(), st.none() | texts()),
    )
    findings = st.just(MISSING) | st.lists(finding, max_size=2).map(tuple)
    outline = st.just(MISSING) | st.dictionaries(texts(), json_values(2), max_size=2)
    return st.builds(Checked, st.sampled_from(["module", "script"]), json_values(), findings, outline)


# ---- messages as JSON ------------------------------------------------------------------------


def record(required: dict[str, JsonStrategy], **optional: JsonStrategy) -> JsonStrategy:
    """An object, sometimes with members that nobody knows."""
    unknown = st.dictionaries(st.sampled_from(["x-1", "x/2", ""]), json_values(2), max_size=1)
    known = st.fixed_dictionaries(required, optional=optional)
    return st.builds(lambda more, members: more | members, unknown, known)


def _records() -> JsonStrategy:
    return st.dictionaries(texts(), json_values(2), max_size=2)


_PEER = record({"name": texts(), "version": texts()})
_BUDGET = record({"total": st.none() | _AMOUNTS, "spent": _AMOUNTS})
_LIMITS = record({}, **dict.fromkeys(FIELD_NAMES, _COUNTS))
_SOURCE = {"sourceName": texts(), "dialect": st.sampled_from(DIALECTS)}
_STARTED = {
    **_SOURCE,
    "args": json_values(),
    "budget": _BUDGET,
    "describe": st.booleans(),
    "limits": record({}, **dict.fromkeys(LOWERABLE_WIRE_NAMES, _COUNTS)),
    "modules": _MODULES,
}
_OUTPUT = record({"result": json_values()})

_RESOLUTION = st.one_of(
    record({"type": st.just("ok"), "value": json_values()}, budget=_BUDGET),
    record({"type": st.just("ok_undefined")}),
    record({"type": st.just("error"), "message": texts()}),
)
_SETTLEMENT = record({"id": texts(), "resolution": _RESOLUTION})
_CALL = st.one_of(
    record({"type": st.just("log"), "values": st.lists(json_values(2), max_size=2)}),
    record({"type": st.just("phase"), "name": texts()}, options=_records()),
)
_EXEC = record(
    {"command": texts()},
    args=st.lists(texts(), max_size=2),
    cwd=texts(),
    env=st.dictionaries(texts(), texts(), max_size=2),
    stdin=texts(),
)
_REQUEST = st.one_of(
    record({"type": st.just("agent"), "id": _ID, "prompt": texts()}, options=_records()),
    record(
        {"type": st.just("workflow"), "id": _ID, "ref": texts() | record({"scriptPath": texts()})},
        args=json_values(2),
    ),
    record({"type": st.just("sleep"), "id": _ID, "durationMs": _AMOUNTS}),
    record({"type": st.just("sandbox_exec"), "id": _ID, "profile": texts(), "request": _EXEC}),
    record(
        {"type": st.just("ask"), "id": _ID, "question": _ID},
        schema=_records() | st.booleans(),
        choices=st.lists(record({"label": _ID, "value": json_values(2)}), min_size=1, max_size=2),
        label=texts(),
    ),
)
_DIAGNOSTIC = record({"kind": texts(), "message": texts()})
_DRAINED = {"calls": st.lists(_CALL, max_size=2), "requests": st.lists(_REQUEST, max_size=2)}
_NOTES = {"diagnostics": st.lists(_DIAGNOSTIC, max_size=2), "stalled": st.booleans(), "more": st.booleans()}


def _drains(required: dict[str, JsonStrategy] | None = None, **optional: JsonStrategy) -> JsonStrategy:
    more, drained = {**_NOTES, **optional}, {**_DRAINED, **(required or {})}
    return st.one_of(
        record({**drained, "state": st.just("pending")}, **more, output=json_values(2)),
        record({**drained, "state": st.just("complete"), "output": _OUTPUT}, **more),
    )


_FINDING = record(
    {
        "kind": _ID,
        "severity": st.sampled_from(SEVERITIES),
        "message": texts(),
        "line": _COUNTS,
        "column": _COUNTS,
    },
    endLine=_COUNTS,
    endColumn=_COUNTS,
    hint=texts(),
    sourceName=texts(),
)
_IMPORTS = record({"specifier": texts()}, line=_COUNTS, column=_COUNTS)
_SITES = record({"id": texts().filter(bool)}, line=_COUNTS, column=_COUNTS, sourceName=texts())
_OF_TURNS = record({"turns": st.lists(st.lists(_SETTLEMENT, min_size=1, max_size=2), min_size=1, max_size=2)})

PARAMS: dict[str, JsonStrategy] = {
    "initialize": record(
        {"protocolVersion": texts()},
        client=_PEER,
        limits=_LIMITS,
        isolation=st.sampled_from(ISOLATIONS),
        reads=st.booleans(),
    ),
    "start": record({"source": texts()}, **_STARTED),
    "run": record({"source": texts()}, **_STARTED),
    "check": record(
        {"source": texts()}, **_SOURCE, findings=st.booleans(), outline=st.booleans(), modules=_MODULES
    ),
    "imports": record({"source": texts()}, **_SOURCE),
    "poll": record({}),
    "take": record({}),
    "drain": record({}),
    "resolve": _SETTLEMENT,
    "advance": _OF_TURNS,
    "replay": _OF_TURNS,
    "sites": record({}),
    "shutdown": record({}),
}

RESULTS: dict[str, JsonStrategy] = {
    "initialize": record(
        {
            "protocolVersion": texts(),
            "server": _PEER,
            "engine": _PEER,
            "limits": record({name: _COUNTS for name in FIELD_NAMES if name != "addressSpaceBytes"}),
            "isolation": st.dictionaries(
                texts(), record({"applied": st.booleans(), "detail": texts()}), max_size=2
            ),
            "maxMessageBytes": _COUNTS,
        },
        methods=st.lists(texts(), max_size=2),
    ),
    "start": record({}, dialect=st.sampled_from(["module", "script"])),
    "check": record(
        {"dialect": st.sampled_from(["module", "script"]), "meta": json_values()},
        findings=st.lists(_FINDING, max_size=2),
        outline=_records(),
    ),
    "drain": _drains(),
    "run": _drains(dialect=st.sampled_from(["module", "script"])),
    "advance": _drains(),
    "replay": _drains({"counts": st.lists(_AMOUNTS, min_size=1, max_size=3)}),
    "imports": record({"imports": st.lists(_IMPORTS, max_size=2)}),
    "sites": record({"sites": st.lists(_SITES, max_size=2)}),
}

# Every kind has what any kind needs: members that are not its own are ignored.
_DATA = {
    **dict.fromkeys(["path", "message", "schema", "stack", "id", "state"], texts()),
    **dict.fromkeys(["layers", "supported"], st.lists(texts(), max_size=2)),
    "name": st.none() | texts(),
}


def _error(kind: str, code: int) -> JsonStrategy:
    data = record({"kind": st.just(kind), **_DATA}, limit=_COUNTS)
    return record({"code": st.just(code), "message": texts(), "data": data})


ERRORS = st.one_of([_error(kind, code) for kind, code in CODES.items()])


# ---- messages that something was done to -----------------------------------------------------

_TAGS = ["log", "agent", "workflow", "sleep", "ok", "error", "pending", "complete", "strict", "module"]
_JUNK: JsonStrategy = st.sampled_from(
    [None, True, False, *ODD_NUMBERS, "", "x", *_TAGS, [], {}, [None], [{}], {"x": 1}]
)
_ABSENT = object()


@st.composite
def mutated(draw: st.DrawFn, valid: JsonStrategy) -> Json:
    """A valid message in which one value, wherever it is, was replaced or taken out."""
    message = {"root": deepcopy(draw(valid))}
    holder, key = draw(st.sampled_from(_places(message, "root")))
    replacement = draw(_JUNK if holder is message else _JUNK | st.just(_ABSENT))
    if replacement is _ABSENT:
        del holder[key]
    else:
        holder[key] = deepcopy(replacement)
    return message["root"]


def _places(holder: Any, key: Any) -> list[tuple[Any, Any]]:
    value = holder[key]
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [(holder, key), *(place for inner in keys for place in _places(value, inner))]

"""Every kind of input that an entry can hold: one of each, and strategies for any."""

from __future__ import annotations

from hypothesis import strategies as st

from flowcage.host.run.core.inputs import (
    Answered,
    Charged,
    Compiled,
    Due,
    Ended,
    Failed,
    Heard,
    Input,
    Lived,
    Noted,
    Opened,
    Reason,
    Refused,
    Remembered,
    Reused,
    Said,
    Spent,
    State,
    Told,
    Turn,
)
from flowcage.protocol.limits import MAX_LIMIT
from flowcage.protocol.messages import (
    MISSING,
    AgentRequest,
    Log,
    Phase,
    Request,
    SandboxExecRequest,
    SleepRequest,
    UnknownRequest,
    WorkflowRequest,
)

from ..protocol.strategies import json_values, texts

REQUESTS: list[Request] = [
    AgentRequest(
        "1", "write \ud800\0 \U0001f600", {"label": "a", "phase": "p", "schema": {"type": "object"}}
    ),
    AgentRequest("2", ""),
    WorkflowRequest("3", "kid", {"n": 1e308, "big": 10**300}),
    WorkflowRequest("4", {"scriptPath": "kid.js"}),
    SleepRequest("5", MAX_LIMIT),
    SandboxExecRequest("6", "default", {"command": "true", "args": ["-x"], "env": {"A": "b"}}),
    UnknownRequest("7", "human_input"),
    UnknownRequest("8", "agent"),
]

# Of every kind, with every member and with those that have a default left out.
INPUTS: list[Input] = [
    Opened("", "main.js"),
    Compiled("", "module"),
    Compiled("3", None),
    Said(
        "",
        (Log([1, "x", None]), Phase("one", {"detail": "d"}), Phase("two")),
        tuple(REQUESTS),
        ({"kind": "swallowed_error", "message": "m", "line": 3},),
        State.PARTIAL,
    ),
    Said(""),
    Noted("", {"kind": "note", "message": "of the host's"}),
    Opened("3", "kid.js", "3"),
    Answered("1", {"a": [1, 2.5, None, True]}, Spent(12, 0.25, 1.5), {"model": "small", "session": "s"}),
    Answered("2", None),
    Refused("1", "no", Reason.WRONG_ANSWER, "text", Spent(1)),
    Refused("6", "no"),
    Heard("1", {"a": "1"}, Spent(3, 1e-9, 0.0), {"model": "small"}),
    Heard("1", None),
    Due("5"),
    Turn(""),
    Said("", state=State.MORE),
    Said("3", state=State.STALLED),
    Said("", state=State.COMPLETE, result={"done": "\ud800"}),
    Failed("", "the handler of AgentRequest 1 raised ValueError()"),
    Ended("3", frozenset({"3/1", "3/2"})),
    Ended(""),
    Remembered("1", "session \ud800 7"),
    Lived(0.25),
]

# Those that forks have.
REUSED: list[Input] = [
    Said("", requests=(AgentRequest("9", "p"), SleepRequest("10", 5)), known={"9": "2", "10": "7/5"}),
    Reused("9", {"a": "\ud800"}, "run", "2", True, Spent(3, 0.5, 1.0), 4, {"model": "small"}),
    Reused("10", MISSING, "run", "7/5", agents=0),
    Reused("3/1", None, "run", "3/1"),
]

# What answers without use had cost, and costs that nobody knows.
COSTS: list[Input] = [
    Answered("1", "yes", Spent(7, None, 0.5), {"usage": None, "model": "m", "session_id": None}),
    Refused("1", "no", spent=Spent(7, None, 0.5), facts={"usage": {"input": 3}, "model": "m"}),
    Charged("1", Spent(3, None), {"model": "m"}),
]

TOLD: list[Input] = [
    Told("1", Spent(3, None, 0.5), {"usage": {"input": 3}, "model": "m"}),
    Told("3/1", Spent(0, 0.25)),
]

_IDS = texts().filter(bool)
_OBJECTS = st.dictionaries(texts(), json_values(3), max_size=3)
_NOTES = st.builds(lambda more, kind: more | {"kind": kind}, _OBJECTS, texts())
_SPENT = st.builds(
    Spent,
    st.integers(0, 10**30),
    st.floats(0, 1e308) | st.integers(0, 9) | st.none(),
    st.floats(0, 1e308),
)
_PATHS = st.sampled_from(["", "3", "3/1"])
_PROGRAMS = st.builds(
    lambda more, given: more | given,
    st.dictionaries(st.sampled_from(["x", ""]), json_values(2), max_size=1),
    st.fixed_dictionaries(
        {"command": texts()},
        optional={
            "args": st.lists(texts(), max_size=2),
            "env": st.dictionaries(texts(), texts(), max_size=2),
            "cwd": texts(),
            "stdin": texts(),
        },
    ),
)

requests: st.SearchStrategy[Request] = st.one_of(
    st.builds(AgentRequest, _IDS, texts(), st.just(MISSING) | _OBJECTS),
    st.builds(
        WorkflowRequest,
        _IDS,
        texts() | st.builds(lambda path: {"scriptPath": path}, texts()),
        st.just(MISSING) | json_values(3),
    ),
    st.builds(SleepRequest, _IDS, st.integers(0, MAX_LIMIT)),
    st.builds(SandboxExecRequest, _IDS, texts(), _PROGRAMS),
    st.builds(UnknownRequest, _IDS, texts()),
)
calls = st.builds(Log, st.lists(json_values(3), max_size=2)) | st.builds(
    Phase, texts(), st.just(MISSING) | _OBJECTS
)


def _tuples(of: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(of, max_size=3).map(tuple)


inputs: st.SearchStrategy[Input] = st.one_of(
    st.builds(Opened, _PATHS, texts(), _PATHS),
    st.builds(Compiled, _PATHS, st.sampled_from(["module", "script", None])),
    st.builds(
        Said,
        _PATHS,
        _tuples(calls),
        _tuples(requests),
        _tuples(_NOTES),
        st.sampled_from(State),
        json_values(),
        st.dictionaries(texts(), texts(), max_size=2),
    ),
    st.builds(
        Reused,
        *(texts(), st.just(MISSING) | json_values(), texts(), texts()),
        *(st.booleans(), _SPENT, st.integers(0, 2**53), _OBJECTS),
    ),
    st.builds(Noted, _PATHS, _NOTES),
    st.builds(Turn, _PATHS),
    st.builds(Answered, texts(), json_values(), _SPENT, _OBJECTS),
    st.builds(Refused, texts(), texts(), st.sampled_from(Reason), st.none() | texts(), _SPENT, _OBJECTS),
    st.builds(Heard, texts(), json_values(), _SPENT, _OBJECTS),
    st.builds(Charged, texts(), _SPENT, _OBJECTS),
    st.builds(Told, texts(), _SPENT, _OBJECTS),
    st.builds(Remembered, texts(), texts()),
    st.builds(Lived, st.integers(0, 9) | st.floats(0, 1e308)),
    st.builds(Due, texts()),
    st.builds(Failed, _PATHS, texts()),
    st.builds(Ended, _PATHS, st.frozensets(texts(), max_size=3)),
)

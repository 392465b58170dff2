"""Values too deep or too wide for a message: a typed error, never an abort."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .child_process import ChildProcess, Refused

DEEP_ARRAY = "let deep = []; for (let i = 0; i < {}; i++) deep = [deep];"
DEEP_OBJECT = "let deep = {{}}; for (let i = 0; i < {}; i++) deep = {{ a: deep }};"
SHARED = "let deep = []; for (let i = 0; i < 40; i++) deep = [deep, deep];"
TYPED = {"serialization", "stack", "limit", "memory", "timeout", "exception"}
MAX_DEPTH = 512  # what a peer must be able to parse


def depth(text: bytes) -> int:
    """How deep the brackets of a reply nest; none of ours stand inside strings."""
    deepest = level = 0
    for byte in text:
        level += (byte in b"[{") - (byte in b"]}")
        deepest = max(deepest, level)
    return deepest


def raw_drain(child: ChildProcess) -> bytes:
    child.send_request("drain")
    return child.next_line()


@pytest.mark.parametrize("levels", [600, 5_000, 200_000])
@pytest.mark.parametrize("make", [DEEP_ARRAY, DEEP_OBJECT], ids=["array", "object"])
def test_a_result_too_deep_is_a_typed_failure(child: ChildProcess, make: str, levels: int) -> None:
    failure = child.failure_of(f"{make.format(levels)}\nexport default deep;")
    assert failure.kind in TYPED - {"exception"}


@pytest.mark.parametrize("levels", [600, 200_000])
@pytest.mark.parametrize(
    "call", ["log(deep)", 'agent("x", { deep })', 'workflow("w", deep)', 'phase("p", { deep })']
)
def test_a_call_too_deep_never_reaches_the_wire(child: ChildProcess, call: str, levels: int) -> None:
    child.start(f"{DEEP_ARRAY.format(levels)}\n{call};\nexport default 1;")
    first = raw_drain(child)
    assert depth(first) <= MAX_DEPTH
    reply = json.loads(first)
    if "error" not in reply:
        assert reply["result"]["calls"] == reply["result"]["requests"] == []
    with pytest.raises(Refused) as caught:
        child.drain()
    assert caught.value.kind in TYPED


def test_a_call_too_deep_can_be_caught(child: ChildProcess) -> None:
    source = f"{DEEP_ARRAY.format(600)}\ntry {{ log(deep); }} catch {{ log('caught'); }}\nexport default 1;"
    assert child.logs_of(source) == [["caught"]]


@pytest.mark.parametrize("call", ["log(deep);", 'agent("x", { deep });', ""])
def test_a_graph_shared_forty_fold_is_a_typed_failure(child: ChildProcess, call: str) -> None:
    child.initialize(stepTimeoutMs=2000)
    assert child.failure_of(f"{SHARED}\n{call}\nexport default deep;").kind in TYPED


def test_a_result_of_many_values_is_a_typed_failure(child: ChildProcess) -> None:
    failure = child.failure_of("export default new Array(2e6).fill(0);")
    assert failure.kind in TYPED - {"exception"}


def test_calls_of_too_many_values_never_reach_the_wire(child: ChildProcess) -> None:
    child.initialize(maxQueuedBytes=8_000_000)
    child.start(
        "const wide = new Array(150_000).fill(0);\nfor (let i = 0; i < 9; i++) log(wide);\nexport default 1;"
    )
    assert raw_drain(child).count(b",") <= 1_000_000


@pytest.mark.parametrize("make", [DEEP_ARRAY, DEEP_OBJECT], ids=["array", "object"])
def test_a_deep_value_that_stays_inside_is_no_concern_of_ours(child: ChildProcess, make: str) -> None:
    assert child.result_of(f"{make.format(200_000)}\nexport default typeof deep;") == "object"


@pytest.mark.parametrize("thrown", ["deep", "{ deep }", "Object.assign(new Error('x'), { cause: deep })"])
def test_a_deep_value_that_is_thrown_is_a_typed_failure(child: ChildProcess, thrown: str) -> None:
    failure = child.failure_of(f"{DEEP_ARRAY.format(200_000)}\nexport default () => {{ throw {thrown}; }};")
    assert failure.kind in TYPED


@pytest.mark.parametrize("levels", [100, 500])
def test_args_of_some_depth_come_back_whole(child: ChildProcess, levels: int) -> None:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    assert child.result_of("export default args;", args=value) == value


def test_proxies_nested_without_end_are_a_typed_failure(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=2000)
    source = "const handler = { get: (t, k) => (k === 'a' ? p : undefined), ownKeys: () => ['a'],"
    source += " getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, value: 1 }) };"
    source += " const p = new Proxy({}, handler);\nexport default p;"
    assert child.failure_of(source).kind in TYPED - {"exception"}


@pytest.mark.parametrize("call", ["export default deep;", "log(deep);\nexport default 1;"])
def test_a_polluted_serializer_meets_depth_with_a_typed_failure(child: ChildProcess, call: str) -> None:
    source = f"Object.prototype.toJSON = () => 1;\n{DEEP_ARRAY.format(200_000)}\n{call}"
    assert child.failure_of(source).kind in TYPED

"""Attacks that once worked, on what the prelude and the child keep a record of."""

from __future__ import annotations

from typing import Any

import pytest

from .child_process import ChildProcess

# quickjs-ng reads a limit for stacks, by its valueOf, wherever an error is made.
ASK_WHILE_ASKING = """
let on = true, inner = agent('unused');
Error.stackTraceLimit = { valueOf() { if (on) { on = false; inner = agent('inner'); } return 3; } };
const outer = agent('outer');
export default (async () => [await outer, await inner])();
"""


def test_asking_while_a_request_is_being_made_gives_no_id_twice(child: ChildProcess) -> None:
    child.initialize()
    child.start(ASK_WHILE_ASKING)
    requests = child.drain()["requests"]
    assert [request["id"] for request in requests] == [str(n + 1) for n in range(len(requests))]
    for request in requests:
        child.resolve(request["id"], request["prompt"])
    assert child.drain()["output"]["result"][0] == "outer"


ABOVE_ARRAYS = """
const above = {{ __proto__: Object.prototype, toJSON() {{ {body} }} }};
Object.setPrototypeOf(Array.prototype, above);
"""


@pytest.mark.parametrize("body", ["return null", "return ['meta']", "return []", "throw 1", "for (;;);"])
def test_a_tojson_above_the_prototype_of_arrays_speaks_for_nobody(child: ChildProcess, body: str) -> None:
    source = ABOVE_ARRAYS.format(body=body) + "export default [1, [2]];"
    assert child.result_of(source) == [1, [2]]


def test_a_proxy_above_the_prototype_of_arrays_is_asked_for_nothing(child: ChildProcess) -> None:
    source = """
    const get = (target, name) => { if (name === 'toJSON') throw 1; };
    Object.setPrototypeOf(Array.prototype, new Proxy({}, { get, getOwnPropertyDescriptor() { throw 1; } }));
    export default [1, [2]];
    """
    assert child.result_of(source) == [1, [2]]


def test_there_is_no_raw_json(child: ChildProcess) -> None:
    assert child.result_of("export default [typeof JSON.rawJSON, typeof JSON.isRawJSON]") == ["undefined"] * 2


def test_rejections_with_bigints_of_a_million_bits_cost_no_time(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=2000)
    child.start("for (let i = 0; i < 20; i++) Promise.reject((1n << 1048000n) + BigInt(i)); export default 1")
    drained = child.drain()
    assert drained["output"] == {"result": 1}
    assert drained["diagnostics"][0]["message"].endswith("a large BigInt")


@pytest.mark.parametrize("bigint", ["1n << 1048000n", "-(1n << 1048000n)"])
def test_a_large_bigint_that_is_thrown_is_not_written_out(child: ChildProcess, bigint: str) -> None:
    assert child.failure_of(f"throw {bigint}").data["message"] == "a large BigInt"


def test_a_small_bigint_that_is_thrown_is(child: ChildProcess) -> None:
    assert child.failure_of("throw 2n ** 60n").data["message"] == str(2**60)


def test_a_start_that_takes_too_long_is_a_timeout(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=1)
    nested: Any = [[] for _ in range(80_000)]
    assert child.failure_of("export default 1", args=nested).kind == "timeout"
    assert child.failure().kind == "timeout"


def test_an_import_of_megabytes_leaves_the_child_quiet_and_small(child: ChildProcess) -> None:
    child.initialize()
    source = """
    const lengths = [];
    for (const n of [20e6, 30e6, 38e6]) {
        try { await import('y'.repeat(n)); } catch (error) { lengths.push(error.message.length); }
    }
    export default lengths.every((length) => length < 10_000);
    """
    child.start(source)
    assert child.drain()["output"] == {"result": True}
    child.close_stdin()
    child.expect_exit()


def test_the_stack_of_a_rejection_shows_the_author_his_own_frames_only(child: ChildProcess) -> None:
    child.initialize()
    child.start("export default async () => { try { await agent('x'); } catch (e) { return e.stack; } }")
    child.drain()
    child.settle("1", {"type": "error", "message": "no"})
    stack = child.drain()["output"]["result"]
    assert "workflow.js:1:" in stack
    assert "flowcage:" not in stack


def test_only_the_error_of_a_rejection_names_a_request(child: ChildProcess) -> None:
    source = "const e = new Error('mine'); e.request = { type: 'evil', id: 'zzz' }; throw e"
    assert "request" not in child.failure_of(source).data


def test_a_child_without_any_memory_left_still_reads_and_answers(child: ChildProcess) -> None:
    child.initialize(memoryBytes=2**30, addressSpaceBytes=300 * 2**20, stepTimeoutMs=20_000)
    assert child.failure_of("for (let a = [];;) a.push(new Array(1000).fill({}))").kind == "memory"
    assert child.failure().kind == "memory"
    assert child.request("shutdown") == {}
    child.expect_exit()

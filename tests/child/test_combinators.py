"""parallel() and pipeline()."""

from __future__ import annotations

from typing import Any

import pytest

from .child_process import ChildProcess


def settle_all(child: ChildProcess, answers: dict[str, Any]) -> list[str]:
    """Drain, answer each prompt named, and return the prompts that were asked."""
    requests = child.drain()["requests"]
    for request in requests:
        if request["prompt"] in answers:
            child.resolve(request["id"], answers[request["prompt"]])
    return [request["prompt"] for request in requests]


def test_parallel_starts_every_task_before_any_answer(child: ChildProcess) -> None:
    child.start(
        'export default await parallel([() => agent("a"), async () => agent("b"), () => agent("c")]);'
    )
    assert settle_all(child, {"a": 1, "b": 2, "c": 3}) == ["a", "b", "c"]
    assert child.result() == [1, 2, 3]


def test_parallel_keeps_the_order_of_its_tasks(child: ChildProcess) -> None:
    child.start('export default await parallel([() => agent("a"), () => agent("b")]);')
    child.drain()
    child.resolve("2", "second")
    child.resolve("1", "first")
    assert child.result() == ["first", "second"]


@pytest.mark.parametrize(
    ("tasks", "results"),
    [("[]", []), ("[() => 1, async () => 2]", [1, 2]), ("[() => undefined, () => ({})]", [None, {}])],
)
def test_parallel_takes_tasks_that_ask_for_nothing(
    child: ChildProcess, tasks: str, results: list[Any]
) -> None:
    assert child.result_of(f"export default await parallel({tasks});") == results


@pytest.mark.parametrize(
    "task",
    [
        '() => { throw new Error("x"); }',
        'async () => { throw "x"; }',
        "() => Promise.reject()",
        "() => nope()",
    ],
)
def test_a_task_that_throws_becomes_null_and_is_told_in_diagnostics(child: ChildProcess, task: str) -> None:
    child.start(f"export default await parallel([() => 1, {task}, () => 3]);")
    drained = child.drain()
    assert drained["output"]["result"] == [1, None, 3]
    assert [(type(told["kind"]), type(told["message"])) for told in drained["diagnostics"]] == [(str, str)]


def test_a_diagnostic_of_a_swallowed_error_names_the_error(child: ChildProcess) -> None:
    child.start('export default await parallel([() => { throw new Error("lost bolt"); }]);')
    told, summary = child.drain()["diagnostics"]
    assert "lost bolt" in told["message"]
    assert summary["kind"] == "all_failed"


def test_an_error_answer_inside_parallel_becomes_null(child: ChildProcess) -> None:
    child.start('export default await parallel([() => agent("a"), () => agent("b")]);')
    child.drain()
    child.settle("1", {"type": "error", "message": "refused"})
    child.resolve("2", "fine")
    drained = child.drain()
    assert drained["output"]["result"] == [None, "fine"]
    assert "refused" in drained["diagnostics"][0]["message"]


@pytest.mark.parametrize(
    "tasks", ['[agent("x")]', "[1]", "[null]", "[() => 1, 'x']", "[,]", "5", "", "null", "{}"]
)
def test_parallel_of_anything_but_functions_is_a_type_error(child: ChildProcess, tasks: str) -> None:
    argument = "({})" if tasks == "{}" else tasks
    source = f"export default await (async () => parallel({argument}))().catch((e) => [e.name, e.message]);"
    name, message = child.result_of(source)
    assert name == "TypeError"
    assert "function" in message


def test_a_promise_in_place_of_a_task_is_told_to_be_a_function(child: ChildProcess) -> None:
    failure = child.failure_of('export default () => parallel([agent("x")]);')
    assert (failure.kind, failure.data["name"]) == ("exception", "TypeError")
    assert "function" in failure.message


def test_a_wrong_task_keeps_the_right_ones_from_starting(child: ChildProcess) -> None:
    child.start('await parallel([() => agent("a"), 5]).catch(() => 0);\nexport default 1;')
    assert child.drain()["requests"] == []


def test_pipeline_hands_each_stage_the_value_the_item_and_the_index(child: ChildProcess) -> None:
    source = """export default await pipeline(["a", "b"],
        (value, item, index) => value + "1" + item + index,
        async (value, item, index) => [value, item, index]);"""
    assert child.result_of(source) == [["a1a0", "a", 0], ["b1b1", "b", 1]]


def test_pipeline_lets_each_item_run_ahead_of_the_others(child: ChildProcess) -> None:
    source = """export default await pipeline(["x", "y"],
        (item) => agent("one " + item), (value) => agent("two " + value));"""
    child.start(source)
    assert settle_all(child, {"one y": "Y"}) == ["one x", "one y"]
    assert settle_all(child, {"two Y": "YY"}) == ["two Y"]
    child.resolve("1", "X")
    assert settle_all(child, {"two X": "XX"}) == ["two X"]
    assert child.result() == ["XX", "YY"]


def test_pipeline_without_stages_returns_its_items(child: ChildProcess) -> None:
    assert child.result_of("export default await pipeline([1, [2]]);") == [1, [2]]


def test_pipeline_without_items_is_empty(child: ChildProcess) -> None:
    assert child.result_of("export default await pipeline([], () => agent('never'));") == []


def test_an_item_whose_stage_throws_becomes_null_and_skips_the_rest(child: ChildProcess) -> None:
    source = """export default await pipeline([1, 2, 3],
        (n) => { if (n === 2) throw new Error("two"); return n; }, (n) => { log(n); return n * 10; });"""
    child.start(source)
    drained = child.drain()
    assert drained["output"]["result"] == [10, None, 30]
    assert [call["values"] for call in drained["calls"]] == [[1], [3]]
    assert len(drained["diagnostics"]) == 1


def test_null_is_a_value_that_goes_on_to_the_next_stage(child: ChildProcess) -> None:
    assert child.result_of("export default await pipeline([1], () => null, (v) => [v]);") == [[None]]


@pytest.mark.parametrize(
    "call", ["pipeline()", "pipeline(5, (x) => x)", "pipeline([1], 5)", "pipeline([], null)"]
)
def test_pipeline_of_no_array_or_with_no_function_is_a_type_error(child: ChildProcess, call: str) -> None:
    source = f"export default await (async () => {call})().catch((e) => e.name);"
    assert child.result_of(source) == "TypeError"


def test_parallel_inside_pipeline_inside_parallel_works(child: ChildProcess) -> None:
    source = """export default await parallel([
        () => pipeline([1, 2], (n) => parallel([() => agent("a" + n), () => n])), () => 9]);"""
    child.start(source)
    assert settle_all(child, {"a1": "A1", "a2": "A2"}) == ["a1", "a2"]
    assert child.result() == [[["A1", 1], ["A2", 2]], 9]


def test_parallel_asks_a_thousand_agents_at_once(child: ChildProcess) -> None:
    child.start(
        "export default (await parallel(Array.from({ length: 1000 }, (_, i) => () => agent(`${i}`)))).length;"
    )
    assert len(child.take()) == 1000

"""What an author should know although the run succeeded, and what an error tells beside its message."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from .child_process import ChildProcess

DECLARATIONS = Path(__file__).parents[2] / "schemas" / "workflow.d.ts"


def diagnostics(child: ChildProcess, source: str, kind: str) -> list[dict[str, Any]]:
    """Run to the end with every request answered by null; the notes of one kind."""
    child.initialize()
    child.start(source)
    while True:
        drained = child.drain()
        if drained["state"] == "complete" or drained.get("stalled"):
            return [note for note in drained.get("diagnostics", []) if note["kind"] == kind]
        for request in drained["requests"]:
            child.resolve(request["id"], None)


def test_a_swallowed_error_is_noted_with_helper_index_and_stack(child: ChildProcess) -> None:
    source = 'export default parallel([() => 1, () => { throw new Error("boom") }]);'
    (note,) = diagnostics(child, source, "swallowed_error")
    assert (note["helper"], note["index"]) == ("parallel", 1)
    assert note["error"]["message"] == "boom"
    assert "workflow.js:1:" in note["error"]["stack"]


@pytest.mark.parametrize(
    ("source", "helper", "count"),
    [
        ("export default parallel([() => nope(), () => agent('a').then(nope)]);", "parallel", 2),
        ("export default pipeline([1, 2, 3], (n) => n, () => { throw 1 });", "pipeline", 3),
    ],
)
def test_a_call_whose_items_all_failed_is_noted_as_such(
    child: ChildProcess, source: str, helper: str, count: int
) -> None:
    (note,) = diagnostics(child, source, "all_failed")
    assert (note["helper"], note["count"]) == (helper, count)
    assert f"all {count} failed" in note["message"]


@pytest.mark.parametrize(
    "source",
    [
        "export default parallel([() => null, () => null]);",
        "export default parallel([() => { throw 1 }, () => null]);",
        "export default parallel([]);",
        "export default pipeline([null]);",
    ],
)
def test_results_that_are_null_without_an_error_are_no_failure_of_all(
    child: ChildProcess, source: str
) -> None:
    assert diagnostics(child, source, "all_failed") == []


def test_that_all_failed_is_noted_although_the_errors_themselves_filled_the_notes(
    child: ChildProcess,
) -> None:
    source = "export default parallel(Array(500).fill(() => { throw 1 }));"
    (note,) = diagnostics(child, source, "all_failed")
    assert note["count"] == 500


def test_calls_that_fail_without_end_are_noted_up_to_a_bound(child: ChildProcess) -> None:
    source = """export default async () => {
      for (let i = 0; i < 3000; i++) await parallel([() => { throw 1 }]);
    };"""
    assert len(diagnostics(child, source, "all_failed")) == 20


def test_a_workflow_cannot_hide_or_forge_that_all_failed(child: ChildProcess) -> None:
    source = """
      Object.defineProperty(Object.prototype, 'failed', { get: () => 0, set() {} });
      Object.defineProperty(Array.prototype, 'length', { writable: true });
      JSON.stringify = String.prototype.toString = () => 'forged';
      export default parallel([() => { throw 1 }, () => { throw 2 }]);"""
    (note,) = diagnostics(child, source, "all_failed")
    assert note["count"] == 2


def test_a_rejection_that_nobody_handles_is_noted(child: ChildProcess) -> None:
    (note,) = diagnostics(child, 'Promise.reject(new Error("lost")); export default 1', "unhandled_rejection")
    assert "lost" in note["message"]


@pytest.mark.parametrize(
    "source",
    [
        'Promise.reject(new Error("x")).catch(() => 0); export default 1',
        "const p = Promise.reject(1); export default async () => { await agent('a'); p.catch(() => 0) }",
        "export default async () => { try { await Promise.reject(1) } catch { return 1 } }",
    ],
)
def test_a_rejection_that_is_handled_in_the_end_is_not_noted(child: ChildProcess, source: str) -> None:
    assert diagnostics(child, source, "unhandled_rejection") == []


def test_rejections_without_end_are_noted_up_to_a_bound(child: ChildProcess) -> None:
    source = "for (let i = 0; i < 100000; i++) Promise.reject(i); export default 1"
    assert len(diagnostics(child, source, "unhandled_rejection")) == 20


def test_a_reason_that_cannot_be_described_costs_the_notes_and_not_the_result(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=200)
    child.start("Promise.reject({ get message() { for (;;); } }); export default 7")
    assert child.drain()["output"] == {"result": 7}


@pytest.mark.parametrize(
    "source",
    [
        "export default { a: { late: agent('x') } }",
        "log([Promise.resolve(1)]); export default 1",
        "Object.prototype.toJSON = undefined; export default { late: agent('x') }",
    ],
)
def test_a_promise_inside_a_value_is_noted(child: ChildProcess, source: str) -> None:
    (note,) = diagnostics(child, source, "promise_in_value")
    assert "await" in note["message"]


def test_an_unknown_option_is_passed_on_and_noted_once(child: ChildProcess) -> None:
    source = "export default parallel([1, 2].map(() => () => agent('x', { lable: 'l', label: 'k' })))"
    child.initialize()
    child.start(source)
    requests = child.drain()["requests"]
    assert [request["options"] for request in requests] == [{"lable": "l", "label": "k"}] * 2
    for request in requests:
        child.resolve(request["id"], None)
    (note,) = child.drain()["diagnostics"]
    assert note["kind"] == "unknown_option"
    assert '"lable"' in note["message"]


def test_each_option_that_authors_types_have_is_known(child: ChildProcess) -> None:
    declared = re.search(r"(?ms)interface AgentOptions \{(.*?)^\}", DECLARATIONS.read_text())
    assert declared is not None
    names = re.findall(r"readonly (\w+)\?:", declared[1])
    assert {"label", "continue"} <= set(names)
    options = ", ".join(f"{name}: null" for name in names)
    assert diagnostics(child, f"export default await agent('x', {{ {options} }})", "unknown_option") == []


def failure_data(child: ChildProcess, source: str) -> dict[str, Any]:
    child.initialize()
    data: dict[str, Any] = child.failure_of(source).data
    return data


def test_an_error_tells_its_causes(child: ChildProcess) -> None:
    source = """export default () => {
  throw new Error("outer", { cause: new TypeError("middle", { cause: "inner" }) });
}"""
    data = failure_data(child, source)
    assert data["cause"]["name"] == "TypeError"
    assert data["cause"]["message"] == "middle"
    assert "workflow.js:2:" in data["cause"]["stack"]
    assert data["cause"]["cause"] == {"name": None, "message": "inner", "stack": ""}


def test_a_cause_that_is_its_own_cause_ends(child: ChildProcess) -> None:
    data = failure_data(child, 'const e = new Error("e"); e.cause = e; export default () => { throw e }')
    depth = 0
    while "cause" in data:
        data, depth = data["cause"], depth + 1
    assert depth == 8


def test_an_aggregate_error_tells_its_parts(child: ChildProcess) -> None:
    data = failure_data(
        child, 'export default Promise.any([Promise.reject(new Error("a")), Promise.reject(2)])'
    )
    assert [part["message"] for part in data["errors"]] == ["a", "2"]


def test_a_rejected_request_tells_which_call_it_was_and_where(child: ChildProcess) -> None:
    child.initialize()
    child.start('const ask = () =>\n  agent("x");\nexport default async () => { await ask(); };')
    child.drain()
    child.settle("1", {"type": "error", "message": "no"})
    data = child.failure().data
    assert data["message"] == "no"
    assert data["request"] == {"type": "agent", "id": "1"}
    assert "ask (workflow.js:2:3)" in data["stack"]


@pytest.mark.parametrize("name", ["loop", "console", "setTimeout", "context", "tools"])
def test_an_unknown_global_is_named_with_the_globals_there_are(child: ChildProcess, name: str) -> None:
    message = failure_data(child, f"{name}.x; export default 1")["message"]
    assert f"{name} is not defined" in message
    for known in ("args", "budget", "agent", "workflow", "parallel", "pipeline", "phase", "log", "SW"):
        assert known in message


@pytest.mark.parametrize(
    ("source", "form"),
    [
        ("agent({ prompt: 'x' })", 'agent("What to do", { label: "short name" })'),
        ("agent('x', 'label')", "takes an object as its options"),
        ("await parallel({ a: () => 1 })", '[() => agent("…"), () => agent("…")]'),
        ("await parallel([agent('x')])", '[() => agent("…"), () => agent("…")]'),
        ("await parallel(() => 1)", "takes an array of functions"),
        ("await pipeline({}, (x) => x)", "pipeline([1, 2], "),
        ("await pipeline([1], agent('x'))", "pass functions"),
        ("workflow({ path: 'x' })", '{scriptPath: "…"}'),
        ("phase({ title: 'x' })", "takes a string as its name"),
    ],
)
def test_a_call_in_the_form_of_another_runtime_is_told_the_form_here(
    child: ChildProcess, source: str, form: str
) -> None:
    data = failure_data(child, f"{source}; export default 1")
    assert data["name"] == "TypeError"
    assert form in data["message"]

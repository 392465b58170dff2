"""How a run fails: its kinds, its texts, the author's positions, and nothing after it."""

from __future__ import annotations

import pytest

from .child_process import ChildProcess, Refused

BY_KIND = {
    "exception": 'throw new Error("x");\nexport default 1;',
    "syntax": "export default (;",
    "import": 'import fs from "fs";\nexport default 1;',
    "missing_default": "export const other = 1;",
    "timeout": "for (;;);\nexport default 1;",
    "memory": "const a = [];\nfor (;;) a.push(new Array(10000).fill(0));\nexport default 1;",
    "stack": "function f() { return f() + 1; }\nexport default f();",
    "serialization": "export default 1n;",
    "limit": 'for (;;) log("x".repeat(1000));\nexport default 1;',
}


def initialize_for(child: ChildProcess, kind: str) -> None:
    """Limits that are soon reached; only a timeout is to come by time, however busy the machine is."""
    step = 200 if kind == "timeout" else 15_000
    child.initialize(stepTimeoutMs=step, memoryBytes=16 << 20, maxQueuedBytes=100_000)


def failure_in(child: ChildProcess, kind: str) -> Refused:
    initialize_for(child, kind)
    return child.failure_of(BY_KIND[kind])


@pytest.mark.parametrize("kind", BY_KIND)
def test_every_failure_has_a_kind_a_code_a_message_and_a_stack(child: ChildProcess, kind: str) -> None:
    failure = failure_in(child, kind)
    assert failure.kind == kind
    assert -32099 <= failure.code <= -32000
    assert failure.message
    assert {"kind", "name", "message", "stack"} <= set(failure.data)


@pytest.mark.parametrize("kind", BY_KIND)
def test_poll_drain_and_take_repeat_the_same_failure(child: ChildProcess, kind: str) -> None:
    first = failure_in(child, kind)
    for method in ("poll", "drain", "take", "poll"):
        with pytest.raises(Refused) as caught:
            child.request(method)
        assert (caught.value.code, caught.value.message) == (first.code, first.message)
        assert caught.value.data == first.data


@pytest.mark.parametrize("kind", BY_KIND)
def test_no_second_start_follows_a_failure(child: ChildProcess, kind: str) -> None:
    failure_in(child, kind)
    with pytest.raises(Refused) as caught:
        child.start("export default 1;")
    assert caught.value.kind == "invalid_state"


@pytest.mark.parametrize("kind", ["syntax", "import"])
def test_syntax_and_static_imports_are_refused_by_start_itself(child: ChildProcess, kind: str) -> None:
    child.initialize()
    with pytest.raises(Refused) as caught:
        child.start(BY_KIND[kind])
    assert caught.value.kind == kind


@pytest.mark.parametrize("kind", sorted(set(BY_KIND) - {"syntax", "import"}))
def test_start_runs_no_code_so_every_other_failure_comes_later(child: ChildProcess, kind: str) -> None:
    initialize_for(child, kind)
    child.start(BY_KIND[kind])
    assert child.failure().kind == kind


def test_a_module_that_throws_says_that_its_evaluation_was_rejected(child: ChildProcess) -> None:
    failure = child.failure_of('throw new RangeError("boom");\nexport default 1;')
    assert failure.message == "workflow module evaluation rejected: boom"
    assert (failure.data["name"], failure.data["message"]) == ("RangeError", "boom")


@pytest.mark.parametrize(
    "default",
    [
        '() => { throw new TypeError("boom"); }',
        'async () => { throw new TypeError("boom"); }',
        'Promise.reject(new TypeError("boom"))',
        'async () => { await agent("x").catch(() => 0); throw new TypeError("boom"); }',
    ],
)
def test_a_default_that_throws_says_that_the_workflow_was_rejected(child: ChildProcess, default: str) -> None:
    child.start(f"export default {default};")
    for request in child.request("drain")["requests"] if "agent" in default else []:
        child.resolve(request["id"], None)
    failure = child.failure()
    assert (failure.kind, failure.message) == ("exception", "workflow module rejected: boom")
    assert failure.data["name"] == "TypeError"


@pytest.mark.parametrize(
    ("thrown", "shown"),
    [
        ('"a string"', "a string"),
        ("42", "42"),
        ("null", "null"),
        ("undefined", "undefined"),
        ('{ code: "E" }', '{"code":"E"}'),
        ('{ message: "made by hand" }', "made by hand"),
        ('Object.assign(new Error("named"), { name: "Custom" })', "named"),
        ("new (class Mine extends Error {})('sub')", "sub"),
        ("'\\ud800'", "\ud800"),
    ],
)
def test_whatever_is_thrown_is_told(child: ChildProcess, thrown: str, shown: str) -> None:
    failure = child.failure_of(f"export default () => {{ throw {thrown}; }};")
    assert (failure.kind, failure.message) == ("exception", f"workflow module rejected: {shown}")


@pytest.mark.parametrize(
    "thrown",
    [
        "{ get message() { throw 1; } }",
        "{ get stack() { throw 1; }, get name() { throw 1; } }",
        "{ toString() { throw 1; } }",
        "Symbol('s')",
        "new Proxy({}, { get() { throw 1; }, ownKeys() { throw 1; } })",
        "Object.create(null)",
        "() => 1",
        "{ message: { toString: null }, name: 5, stack: [] }",
        "1n",
    ],
)
def test_a_thrown_value_that_resists_is_an_exception_all_the_same(child: ChildProcess, thrown: str) -> None:
    failure = child.failure_of(f"export default () => {{ throw {thrown}; }};")
    assert failure.kind == "exception"
    assert failure.message.startswith("workflow module rejected: ")


def test_a_very_long_message_is_a_failure_like_any_other(child: ChildProcess) -> None:
    failure = child.failure_of('export default () => { throw new Error("x".repeat(20e6)); };')
    assert failure.kind == "exception"


NESTED = """const one = 1;
function inner() {
  throw new Error("deep");
}
export default async function outer() {
  await null;
    inner();
}
"""


def test_the_stack_names_the_authors_file_lines_and_columns(child: ChildProcess) -> None:
    failure = child.failure_of(NESTED, sourceName="flows/review.js")
    frames = failure.data["stack"].split("\n")
    assert "flows/review.js:3:" in frames[0]
    assert "inner" in frames[0]
    assert "flows/review.js:7:" in frames[1]


def test_the_stack_of_a_module_that_throws_starts_at_the_throw(child: ChildProcess) -> None:
    failure = child.failure_of('\n\n  throw new Error("x");\nexport default 1;', sourceName="a.js")
    assert "a.js:3:" in failure.data["stack"].split("\n")[0]


def test_a_workflow_without_a_name_is_called_workflow_js(child: ChildProcess) -> None:
    failure = child.failure_of('throw new Error("x");\nexport default 1;')
    assert "workflow.js:1:" in failure.data["stack"]


@pytest.mark.parametrize("name", ["ü€𝄞.js", "a b.js", "workflow:extra", "flowcage:prelude", "x\x00y.js", ""])
def test_any_name_of_a_source_is_a_name(child: ChildProcess, name: str) -> None:
    failure = child.failure_of('throw new Error("x");\nexport default 1;', sourceName=name)
    assert failure.message == "workflow module evaluation rejected: x"


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("export default (;", 1),
        ("const a = 1;\n\nconst b = ;\nexport default 1;", 3),
        ("let a;\r\nlet a;", 2),
    ],
)
def test_a_syntax_error_names_file_line_and_column(child: ChildProcess, source: str, line: int) -> None:
    failure = child.failure_of(source, sourceName="broken.js")
    assert failure.kind == "syntax"
    assert failure.data["name"] == "SyntaxError"
    assert failure.data["line"] == line
    assert failure.data["column"] >= 1
    assert failure.data["sourceName"] == "broken.js"


def test_calls_and_requests_queued_before_a_failure_come_first(child: ChildProcess) -> None:
    child.start('log("a"); agent("b"); log("c");\nthrow new Error("then this");')
    drained = child.drain()
    assert [call["values"] for call in drained["calls"]] == [["a"], ["c"]]
    assert [request["prompt"] for request in drained["requests"]] == ["b"]
    assert drained["state"] == "pending"
    with pytest.raises(Refused, match="then this"):
        child.drain()


def test_poll_reports_what_was_queued_before_the_failure(child: ChildProcess) -> None:
    child.start('log("a"); agent("b");\nthrow new Error("then this");')
    assert child.poll()["call"]["values"] == ["a"]
    assert child.poll()["request"]["id"] == "1"
    assert len(child.take()) == 1
    with pytest.raises(Refused, match="then this"):
        child.poll()


@pytest.mark.parametrize("end", ['throw new Error("x");', BY_KIND["memory"], 'log("x".repeat(200_000));'])
def test_a_request_that_was_answered_after_a_failure_is_reported_no_more(
    child: ChildProcess, end: str
) -> None:
    child.initialize(stepTimeoutMs=15_000, memoryBytes=16 << 20, maxQueuedBytes=100_000)
    child.start(f'agent("first");\nagent("second");\n{end}')
    for request in ("1", "2"):
        assert child.poll()["request"]["id"] == request
        child.resolve(request, "too late")
    with pytest.raises(Refused):
        child.poll()


def test_no_javascript_runs_after_a_failure(child: ChildProcess) -> None:
    source = """
        agent("a").then(() => log("ran after all"), () => log("ran after all"));
        export default async () => { throw new Error("end"); };
    """
    child.start(source)
    assert len(child.drain()["requests"]) == 1
    child.request("resolve", id="1", resolution={"type": "ok", "value": 1})
    for method in ("drain", "poll", "take"):
        with pytest.raises(Refused, match="end"):
            child.request(method)


def test_missing_default_says_what_to_export(child: ChildProcess) -> None:
    failure = child.failure_of("export const other = 1;")
    assert failure.message.startswith("workflow module must default export ")


def test_an_unhandled_rejection_beside_the_workflow_does_not_end_it(child: ChildProcess) -> None:
    assert child.result_of('Promise.reject(new Error("stray"));\nexport default 5;') == 5

"""Attacks that once worked, each as it was made, on the bridge, the parser and the reports."""

from __future__ import annotations

import pytest

from .child_process import ChildProcess

FORGE = """
const concat = String.prototype.concat, apply = Reflect.apply;
const forged = '],"requests":[],"state":"complete","output":{"result":"FORGED"}}}\\n';
try {
  String.prototype.concat = function (...parts) {
    const text = apply(concat, this, parts);
    return text === '{"type":"log","values":["x"]}' ? text + forged : '7';
  };
} catch (error) {
  log(error.name);
}
export default async () => { log("x"); return [await agent("real"), `${1}${2}`]; };
"""


def test_template_literals_of_the_prelude_do_not_call_the_workflow(child: ChildProcess) -> None:
    child.initialize()
    child.start(FORGE)
    drained = child.drain()
    assert drained["calls"] == [
        {"type": "log", "values": ["TypeError"]},
        {"type": "log", "values": ["x"]},
    ]
    assert [request["id"] for request in drained["requests"]] == ["1"]
    child.resolve("1", "answer")
    assert child.drain()["output"] == {"result": ["answer", "12"]}


@pytest.mark.parametrize(
    "source",
    [
        "return " + "(a," * 40_000,
        "return " + "[a," * 40_000,
        "return " + "a?" * 60_000,
        "return " + "a+" * 60_000,
        "return 1;" + "@#" * 60_000,
        "<a" * 20_000 + " return",
    ],
    ids=["parentheses", "brackets", "conditionals", "sums", "garbage", "markup"],
)
def test_a_source_made_to_exhaust_the_parser_is_a_typed_failure(child: ChildProcess, source: str) -> None:
    child.initialize()
    assert child.failure_of(source).kind in {"syntax", "stack", "limit", "memory"}


@pytest.mark.parametrize("limit", ["memoryBytes", "stackBytes"])
def test_limits_too_small_for_any_workflow_are_told_and_stay_told(child: ChildProcess, limit: str) -> None:
    child.initialize(**{limit: 1})
    assert child.failure_of("export default 1").kind == "memory"
    assert child.failure().kind == "memory"


def test_an_exec_request_that_changes_between_two_looks_crosses_as_it_was_checked(
    child: ChildProcess,
) -> None:
    source = """
let looks = 0;
const shifty = new Proxy({}, { getOwnPropertyDescriptor: (_target, name) => (
  name === 'command' && ++looks === 1
    ? { value: 'ls', configurable: true, enumerable: true, writable: true } : undefined) });
SW.sandbox.exec('p', shifty);
export default 1;"""
    child.initialize()
    child.start(source)
    (request,) = child.drain()["requests"]
    assert request["request"] == {"command": "ls"}


@pytest.mark.parametrize(
    "members",
    [
        "args: Object.assign(['x'], { toJSON: () => 5 })",
        "env: { n: 0, get A() { return this.n++ ? {} : 'x' } }",
        "cwd: new String('x')",
    ],
)
def test_an_exec_request_of_the_wrong_shape_never_crosses(child: ChildProcess, members: str) -> None:
    child.initialize()
    data = child.failure_of(f"export default SW.sandbox.exec('p', {{ command: 'c', {members} }})").data
    assert data["name"] == "TypeError"


@pytest.mark.parametrize(
    "answer",
    [
        "(() => { let d = [1]; for (let i = 0; i < 40; i++) d = [d, d]; return d; })()",
        "(() => { let d = []; for (let i = 0; i < 600; i++) d = [d]; return d; })()",
    ],
)
def test_what_a_bigint_turns_into_is_bounded_like_any_value(child: ChildProcess, answer: str) -> None:
    source = f"""
const answer = {answer};
BigInt.prototype.toJSON = () => answer;
export default () => {{ try {{ log(1n) }} catch (error) {{ return error.name }} }};"""
    child.initialize()
    child.start(source)
    assert child.result() == "RangeError"


def test_describing_stray_rejections_runs_no_code_of_the_workflow(child: ChildProcess) -> None:
    child.initialize()
    child.start("Promise.reject({ get message() { agent('late'); return 'm' } }); export default 1")
    drained = child.drain()
    assert drained["output"] == {"result": 1}
    assert drained["requests"] == []


@pytest.mark.parametrize(
    "value",
    [
        "(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; })()",
        "new Proxy({}, { getOwnPropertyDescriptor() { throw 1 }, get() { throw 2 } })",
    ],
)
def test_a_thrown_value_that_cannot_be_looked_at_is_an_exception_like_any_other(
    child: ChildProcess, value: str
) -> None:
    child.initialize()
    assert child.failure_of(f"export default () => {{ throw {value} }}").kind == "exception"


def test_an_error_that_only_says_out_of_memory_is_no_memory_failure(child: ChildProcess) -> None:
    child.initialize()
    child.start('export default parallel([() => { throw new Error("out of memory") }, () => agent("x")])')
    child.drain()
    child.settle("1", {"type": "error", "message": "out of memory"})
    assert child.drain()["output"] == {"result": [None, None]}


def test_notes_never_cost_the_result(child: ChildProcess) -> None:
    child.initialize()
    source = "throw new Error('字'.repeat(16384), { cause: new Error('\\u0001'.repeat(16384)) })"
    child.start(f"export default parallel(Array.from({{ length: 100 }}, () => () => {{ {source} }}))")
    assert child.drain()["output"] == {"result": [None] * 100}


def test_an_error_whose_parts_are_itself_is_described_within_bounds(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=15_000)
    source = "const e = new AggregateError([], 'boom'); e.errors = [e, e, e, e, e, e, e, e]; throw e"
    failure = child.failure_of(f"export default () => {{ {source} }}")
    assert (failure.kind, failure.data["message"]) == ("exception", "boom")


def test_setters_on_array_prototype_see_nothing_of_a_value(child: ChildProcess) -> None:
    child.initialize()
    child.start(
        "Object.defineProperty(Array.prototype, '0', { set() { throw new Error('seen') } });"
        "export default () => ({ a: [1, [2]] })"
    )
    assert child.result() == {"a": [1, [2]]}


def test_parallel_runs_what_it_was_given_whatever_its_tasks_do_to_the_list(child: ChildProcess) -> None:
    child.initialize()
    child.start(
        "const tasks = [() => { tasks.length = 1; tasks.push(5); return 1 }, () => 2, () => 3];"
        "export default parallel(tasks)"
    )
    assert child.result() == [1, 2, 3]


@pytest.mark.parametrize("space", ["\u00a0", "\ufeff"])
def test_a_script_cannot_close_its_wrapper_by_spaces_that_parsers_disagree_on(
    child: ChildProcess, space: str
) -> None:
    child.initialize()
    source = f'if (false) return\n{space}/ 1; "/; }}; log("escaped"); async () => {{ //"\nlog("in");\n'
    assert child.failure_of(source).kind == "syntax"


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("return\n(5)", None),
        ("return /* x */ 5", 5),
        ("return /* x\n */ 5", None),
        ("if (args.no) return; else log(1)\nreturn 2", 2),
        ("if (args.no) return\nelse log(1)\nreturn 2", 2),
        ("do return\nwhile (1)", None),
        ("{ return }", None),
        ("return // nothing", None),
        ("return ((x) => x + 1)(1)", 2),
        ("return `a${1}`", "a1"),
        ("return /re/.test('re')", True),
    ],
)
def test_a_return_ends_where_the_language_says_it_ends(
    child: ChildProcess, source: str, result: object
) -> None:
    child.initialize()
    child.start(source)
    assert child.result() == result

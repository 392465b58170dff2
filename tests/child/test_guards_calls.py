"""Guards of the author's calls and of the steps between them, each with what it alone keeps out."""

from __future__ import annotations

import pytest

from .child_process import ChildProcess, Refused


@pytest.mark.parametrize("name", ["toString", "constructor", "__proto__"])
def test_an_option_named_like_a_member_of_object_prototype_is_unknown_too(
    child: ChildProcess, name: str
) -> None:
    child.start(f'agent("x", {{ ["{name}"]: 1 }}); export default 1;')
    note, _ = child.drain()["diagnostics"]  # the other one is that nobody awaits the agent
    assert (note["kind"], name in note["message"]) == ("unknown_option", True)


@pytest.mark.parametrize("call", ['agent("x", options)', 'phase("x", options)'])
@pytest.mark.parametrize("options", ["[1]", "{ toJSON: () => [1] }", "{ toJSON: () => 5 }", "() => 1"])
def test_options_that_cross_as_no_object_are_a_type_error(
    child: ChildProcess, call: str, options: str
) -> None:
    child.start(
        f"const options = {options}; let name;"
        f"try {{ {call}; }} catch (e) {{ name = e.name; }} export default name;"
    )
    drained = child.drain()
    assert (drained["calls"], drained["requests"]) == ([], [])
    assert drained["output"] == {"result": "TypeError"}


@pytest.mark.parametrize(
    "call",
    [
        "workflow({})",
        "workflow(Object.create({ scriptPath: 'a' }))",
        "workflow({ get scriptPath() { return 'a'; } })",
        "SW.sandbox.exec(5, { command: 'c' })",
        "SW.sandbox.exec('p', { command: 'c', env: ['x'] })",
        "SW.sandbox.exec('p', Object.create({ command: 'c' }))",
        "SW.sandbox.exec('p', { get command() { return 'c'; } })",
    ],
)
def test_what_a_call_needs_must_be_data_of_the_object_itself(child: ChildProcess, call: str) -> None:
    assert child.failure_of(f"export default () => {call};").data["name"] == "TypeError"


@pytest.mark.parametrize("member", ["args: ['x']", "cwd: '/'", "env: { A: 'b' }", "stdin: 'x'"])
def test_a_member_of_an_exec_request_behind_a_getter_is_not_sent(child: ChildProcess, member: str) -> None:
    name, value = member.split(": ", 1)
    child.start(
        f"const request = Object.defineProperty({{ command: 'c' }}, '{name}', {{ get: () => ({value}) }});"
        "SW.sandbox.exec('p', request); export default 1;"
    )
    (request,) = child.drain()["requests"]
    assert request["request"] == {"command": "c"}


def test_a_phase_that_was_refused_is_not_entered(child: ChildProcess) -> None:
    child.start('try { phase("no", { a: 1n }); } catch {}\nagent("x"); export default 1;')
    (request,) = child.drain()["requests"]
    assert "options" not in request


def test_pipeline_runs_the_items_it_was_given_whatever_its_stages_do_to_the_list(child: ChildProcess) -> None:
    source = """
        const items = [1, 2];
        export default pipeline(items, (item) => { items.push(9); items[1] = 9; return item; });
    """
    assert len(child.result_of(source)) == 2


def test_tasks_and_stages_are_called_without_a_this(child: ChildProcess) -> None:
    source = """
        const free = function () { return this === undefined; };
        export default [await parallel([free]), await pipeline([1], free)];
    """
    assert child.result_of(source) == [[True], [True]]


def test_the_denial_of_dynamic_code_takes_no_members(child: ChildProcess) -> None:
    source = """export default [
        (function () {}).constructor, (async () => {}).constructor, Math.random, agent.constructor,
    ].map((denial) => Object.isFrozen(denial));"""
    assert child.result_of(source) == [True] * 4


@pytest.mark.parametrize("kind", ["function ()", "async function ()", "function* ()", "async function* ()"])
def test_the_denial_of_dynamic_code_is_neither_replaced_nor_deleted(child: ChildProcess, kind: str) -> None:
    source = f"""
        const prototype = Object.getPrototypeOf({kind} {{}});
        const before = prototype.constructor;
        try {{ prototype.constructor = 1; }} catch {{}}
        try {{ delete prototype.constructor; }} catch {{}}
        export default before === prototype.constructor;
    """
    assert child.result_of(source) is True


def test_no_code_runs_when_an_answer_comes_after_the_failure(child: ChildProcess) -> None:
    child.start("""
        Object.defineProperty(Object.prototype, "then", { get() { log("ran after all"); } });
        agent("x");
        throw new Error("end");
    """)
    child.drain()
    child.resolve("1", {"a": 1})
    with pytest.raises(Refused, match="end"):
        child.drain()


def test_code_that_an_answer_runs_is_held_to_the_step_timeout(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=200)
    child.start("""
        await agent("first");
        Object.defineProperty(Object.prototype, "then", { get() { for (;;); } });
        export default await agent("second");
    """)
    child.drain()
    child.resolve("1", None)
    child.drain()
    child.resolve("2", {"a": 1})
    assert child.failure().kind == "timeout"


def test_what_was_queued_before_a_timeout_is_handed_out_whole(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=1000)
    child.start("for (let i = 0; i < 30000; i++) log(i);\nfor (;;);")
    assert len(child.drain()["calls"]) == 30000
    assert child.failure().kind == "timeout"


def test_args_that_do_not_fit_the_heap_are_a_memory_failure_of_start(child: ChildProcess) -> None:
    child.initialize(memoryBytes=4 << 20)
    with pytest.raises(Refused) as caught:
        child.start("export default 1;", args="x" * 6_000_000)
    assert caught.value.kind == "memory"
    assert caught.value.message.startswith("workflow args: ")


def test_an_answer_that_does_not_fit_the_heap_is_a_memory_failure(child: ChildProcess) -> None:
    child.initialize(memoryBytes=4 << 20)
    child.start('export default (await agent("x")).length;')
    child.drain()
    child.resolve("1", "x" * 6_000_000)
    assert child.failure().kind == "memory"


def test_meta_that_takes_too_long_to_tell_is_a_timeout(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=1)
    with pytest.raises(Refused) as caught:
        child.request("check", source=f"export const meta = [{'0,' * 60_000}];\nreturn 1;")
    assert caught.value.kind == "timeout"


@pytest.mark.parametrize("name", ["\ud800.js", "a\0b.js"])
def test_a_name_that_c_cannot_hold_is_told_with_replacements_in_stacks(
    child: ChildProcess, name: str
) -> None:
    failure = child.failure_of('throw new Error("x");\nexport default 1;', sourceName=name)
    shown = name.replace("\ud800", "?").replace("\0", "?")
    assert f"{shown}:1:" in failure.data["stack"]


@pytest.mark.parametrize("path", ["budget.spent", "budget.remaining", "SW.extra.sleep", "SW.sandbox.exec"])
def test_a_function_inside_a_helper_is_frozen_too(child: ChildProcess, path: str) -> None:
    assert child.result_of(f"export default Object.isFrozen({path});") is True


def test_stack_bytes_set_how_deep_a_workflow_may_recurse(child: ChildProcess) -> None:
    source = "let n = 0; const f = () => { n += 1; f(); }; try { f(); } catch {} export default n;"
    child.initialize(stackBytes=256 << 10)
    shallow = child.result_of(source)
    with ChildProcess() as other:
        other.initialize(stackBytes=4 << 20)
        assert other.result_of(source) > 4 * shallow

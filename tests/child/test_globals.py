"""What a workflow finds on its global object and in its context."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .child_process import ChildProcess

GLOBALS = ["args", "budget", "agent", "workflow", "log", "phase", "parallel", "pipeline", "SW"]


@pytest.mark.parametrize("name", GLOBALS)
def test_every_global_is_enumerable_read_only_and_non_configurable(child: ChildProcess, name: str) -> None:
    source = f"""
        const found = Object.getOwnPropertyDescriptor(globalThis, "{name}");
        const {{ enumerable, writable, configurable }} = found;
        export default {{ enumerable, writable, configurable }};
    """
    assert child.result_of(source) == {"enumerable": True, "writable": False, "configurable": False}


@pytest.mark.parametrize("name", GLOBALS)
def test_no_global_can_be_replaced_or_deleted(child: ChildProcess, name: str) -> None:
    source = f"""
        const before = {name};
        const refused = [];
        for (const attempt of [
            () => {{ globalThis.{name} = 1; }},
            () => {{ delete globalThis.{name}; }},
            () => {{ Object.defineProperty(globalThis, "{name}", {{ value: 1 }}); }},
        ]) try {{ attempt(); }} catch (e) {{ refused.push(e.name); }}
        export default {{ refused, same: before === globalThis.{name} }};
    """
    assert child.result_of(source) == {"refused": ["TypeError"] * 3, "same": True}


def test_nothing_but_the_globals_is_enumerable(child: ChildProcess) -> None:
    assert sorted(child.result_of("export default Object.keys(globalThis);")) == sorted(GLOBALS)


@pytest.mark.parametrize(
    "path",
    [*GLOBALS[1:], "SW.extra", "SW.extra.sleep", "SW.sandbox", "SW.sandbox.exec", "budget.spent", "context"],
)
def test_helpers_take_no_new_members(child: ChildProcess, path: str) -> None:
    source = f"""export default (args, context) => {{
        try {{ {path}.added = 1; }} catch (e) {{ return [e.name, "added" in {path}]; }}
    }};"""
    assert child.result_of(source) == ["TypeError", False]


def test_the_context_holds_the_helpers_extra_and_sandbox(child: ChildProcess) -> None:
    source = """export default (given, context) => {
        const { extra, sandbox, ...helpers } = context;
        const same = Object.keys(helpers).filter((name) => helpers[name] === globalThis[name]);
        return { same, args: given === args, extra: extra === SW.extra, sandbox: sandbox === SW.sandbox };
    };"""
    result = child.result_of(source)
    helpers = [name for name in GLOBALS if name != "SW"]
    assert sorted(result.pop("same")) == sorted(helpers)
    assert result == {"args": True, "extra": True, "sandbox": True}


@pytest.mark.parametrize(
    "value",
    [
        None,
        0,
        -1.5,
        True,
        "text",
        "",
        [],
        [1, [2]],
        {"a": {"b": [None]}},
        {"__proto__": {"x": 1}},
        {"then": 1, "toJSON": "no function"},
        2**53,
        1e308,
        "\x00\u2028\u2029\u0085𝄞",
    ],
)
def test_args_are_the_json_value_that_start_was_given(child: ChildProcess, value: Any) -> None:
    assert child.result_of("export default args;", args=value) == value


def test_args_are_an_empty_object_when_start_gives_none(child: ChildProcess) -> None:
    assert child.result_of("export default args;") == {}


def test_a_member_called_proto_in_args_is_data_and_no_prototype(child: ChildProcess) -> None:
    source = """export default [
        Object.getPrototypeOf(args) === Object.prototype, args.x === undefined,
        Object.keys(args), args.__proto__.x];"""
    result = child.result_of(source, args={"__proto__": {"x": 1}})
    assert result == [True, True, ["__proto__"], 1]


def test_budget_tells_total_spent_and_remaining(child: ChildProcess) -> None:
    source = "export default [budget.total, budget.spent(), budget.remaining()];"
    assert child.result_of(source, budget={"total": 100, "spent": 30}) == [100, 30, 70]


def test_remaining_budget_is_never_negative(child: ChildProcess) -> None:
    source = "export default [budget.spent(), budget.remaining()];"
    assert child.result_of(source, budget={"total": 10, "spent": 30}) == [30, 0]


@pytest.mark.parametrize("params", [{}, {"budget": {"total": None, "spent": 0}}])
def test_a_budget_without_a_total_never_runs_out(child: ChildProcess, params: dict[str, Any]) -> None:
    source = "export default [budget.total, budget.spent(), budget.remaining() === Infinity];"
    assert child.result_of(source, **params) == [None, 0, True]


def test_budget_shows_its_three_members_and_refuses_writes(child: ChildProcess) -> None:
    source = """
        let refused = 0;
        for (const name of ["total", "spent", "remaining"])
            try { budget[name] = 1e9; } catch { refused += 1; }
        export default { keys: Object.keys(budget), refused, total: budget.total };
    """
    result = child.result_of(source, budget={"total": 5, "spent": 0})
    assert result == {"keys": ["total", "spent", "remaining"], "refused": 3, "total": 5}


def test_a_new_budget_is_visible_to_the_code_that_resumes(child: ChildProcess) -> None:
    source = """
        const seen = [budget.spent()];
        await agent("x");
        export default [...seen, budget.total, budget.spent(), budget.remaining()];
    """
    child.start(source, budget={"total": 100, "spent": 1})
    child.drain()
    child.resolve("1", "answer", budget={"total": 200, "spent": 50})
    assert child.result() == [1, 200, 50, 150]


def test_a_budget_stays_when_a_resolution_brings_none(child: ChildProcess) -> None:
    child.start('await agent("x");\nexport default budget.spent();', budget={"total": 9, "spent": 4})
    child.drain()
    child.resolve("1", None)
    assert child.result() == 4


def test_log_sends_each_of_its_values_as_json(child: ChildProcess) -> None:
    source = 'log("a", 1, { b: [true] }, null);\nlog();\nexport default 1;'
    assert child.logs_of(source) == [["a", 1, {"b": [True]}, None], []]


def test_log_sends_null_for_what_json_lacks(child: ChildProcess) -> None:
    source = "log(undefined, () => 1, Symbol(), NaN, -Infinity, [undefined], { gone: undefined });"
    assert child.logs_of(source + "\nexport default 1;") == [[None] * 5 + [[None], {}]]


def test_log_takes_its_values_as_they_are_at_the_call(child: ChildProcess) -> None:
    source = "const a = [1];\nlog(a);\na.push(2);\nlog(a);\nexport default 1;"
    assert child.logs_of(source) == [[[1]], [[1, 2]]]


@pytest.mark.parametrize("value", ["1n", "(() => { const a = []; a.push(a); return a; })()"])
def test_log_throws_a_type_error_for_what_json_cannot_hold(child: ChildProcess, value: str) -> None:
    source = f"try {{ log({value}); }} catch (e) {{ log(e.name); }}\nexport default 1;"
    assert child.logs_of(source) == [["TypeError"]]


def test_phase_sends_its_name_and_options(child: ChildProcess) -> None:
    child.start('phase("one");\nphase("two", { icon: "x" });\nexport default 1;')
    assert child.drain()["calls"] == [
        {"type": "phase", "name": "one"},
        {"type": "phase", "name": "two", "options": {"icon": "x"}},
    ]


@pytest.mark.parametrize("call", ["log.call(null, 1)", "phase('x')"])
def test_log_and_phase_return_undefined(child: ChildProcess, call: str) -> None:
    assert child.result_of(f"export default [{call} === undefined];") == [True]


def test_calls_come_in_the_order_they_were_made(child: ChildProcess) -> None:
    child.start('log(1); phase("p"); log(2); phase("q"); log(3);\nexport default 1;')
    seen = [call.get("name") or call["values"][0] for call in child.drain()["calls"]]
    assert seen == [1, "p", 2, "q", 3]


def test_a_lone_surrogate_crosses_as_its_escape(child: ChildProcess) -> None:
    child.start("log(args);\nexport default args.length;", args="\ud800x")
    child.send_request("drain")
    line = child.next_line()
    assert json.loads(line)["result"]["calls"][0]["values"] == ["\ud800x"]
    assert b'"\\ud800x"' in line.lower()

"""Broken start, dialects, calls, poll, take, drain and resolve."""

from __future__ import annotations

from typing import Any

from .mutant import (
    Mutant,
    completes,
    earlier,
    edit,
    edit_data,
    error,
    has,
    method,
    reading,
    replaced,
    result,
    run,
    when,
)

PENDING = {"type": "pending", "stalled": False}


def _first_request(change: Any) -> Any:
    def action(told: dict[str, Any]) -> None:
        change(told["requests"][0])

    return edit(action)


def _told(method_name: str, source: str, then: Any, nth: int = 0) -> Mutant:
    return when(method(method_name, nth), run(source), then=then)


def _drained(**members: Any) -> Any:
    return edit(lambda told: told.update(members))


OF_RUNS: dict[str, Mutant] = {
    "start/compiles-only": _told("start", "// endless", error("timeout")),
    "start/syntax": _told("start", "1 +;", result({})),
    "start/import": _told("start", 'from "fs"', error("syntax")),
    "start/failure-repeated": _told("poll", "default [;", error("syntax", message="another")),
    "start/invalid-params": when(has("no-source.js"), then=result({})),
    "start/invalid-params: a source": when(has('"source": 1}'), then=error("syntax")),
    "start/invalid-params: a name": reading('"sourceName": null', '"sourceName": ""'),
    "start/invalid-params: a budget": reading('"budget": 5', '"budget": {"total": 5, "spent": 0}'),
    "start/invalid-params: half a budget": when(has('{"total": 1}'), then=edit_data(path="/budget/spent")),
    "start/invalid-params: less than nothing": when(has('"spent": -1'), then=edit_data(path="/budget")),
    "start/invalid-params: a total": when(has('"total": "1"'), then=edit_data(path="/budget")),
    "start/args": _told("drain", "export default args;", replaced("2.5", "2")),
    "start/args-null": _told("drain", "args === null", completes([False])),
    "start/args-default": reading("[typeof args, Object.keys(args)]", '[\\"undefined\\", []]'),
    "start/budget": reading("budget.remaining()", "budget.total"),
    "start/source-name": _told("drain", '"named"', replaced("flows/named.js", "workflow.js")),
    "start/source-name-default": _told("drain", '"nameless"', replaced("workflow.js", "module")),
    "dialects/module-function": _told("drain", "(given, context)", completes("function")),
    "dialects/module-promise": _told("drain", 'resolve("kept")', completes({})),
    "dialects/script-return": _told("drain", "Promise.resolve(3)", completes(None)),
    "dialects/auto-script": _told("start", "if (true) return", error("syntax")),
    "dialects/auto-module": _told("drain", "return 2;", completes(None)),
    "dialects/auto-meta-only": _told("drain", "nothing to give", error("missing_default")),
    "dialects/module-return": _told("start", "return 6;", result({})),
    "dialects/missing-default": _told("drain", "export const other", completes(None)),
    "dialects/unknown-dialect": reading('"coffee"', '"auto"'),
    "dialects/described-module": _told("start", "a described module", result({"dialect": "script"})),
    "dialects/described-script": _told("start", "a described script", result({"dialect": "module"})),
    "dialects/described-meta-only": _told("start", "described by meta", result({"dialect": "module"})),
    "dialects/not-described": _told("start", "'not described'", result({"dialect": "module"})),
    "calls/log": _told("drain", "{ b: [true] }", edit(lambda told: told["calls"][0].update(values=["a", 2]))),
    "calls/phase": _told(
        "drain", 'phase("Review");\nexport', edit(lambda told: told["calls"][0].update(options={}))
    ),
    "calls/agent": _told("take", 'label: "l"', _first_request(lambda r: r.pop("options"))),
    "calls/empty-options": _told("take", 'agent("d", {})', _first_request(lambda r: r.update(options={}))),
    "calls/phase-option": _told(
        "take", 'phase("two")', _first_request(lambda r: r.update(options={"phase": "two"}))
    ),
    "calls/workflow": _told("take", '"other", [1]', _first_request(lambda r: r.pop("args"))),
    "calls/workflow-path": _told("take", "./b.js", _first_request(lambda r: r.update(args=None))),
    "calls/sleep": _told("take", "sleep(12)", _first_request(lambda r: r.update(durationMs=0))),
    "calls/sandbox-exec": _told("take", '"default", args', _first_request(lambda r: r["request"].pop("env"))),
    "calls/ask": _told("take", "Ship it?", _first_request(lambda r: r.pop("choices", None))),
    "calls/ask-answered": _told("drain", "await SW.extra.ask", completes([None])),
    "calls/virtual-modules": _told("start", "workflow:sandbox", error("import")),
    "calls/one-counter": _told(
        "take", 'workflow("w")', edit(lambda told: told["requests"][2].update(id="1"))
    ),
    "poll/calls-first": _told(
        "poll", "log(1); log(2);", result({"type": "call", "call": {"type": "log", "values": [2]}}), 1
    ),
    "poll/request-repeated": _told("poll", 'await agent("a"), await agent("b")', result(PENDING), 2),
    "poll/taken-is-gone": _told(
        "poll",
        '"taken"',
        result({"type": "request", "request": {"type": "agent", "id": "1", "prompt": "taken"}}),
    ),
    "poll/resolved-is-gone": _told("poll", '"early"', result(PENDING), 2),
    "poll/requests-before-completion": _told(
        "poll", '"left behind"', result({"type": "complete", "output": {"result": "done"}}), 1
    ),
    "poll/complete-repeated": _told("poll", "once: 1", result(PENDING), 3),
    "poll/stalled": _told("poll", "new Promise", result(PENDING)),
    "take/all-at-once": _told("take", 'agent("b"); agent("c")', edit(lambda told: told["requests"].pop())),
    "take/once": _told(
        "take", "only once", result({"requests": [{"type": "agent", "id": "1", "prompt": "only once"}]}), 2
    ),
    "take/leaves-calls": _told("drain", 'log("kept")', _drained(calls=[])),
    "take/runs-javascript": _told("take", 'agent("then")', result({"requests": []}), 2),
    "drain/everything": _told("drain", 'agent("s")', edit(lambda told: told["calls"].reverse())),
    "drain/once": _told("drain", "drained once", _drained(calls=[{"type": "log", "values": ["x"]}]), 2),
    "drain/complete": _told("drain", "verdict: 'fine'", edit(lambda told: told.pop("output"))),
    "drain/complete-repeated": _told("drain", "'again'", _drained(state="pending"), 2),
    "drain/left-behind": _told("drain", "and told", _drained(requests=[])),
    "drain/stalled": _told("drain", "await new Promise(() => {})", _drained(stalled=False)),
    "drain/waiting-is-not-stalled": _told("drain", "still waiting", _drained(stalled=True)),
    "drain/diagnostics": _told("drain", '"swallowed"', edit(lambda told: told.pop("diagnostics"))),
    "drain/unawaited-request": _told("drain", "never awaited", edit(lambda told: told.pop("diagnostics"))),
    "resolve/value": reading('{"er": null}', "null"),
    "resolve/null-is-not-undefined": reading(
        '"params": {"id": "2", "resolution": {"type": "ok_undefined"}',
        '"params": {"id": "2", "resolution": {"type": "ok", "value": null}',
    ),
    "resolve/error": reading("no such model", "failed"),
    "resolve/any-order": when(has('"id": "3"'), method("resolve", 1), then=error("unknown_request")),
    "resolve/settles-only": when(has("endless from here"), then=error("timeout")),
    "resolve/unknown-id": when(has('"id": "99"'), then=edit_data(id="1")),
    "resolve/twice": when(has('"value": "second"'), then=result({})),
    "resolve/invalid-resolution": reading('{"type": "maybe"}', '{"type": "ok", "value": 1}'),
    "resolve/invalid-resolution: null": when(has('"resolution": null'), then=result({})),
    "resolve/invalid-resolution: without a value": reading('{"type": "ok"}', '{"type": "ok_undefined"}'),
    "resolve/invalid-resolution: a message": reading('"message": 5', '"message": "5"'),
    "resolve/invalid-resolution: a budget": reading('"spent": 0.5', '"spent": 0'),
    "resolve/refused-line": when(
        method("resolve"), earlier("[[[[["), has('"in time"'), then=error("unknown_request")
    ),
    "resolve/id-is-text": reading('"params": {"id": 1, "resolution"', '"params": {"id": "1", "resolution"'),
    "resolve/budget": reading('"spent": 77', '"spent": 0'),
    "resolve/after-completion": when(has('"too late"'), then=error("unknown_request")),
}

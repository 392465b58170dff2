"""Limits: each ends the run with its own kind of failure, and never ends the child."""

from __future__ import annotations

import psutil
import pytest

from .child_process import ChildProcess, Refused

STEP_MS = 200

SPINS = {
    "a loop": "for (;;);",
    "a loop that catches": "for (;;) { try { for (;;); } catch {} }",
    "a loop in finally": "try { for (;;); } finally { for (;;); }",
    "a generator": "const g = (function* () { for (;;) yield; })(); for (const _ of g);",
    "a regular expression": '/^(a+)+$/.test("a".repeat(60) + "b");',
    "promise jobs without end": "(function f() { Promise.resolve().then(f); })();",
    "jobs that all throw": "(function f() { Promise.resolve().then(f); throw 1; })",
    "awaits without end": "for (;;) await null;",
    "a spin inside parallel": "await parallel([() => { for (;;); }]);",
    "a spin inside pipeline": "await pipeline([1], () => { for (;;); });",
    "awaits inside parallel": "await parallel([async () => { for (;;) await null; }]);",
    "a swallowed spin": "await (async () => { for (;;); })().catch(() => 0);",
    "a spin in a promise reaction": "await Promise.resolve().then(() => { for (;;); });",
    "a getter of log": "log({ get a() { for (;;); } });",
    "a getter of options": 'agent("x", { get a() { for (;;); } });',
    "a sort": "[1, 2].sort(() => { for (;;); });",
    "a proxy": "new Proxy({}, { get() { for (;;); } }).x;",
    "recursion that catches": "(function f() { try { f(); } finally { f(); } })();",
}


def assert_timeout(failure: Refused) -> None:
    assert failure.kind == "timeout", failure
    assert str(STEP_MS) in failure.message


@pytest.mark.parametrize("statement", SPINS.values(), ids=SPINS)
def test_the_step_timeout_ends_in_a_function(child: ChildProcess, statement: str) -> None:
    child.initialize(stepTimeoutMs=STEP_MS)
    if statement.endswith("throw 1; })"):
        statement = statement[:-1] + ")();"
        statement = f"try {{ {statement[:-1]} }} catch {{}} await new Promise(() => {{}});"
    assert_timeout(child.failure_of(f"export default async () => {{ {statement} return 1; }};"))


@pytest.mark.parametrize(
    "name", ["a loop", "a loop that catches", "awaits without end", "a spin inside parallel"]
)
def test_the_step_timeout_ends_at_the_top_level(child: ChildProcess, name: str) -> None:
    child.initialize(stepTimeoutMs=STEP_MS)
    assert_timeout(child.failure_of(f"{SPINS[name]}\nexport default 1;"))


AFTERWARDS = {
    "toJSON of the result": "export default { toJSON() { for (;;); } };",
    "a getter of the result": "export default () => ({ get a() { for (;;); } });",
    "a proxy as the result": "export default new Proxy({}, { ownKeys() { for (;;); } });",
    "then of the result": "export default { then() { for (;;); } };",
    "a then getter of the result": "export default { get then() { for (;;); } };",
    "the message of what was thrown": "export default () => { throw { get message() { for (;;); } }; };",
    "the name of what was thrown": "export default () => { throw { get name() { for (;;); } }; };",
    "the stack of what was thrown": "throw { get stack() { for (;;); } };",
    "toString of what was thrown": "throw { toString() { for (;;); }, toJSON() { for (;;); } };",
    "a proxy that was thrown": "throw new Proxy({}, { get() { for (;;); } });",
    "what parallel swallows": "await parallel([() => { throw { get message() { for (;;); } }; }]);",
    "what a reaction throws": "export default Promise.reject({ get message() { for (;;); } });",
}


@pytest.mark.parametrize("source", AFTERWARDS.values(), ids=AFTERWARDS)
def test_the_step_timeout_ends_loops_that_run_when_we_look_at(child: ChildProcess, source: str) -> None:
    child.initialize(stepTimeoutMs=STEP_MS)
    assert_timeout(child.failure_of(source))


def test_the_timeout_ends_a_run_whose_code_swallowed_it(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=STEP_MS)
    child.start("""export default async () => {
        log("went on", await parallel([() => { for (;;); }]));
        return "survived";
    };""")
    with pytest.raises(Refused) as caught:
        child.drain()  # which would hand out the log, had the code gone on
    assert_timeout(caught.value)


def test_the_step_clock_is_renewed_by_every_message(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=STEP_MS)
    spin = "for (let i = 0; i < 200000; i++);"
    child.start(f'export default async () => {{ while (await agent("more?")) {{ {spin} }} return "done"; }};')
    process = psutil.Process(child.program.pid)
    while sum(process.cpu_times()[:2]) < 3 * STEP_MS / 1000:  # more than one step has
        (request,) = child.drain()["requests"]
        child.resolve(request["id"], True)
    (request,) = child.drain()["requests"]
    child.resolve(request["id"], False)
    assert child.result() == "done"


def answer_for_ever(child: ChildProcess) -> None:
    while True:
        (request,) = child.drain()["requests"]
        child.resolve(request["id"], None)


def test_cpu_seconds_count_over_all_steps(child: ChildProcess) -> None:
    child.initialize(cpuSeconds=1, stepTimeoutMs=5000)
    spin = "for (let i = 0; i < 1000000; i++);"
    child.start(f'export default async () => {{ for (;;) {{ await agent("more?"); {spin} }} }};')
    with pytest.raises(Refused) as caught:
        answer_for_ever(child)
    assert caught.value.kind == "timeout"
    assert "cpuSeconds" in caught.value.message


def test_a_sleepless_loop_of_sleeps_waits_for_the_host(child: ChildProcess) -> None:
    child.start("export default async () => { for (;;) await SW.extra.sleep(0); };")
    for identifier in ("1", "2", "3"):
        assert [request["id"] for request in child.drain()["requests"]] == [identifier]
        child.settle(identifier, {"type": "ok_undefined"})


HOG = "const a = []; for (;;) a.push(new Array(10000).fill(0));"
HOGS = {
    "arrays": HOG,
    "strings": "const a = []; for (let i = 0; ; i++) a.push('x'.repeat(100000) + i);",
    "objects": "let o; for (;;) o = { o };",
    "closures": "let f; for (;;) { const g = f; f = () => g; }",
    "map": "const m = new Map(); for (let i = 0; ; i++) m.set(i, [i]);",
    "promises": "const a = []; for (;;) a.push(new Promise(() => {}));",
}


@pytest.mark.parametrize("hog", HOGS.values(), ids=HOGS)
@pytest.mark.parametrize(
    "form", ["{}", "export default async () => {{ {} }};", "export default () => {{ {} }};"]
)
def test_a_heap_beyond_memory_bytes_is_a_memory_failure(child: ChildProcess, form: str, hog: str) -> None:
    child.initialize(memoryBytes=8 << 20, stepTimeoutMs=10_000)
    assert child.failure_of(form.format(hog)).kind == "memory"


@pytest.mark.parametrize(
    "source",
    [
        f"await parallel([() => {{ {HOG} }}]);\nexport default 1;",
        f"export default new Promise((resolve) => Promise.resolve().then(() => {{ {HOG} }}).then(resolve));",
        f"export default async () => {{ await null; {HOG} }};",
        f"export default async () => {{ await agent('x'); {HOG} }};",
    ],
)
def test_memory_that_runs_out_in_a_job_is_no_stall(child: ChildProcess, source: str) -> None:
    child.initialize(memoryBytes=8 << 20, stepTimeoutMs=10_000)
    child.start(source)
    if "agent" in source:
        child.drain()
        child.resolve("1", None)
    assert child.failure().kind == "memory"


DEEP = {
    "recursion": "function f() { return f() + 1; } f();",
    "async recursion": "async function f() { return (await f()) + 1; } await f();",
    "getters": "const o = { get a() { return this.a; } }; o.a;",
    "toString": "const o = { toString() { return `${o}`; } }; `${o}`;",
    "proxies": "const p = new Proxy({}, { get: () => p.x }); p.x;",
}


@pytest.mark.parametrize("statement", DEEP.values(), ids=DEEP)
def test_recursion_without_end_is_a_stack_failure(child: ChildProcess, statement: str) -> None:
    assert child.failure_of(f"export default async () => {{ {statement} }};").kind == "stack"


def test_recursion_that_was_caught_is_the_workflows_own_affair(child: ChildProcess) -> None:
    source = (
        "function f() { f(); }\nlet name;\ntry { f(); } catch (e) { name = e.name; }\nexport default name;"
    )
    assert child.result_of(source) == "RangeError"


FLOODS = {
    "log of large strings": "for (;;) log('x'.repeat(1e6));",
    "log of nothing": "for (;;) log();",
    "phase": "for (;;) phase('p');",
    "agent": "for (;;) agent('x');",
    "agent with large prompts": "for (;;) agent('x'.repeat(1e5));",
    "workflow": "for (;;) workflow('w');",
    "sleep": "for (;;) SW.extra.sleep(1);",
    "exec": "for (;;) SW.sandbox.exec('p', { command: 'c' });",
    "parallel agents": "await parallel(Array.from({ length: 3000 }, () => () => agent('x')));",
    "a flood that catches": "for (;;) try { log('x'.repeat(1e5)); } catch {}",
    "a flood that catches and ends": "for (let i = 0; i < 100; i++) try { log('x'.repeat(1e6)); } catch {}",
    "one log too large": "log('x'.repeat(9e6));",
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_flood_of_calls_or_requests_is_a_limit_failure(child: ChildProcess, flood: str) -> None:
    child.initialize(maxQueuedBytes=500_000, maxPendingRequests=1000, stepTimeoutMs=500)
    assert child.failure_of(f"export default async () => {{ {flood} return 'survived'; }};").kind == "limit"


def test_a_flood_meets_a_limit_by_default(child: ChildProcess) -> None:
    assert child.failure_of("for (let i = 0; i < 1e6; i++) agent('x');\nexport default 1;").kind == "limit"


def test_max_pending_requests_counts_what_is_outstanding(child: ChildProcess) -> None:
    child.initialize(maxPendingRequests=2)
    child.start('await Promise.all([agent("1"), agent("2")]);\nawait agent("3"); agent("4"); agent("5");')
    assert len(child.drain()["requests"]) == 2
    child.resolve("1", None)
    child.resolve("2", None)
    assert [request["id"] for request in child.drain()["requests"]] == ["3"]
    child.resolve("3", None)
    assert [request["id"] for request in child.drain()["requests"]] == ["4", "5"]


def test_one_request_more_than_max_pending_requests_is_a_limit_failure(child: ChildProcess) -> None:
    child.initialize(maxPendingRequests=2)
    assert child.failure_of('agent("1"); agent("2"); agent("3");\nexport default 1;').kind == "limit"


def test_max_queued_bytes_counts_between_two_messages_only(child: ChildProcess) -> None:
    child.initialize(maxQueuedBytes=5000)
    child.start('for (;;) { log("x".repeat(4000)); await agent("more?"); }')
    for identifier in ("1", "2", "3", "4"):
        drained = child.drain()
        assert (len(drained["calls"]), len(drained["requests"])) == (1, 1)
        child.resolve(identifier, None)


def test_what_was_queued_before_a_limit_is_handed_out_first(child: ChildProcess) -> None:
    child.initialize(maxQueuedBytes=5000)
    child.start('log("kept");\nlog("x".repeat(5000));\nexport default 1;')
    assert [call["values"] for call in child.drain()["calls"]] == [["kept"]]
    with pytest.raises(Refused) as caught:
        child.drain()
    assert caught.value.kind == "limit"


def test_a_reply_beyond_max_message_bytes_is_a_limit_failure(child: ChildProcess) -> None:
    child.initialize(maxMessageBytes=10_000)
    assert child.failure_of('export default "x".repeat(20_000);').kind == "limit"


def test_a_flood_of_diagnostics_ends_in_a_reply_that_fits(child: ChildProcess) -> None:
    source = """const boom = () => { throw new Error("x".repeat(1e5)); };
        export default async () => (await parallel(Array.from({ length: 1000 }, () => boom))).length;"""
    assert child.result_of(source) == 1000

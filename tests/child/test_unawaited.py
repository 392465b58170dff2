"""Requests that were asked in vain: the workflow completed without their answers."""

from __future__ import annotations

from typing import Any

import pytest

from .child_process import ChildProcess

FORGOTTEN = "agent('write the report');\nreturn 'done';"
LEFT_BEHIND = "agent('slow');\nreturn await agent('quick');"
CALLBACKS = """const findings = [];
['a.py', 'b.py', 'c.py'].forEach(async (file) => {
  findings.push(await agent(`review ${file}`));
});
return { findings };"""


def last_drain(child: ChildProcess, source: str, **params: Any) -> Any:
    """Run to the end; only agents whose prompt begins with 'quick' are answered."""
    child.initialize()
    child.start(source, **params)
    while (drained := child.drain())["state"] != "complete":
        answered = [request for request in drained["requests"] if request.get("prompt", "")[:5] == "quick"]
        assert answered, drained
        for request in answered:
            child.resolve(request["id"], "answered")
    return drained


def notes(child: ChildProcess, source: str, **params: Any) -> list[dict[str, Any]]:
    """The notes on such requests; a drain that completes repeats itself."""
    drained = last_drain(child, source, **params)
    again = child.drain()
    assert (again["output"], again.get("diagnostics")) == (drained["output"], drained.get("diagnostics"))
    return [note for note in drained.get("diagnostics", []) if note["kind"] == "unawaited_request"]


def test_a_request_that_nobody_awaits_is_told_with_its_place(child: ChildProcess) -> None:
    assert notes(child, FORGOTTEN, sourceName="forgot.js") == [
        {
            "kind": "unawaited_request",
            "message": "agent request 1 'write the report' (forgot.js:1:1) was never awaited: "
            "the workflow completed without its answer",
            "type": "agent",
            "id": "1",
            "awaited": False,
            "line": 1,
            "column": 1,
        }
    ]


def test_one_that_was_handed_out_before_is_told_too(child: ChildProcess) -> None:
    (note,) = notes(child, LEFT_BEHIND)
    assert (note["id"], note["awaited"], note["line"]) == ("1", False, 1)


def test_what_an_async_callback_awaits_that_nobody_awaits_is_told_as_such(child: ChildProcess) -> None:
    told = notes(child, CALLBACKS)
    assert [(note["id"], note["awaited"], note["line"]) for note in told] == [
        (str(number), True, 3) for number in (1, 2, 3)
    ]
    assert "'review b.py'" in told[1]["message"]
    assert "had no answer when the workflow completed" in told[1]["message"]


@pytest.mark.parametrize(
    ("call", "type", "name"),
    [
        ("agent('p', { label: 'short name' })", "agent", "short name"),
        ("agent('\\n   two\\n   lines  ')", "agent", "two lines"),
        ("workflow('other', { n: 1 })", "workflow", "other"),
        ("workflow({ scriptPath: 'other.js' })", "workflow", "other.js"),
        ("SW.extra.sleep(5)", "sleep", "5 ms"),
        ("SW.sandbox.exec('build', { command: 'make' })", "sandbox_exec", "make"),
    ],
)
def test_each_type_of_request_is_named(child: ChildProcess, call: str, type: str, name: str) -> None:
    (note,) = notes(child, f"{call}; export default 1")
    assert (note["type"], note["line"]) == (type, 1)
    assert note["message"].startswith(f"{type} request 1 '{name}' (workflow.js:1:")


def test_the_label_is_a_member_where_there_is_one(child: ChildProcess) -> None:
    labelled, other = notes(
        child, "agent('a', { label: 'first' }); agent('b', { label: 7 }); export default 1"
    )
    assert labelled["label"] == "first"
    assert "label" not in other


def test_long_texts_are_cut_between_characters(child: ChildProcess) -> None:
    source = f"const long = 'x'.repeat(79) + '{'😀' * 9}'; agent(long, {{ label: long }}); export default 1"
    (note,) = notes(child, source)
    assert note["label"] == "x" * 79
    assert f"'{'x' * 79}'" in note["message"]


@pytest.mark.parametrize("name", ["race", "any"])
@pytest.mark.parametrize(
    "entrants",
    [
        "[agent('slow'), agent('quick'), SW.extra.sleep(5)]",
        "new Set([agent('slow'), agent('quick')])",
        "(function* () { yield agent('quick'); yield agent('slow'); })()",
    ],
)
def test_whoever_loses_a_race_was_awaited(child: ChildProcess, name: str, entrants: str) -> None:
    assert notes(child, f"return await Promise.{name}({entrants})") == []


def test_who_races_without_end_was_not_awaited(child: ChildProcess) -> None:
    told = notes(child, "Promise.race([agent('slow'), agent('slower')]); return await agent('quick')")
    assert [(note["id"], note["awaited"]) for note in told] == [("1", True), ("2", True)]


@pytest.mark.parametrize(
    "source",
    [
        "const late = SW.extra.sleep(5).then(() => { throw new Error('late') });\n"
        "return await Promise.race([agent('quick'), late])",
        "SW.extra.sleep(5).then(() => 0); return 1",
        "return await agent('quick')",
        "agent('quick'); await agent('quick too'); return 1",
        "return 1",
    ],
)
def test_what_was_answered_or_is_the_sleep_of_a_timeout_is_not_told(child: ChildProcess, source: str) -> None:
    assert notes(child, source) == []


@pytest.mark.parametrize(
    ("source", "awaited"),
    [
        ("agent('slow').then((text) => log(text)); return 1", True),
        ("Promise.all([agent('slow')]); return 1", True),
        ("parallel([() => agent('slow')]); return 1", True),
        ("return { late: agent('slow') }", False),
        ("export const kept = [agent('slow')]; export default kept.length", False),
        ("export default async () => { agent('slow'); }", False),
    ],
)
def test_it_is_told_whether_anything_awaited_it(child: ChildProcess, source: str, awaited: bool) -> None:
    (note,) = notes(child, source)
    assert note["awaited"] is awaited


def test_where_no_frame_is_the_authors_there_is_no_place(child: ChildProcess) -> None:
    (note,) = notes(child, "Promise.resolve('x').then(agent); export default async () => { await null; }")
    assert "line" not in note
    assert note["message"].startswith("agent request 1 'x' had no answer")


def test_there_are_twenty_at_most_and_work_comes_before_sleeps(child: ChildProcess) -> None:
    source = """for (let i = 0; i < 1000; i++) SW.extra.sleep(1);
      for (let i = 0; i < 15; i++) agent('slow'); export default 1"""
    told = notes(child, source)
    assert [note["type"] for note in told] == ["agent"] * 15 + ["sleep"] * 5
    assert [note["id"] for note in told][:2] == ["1001", "1002"]


def test_other_notes_that_fill_their_room_leave_room_for_these(child: ChildProcess) -> None:
    source = """export default async () => {
      agent('slow');
      for (let i = 0; i < 30; i++) Promise.reject(i);
      await parallel(Array(500).fill(() => { throw 1 }));
    }"""
    (note,) = notes(child, source)
    assert note["awaited"] is False


def test_no_stray_rejection_is_told_of_them(child: ChildProcess) -> None:
    drained = last_drain(child, "agent('slow'); Promise.reject(new Error('lost')); export default 1")
    assert [note["kind"] for note in drained["diagnostics"]] == ["unhandled_rejection", "unawaited_request"]


def test_what_was_left_can_still_be_resolved_and_no_code_hears_of_it(child: ChildProcess) -> None:
    source = """const told = (word) => () => log(word);
      agent('slow').then(told('answer'), told('refusal')).finally(told('end'));
      agent('forgotten'); export default 1"""
    first = last_drain(child, source)
    for identifier in ("1", "2"):
        child.resolve(identifier, "late")
    again = child.drain()
    assert again == first | {"calls": [], "requests": []}
    assert child.poll() == {"type": "complete", "output": {"result": 1}}


def test_a_run_that_is_polled_completes_as_before(child: ChildProcess) -> None:
    child.initialize()
    child.start("agent('slow'); export default 1")
    assert child.poll()["type"] == "request"
    assert len(child.take()) == 1
    assert child.poll() == child.poll() == {"type": "complete", "output": {"result": 1}}
    child.resolve("1", "late")
    (note,) = child.drain()["diagnostics"]
    assert note["kind"] == "unawaited_request"


HOSTILE = [
    "Promise.prototype.then = function () { return this }; Promise.prototype.catch = () => 0;",
    "Object.defineProperty(Object.prototype, 'then', { get() { throw new Error('read') } });",
    "for (const name of ['promise', 'about', 'label', 'isDecided', 'type', 'id', 'error', 'resolve', '0'])"
    " Object.defineProperty(Object.prototype, name, { get() { return 'forged' }, set() {} });",
    "Object.defineProperty(Array.prototype, '0', { get() { return 'forged' }, set() {} });",
    "Object.defineProperty(String.prototype, '-1', { get() { for (;;); } });",
    "JSON.stringify = JSON.parse = String.prototype.slice = Object.keys = () => 'forged';",
    "WeakMap.prototype.get = WeakMap.prototype.set = WeakMap.prototype.has = () => { throw 1 };",
    "Promise.race = Promise.any = Promise.resolve = () => { throw 1 };",
    "Error.prepareStackTrace = () => 'forged';",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_a_workflow_redefines_changes_nothing(child: ChildProcess, hostile: str) -> None:
    (note,) = notes(
        child, f"{hostile}\nagent('slow', {{ __proto__: null, label: 'kept' }});\nexport default 1"
    )
    assert (note["id"], note["type"], note["awaited"], note["label"]) == ("1", "agent", False, "kept")


@pytest.mark.parametrize(
    "source",
    [
        "Error.stackTraceLimit = 0; agent('slow'); export default 1",
        "const f = { [`x (a:007:${'9'.repeat(400)})\\n`]() { agent('slow') } }; for (const k in f) f[k]();\n"
        "export default 1",
        "const f = { [`x (a:007:01)\\n`]() { agent('slow') } }; for (const k in f) f[k](); export default 1",
        "class Later extends Promise {} Later.resolve(agent('slow')); export default 1",
        "const it = { then(resolve) { agent('slow'); resolve(1) } }; export default it",
        "export default { toJSON() { agent('slow'); return 1 } }",
    ],
)
def test_what_is_odd_is_told_all_the_same(child: ChildProcess, source: str) -> None:
    (note,) = notes(child, source)
    assert (note["id"], note["type"]) == ("1", "agent")


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("return [await Promise.race([1, agent('slow')]), await Promise.any([2])]", [1, 2]),
        ("return await Promise.race([Promise.reject(3)]).catch((e) => e)", 3),
        ("return await Promise.any([Promise.reject(3)]).catch((e) => e.errors)", [3]),
        ("return await Promise.race(5).catch((e) => e.name)", "TypeError"),
        ("return await Promise.any([]).catch((e) => e.name)", "AggregateError"),
        ("class P extends Promise {} return P.race([1]) instanceof P", True),
        ("return Promise.race([1]).constructor === Promise", True),
        ("const { race } = Promise; try { race([]) } catch (e) { return e.name }", "TypeError"),
        (
            "return [Promise.race.name, Promise.race.length, Promise.any.name, Promise.any.length]",
            ["race", 1, "any", 1],
        ),
        ("return Object.keys(Promise).length + Number('prototype' in Promise.race)", 0),
    ],
)
def test_races_are_those_of_the_language(child: ChildProcess, source: str, result: Any) -> None:
    assert last_drain(child, source)["output"] == {"result": result}

"""What an error tells, guard by guard: the author's frames, bounded parts, and nothing that runs getters."""

from __future__ import annotations

from typing import Any

import pytest

from .child_process import ChildProcess


def thrown(child: ChildProcess, statements: str) -> dict[str, Any]:
    """The data of a run that ends with these statements."""
    data: dict[str, Any] = child.failure_of(f"export default async () => {{ {statements} }};").data
    return data


@pytest.mark.parametrize(
    "statement",
    [
        'log({ get a() { throw new Error("x"); } })',
        'agent("x", { get a() { throw new Error("x"); } })',
        '[1].map(() => { throw new Error("x"); })',
        'JSON.parse("1", () => { throw new Error("x"); })',
        "SW.extra.sleep(-1)",
    ],
)
def test_a_stack_has_frames_of_the_authors_file_only(child: ChildProcess, statement: str) -> None:
    stack = thrown(child, statement)["stack"]
    assert stack
    assert all("workflow.js:1:" in line for line in stack.split("\n"))


def test_a_rejected_call_has_an_error_without_enumerable_members(child: ChildProcess) -> None:
    child.start('export default await agent("a").catch((e) => [Object.keys(e), e.message, e.request]);')
    child.drain()
    child.settle("1", {"type": "error", "message": "no"})
    assert child.result() == [[], "no", {"type": "agent", "id": "1"}]


def test_the_message_of_a_rejected_call_is_its_own_whatever_error_prototype_is(child: ChildProcess) -> None:
    child.start("""
        Object.defineProperty(Error.prototype, "message", { get() { return "forged"; }, set() {} });
        export default await agent("a").catch((e) => e.message);
    """)
    child.drain()
    child.settle("1", {"type": "error", "message": "no"})
    assert child.result() == "no"


def test_what_a_rejected_call_was_cannot_be_rewritten(child: ChildProcess) -> None:
    child.start("""
        export default async () => {
            try { await agent("a"); } catch (e) {
                try { e.request = { type: "forged", id: "9" }; } catch {}
                try { e.request.id = "9"; } catch {}
                throw e;
            }
        };
    """)
    child.drain()
    child.settle("1", {"type": "error", "message": "no"})
    assert child.failure().data["request"] == {"type": "agent", "id": "1"}


@pytest.mark.parametrize(
    "member",
    [
        "cause: { get() { return 1; } }",
        "errors: { get() { return [1]; } }",
        'request: { get() { return { type: "agent", id: "1" }; } }',
        'request: { value: { type: 1, id: "1" } }',
        'request: { value: { type: "agent", id: 1 } }',
    ],
)
def test_an_error_tells_of_data_only_and_asks_no_getter(child: ChildProcess, member: str) -> None:
    data = thrown(child, f'throw Object.defineProperties(new Error("x"), {{ {member} }})')
    assert {"cause", "errors", "request"}.isdisjoint(data)


def test_a_part_behind_a_getter_is_told_as_undefined(child: ChildProcess) -> None:
    data = thrown(
        child, 'throw Object.assign(new Error("x"), { errors: Object.defineProperty([], 0, { get: agent }) })'
    )
    assert [part["message"] for part in data["errors"]] == ["undefined"]


def test_names_and_messages_that_are_no_strings_are_not_told(child: ChildProcess) -> None:
    data = thrown(child, 'throw { name: 5, message: { toString: () => "forged" }, stack: 7 }')
    assert (data["name"], data["stack"]) == (None, "")
    assert data["message"] != "forged"


def test_an_aggregate_error_tells_its_first_eight_parts(child: ChildProcess) -> None:
    data = thrown(child, "throw new AggregateError(Array.from({ length: 20 }, (_, i) => i))")
    assert [part["message"] for part in data["errors"]] == list("01234567")


def described(error: dict[str, Any]) -> int:
    """How many errors one description holds."""
    parts = [*error.get("errors", []), *([error["cause"]] if "cause" in error else [])]
    return 1 + sum(map(described, parts))


@pytest.mark.parametrize("parts", ["errors = [e, e, e, e, e, e, e, e]", "errors = [e, e, e, e]; e.cause = e"])
def test_one_description_holds_thirty_two_errors(child: ChildProcess, parts: str) -> None:
    assert described(thrown(child, f'const e = new Error("x"); e.{parts}; throw e')) == 32


def test_a_reference_error_of_the_authors_own_is_left_as_it_is(child: ChildProcess) -> None:
    assert thrown(child, 'throw new ReferenceError("mine")')["message"] == "mine"


def test_an_internal_error_inside_parallel_becomes_null_like_any_other(child: ChildProcess) -> None:
    assert child.result_of('export default parallel([() => { throw new InternalError("mine"); }]);') == [None]


def test_a_hundred_notes_are_kept_and_no_more_errors_are_looked_at(child: ChildProcess) -> None:
    child.start("""
        let looked = 0;
        const boom = () => { throw { get message() { looked += 1; return "m"; } }; };
        await parallel(Array.from({ length: 1000 }, () => boom));
        export default looked;
    """)
    drained = child.drain()
    assert [note["kind"] for note in drained["diagnostics"]] == ["swallowed_error"] * 100 + ["all_failed"]
    assert drained["output"]["result"] < 1000


def test_a_very_long_message_is_cut_and_its_note_is_kept(child: ChildProcess) -> None:
    child.start('export default parallel([() => { throw new Error("x".repeat(300_000)); }, () => 1]);')
    (note,) = child.drain()["diagnostics"]
    assert note["error"]["message"] == "x" * 8192


def test_a_stray_error_whose_message_is_a_getter_is_noted_without_asking_it(child: ChildProcess) -> None:
    child.start("""
        const error = Object.defineProperty(new Error(), "message", { get() { agent("late"); return "m"; } });
        Promise.reject(error);
        export default 1;
    """)
    drained = child.drain()
    (note,) = drained["diagnostics"]
    assert (note["kind"], drained["requests"]) == ("unhandled_rejection", [])


def test_a_stalled_run_tells_a_stray_rejection_once_however_often_it_is_asked(child: ChildProcess) -> None:
    child.start('Promise.reject(new Error("lost")); export default new Promise(() => {});')
    for _ in range(3):
        (note,) = child.drain()["diagnostics"]
        assert note["kind"] == "unhandled_rejection"


def test_a_microtask_that_throws_is_noted(child: ChildProcess) -> None:
    child.start('queueMicrotask(() => { throw new Error("boom"); }); export default 1;')
    (note,) = child.drain()["diagnostics"]
    assert (note["kind"], "boom" in note["message"]) == ("uncaught_error", True)


@pytest.mark.parametrize("error", ['Error("out of memory")', 'RangeError("mine")'])
def test_an_error_that_only_looks_like_one_of_the_engines_is_an_exception(
    child: ChildProcess, error: str
) -> None:
    assert child.failure_of(f"throw new {error};\nexport default 1;").kind == "exception"

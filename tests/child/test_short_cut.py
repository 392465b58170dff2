"""A line that takes the short cut is answered with the bytes that the usual way gives."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from flowcage.child.engine import watchdog
from flowcage.child.sandbox import execution
from flowcage.child.short_cut import usual_line
from flowcage.child.stdio import write_all
from flowcage.protocol import envelope
from flowcage.protocol.limits import Limits

from .short_cut_cases import ECHO, LIMITS, OK, OTHER_RUNS, OTHER_TURNS, SPENT, TURNS, USUAL_RUNS
from .twins import Twins, answers


@pytest.fixture(autouse=True)
def _only_cpu_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine so busy that a step ends by the wall clock, it would end elsewhere for each."""
    monkeypatch.setattr(watchdog, "STEP_WALL_FACTOR", 10_000)


@pytest.mark.parametrize("params", USUAL_RUNS.values(), ids=USUAL_RUNS)
def test_a_run_of_the_usual_form_takes_the_short_cut(params: dict[str, Any]) -> None:
    twins = Twins()
    twins.ask("run", params)
    assert twins.short.short == 1
    twins.advance(("1", {"type": "ok", "value": "answer", "budget": SPENT}))
    twins.advance(("1", OK))
    twins.ask("drain", {})


@pytest.mark.parametrize("params", OTHER_RUNS.values(), ids=OTHER_RUNS)
def test_a_run_of_another_form_goes_the_usual_way(params: dict[str, Any]) -> None:
    twins = Twins()
    twins.ask("run", params)
    assert twins.short.short == 0
    twins.run("export default 'the run that follows'")
    twins.ask("drain", {})


@pytest.mark.parametrize(("limits", "source"), LIMITS.values(), ids=LIMITS)
def test_a_limit_ends_both(limits: Limits, source: str) -> None:
    twins = Twins(limits)
    twins.run(source)
    for _ in range(2):
        twins.advance(("1", OK))
        twins.ask("drain", {})


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_a_turn_of_the_usual_form_takes_the_short_cut(turn: list[Any]) -> None:
    twins = Twins()
    assert len(twins.run(ECHO)["result"]["requests"]) == 3
    assert len(twins.advance(*turn)["result"]["requests"]) == len(turn)
    assert twins.short.short == 2
    twins.advance(*turn)
    assert twins.short.short == 2


@pytest.mark.parametrize("turn", OTHER_TURNS.values(), ids=OTHER_TURNS)
def test_a_turn_of_another_form_goes_the_usual_way_and_changes_nothing(turn: list[Any]) -> None:
    twins = Twins()
    twins.run(ECHO)
    twins.advance(*turn)
    assert twins.short.short == 1
    twins.advance(("2", OK), ("3", OK))
    twins.ask("drain", {})


THEN = "Object.defineProperty(Object.prototype, 'then', {{ get() {{ {} }} }}); await agent('a')"


@pytest.mark.parametrize(
    "code",
    [
        "log('then')",
        "throw new Error('then')",
        "for (;;);",
        "agent('from then')",
        "return (f) => f(agent('x'))",
    ],
)
def test_code_of_the_workflow_that_runs_while_it_is_answered_has_the_same_effects(code: str) -> None:
    twins = Twins(Limits(step_timeout_ms=100 if "for" in code else 5000, max_pending_requests=4))
    twins.run("agent('b'); agent('c');" + THEN.format(code))
    twins.advance(("3", {"type": "ok", "value": {"a": 1}}), ("2", {"type": "ok", "value": []}), ("1", OK))
    assert twins.short.short == 2
    for identifier in ("1", "2", "3", "4"):
        twins.ask("resolve", {"id": identifier, "resolution": OK})
    twins.ask("drain", {})


@pytest.mark.parametrize("stack_bytes", range(20_000, 200_000, 20_000))
def test_a_stack_that_is_too_small_to_judge_with_ends_no_run(stack_bytes: int) -> None:
    twins = Twins(Limits(stack_bytes=stack_bytes))
    twins.run("log(typeof await agent('x')); return 1", args=json.loads("[" * 100 + "]" * 100))
    twins.advance(("1", {"type": "ok", "value": json.loads("[" * 400 + "]" * 400)}))
    twins.ask("drain", {})


def test_a_prompt_that_must_not_run_is_not_run_twice() -> None:
    twins = Twins()
    twins.run("let n = 0; for (;;) { log(n += 1); await agent('x'); }")
    for number in range(1, 50):
        reply = twins.advance((str(number), {"type": "ok", "value": "x" * (number * 1500)}))
        assert reply["result"]["calls"] == [{"type": "log", "values": [number + 1]}]


def test_a_heap_that_is_not_far_from_its_limit_is_not_filled_by_parsing() -> None:
    twins = Twins(Limits(memory_bytes=4 << 20))
    twins.run(ECHO)
    twins.advance(("1", OK))
    assert twins.short.short == 0


@pytest.mark.parametrize("method", ["run", "advance"])
def test_an_address_space_that_is_full_ends_the_run(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: Any) -> None:
        raise MemoryError

    session = Twins().short
    lines = [envelope.request(1, "run", {"source": ECHO}), envelope.request(3, "drain", {})]
    if method == "advance":
        answers(session, lines[:1])
        lines[0] = envelope.request(2, "advance", {"turns": [[{"id": "1", "resolution": OK}]]})
    monkeypatch.setattr(execution, "open_run" if method == "run" else "settle_turn", fill)
    replies = [json.loads(answers(session, [line])) for line in lines]
    assert session.short == (method == "advance")
    assert [reply["error"]["data"]["kind"] for reply in replies] == ["memory", "memory"]
    assert all("the address space is full" in reply["error"]["message"] for reply in replies)


def test_an_answer_of_many_bytes_is_written_whole_to_a_pipe_that_is_full() -> None:
    reading, writing = os.pipe()
    twins = Twins()
    reply = json.dumps(twins.run("log('x'.repeat(300000)); await agent('x')")).encode()
    if os.fork() == 0:
        write_all(writing, reply)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == reply
    os.wait()


def test_a_line_over_the_bounds_goes_the_usual_way() -> None:
    line = envelope.request(1, "run", {"source": "x" * 200})
    assert usual_line(line, len(line) - 1) is not None
    assert usual_line(line, len(line) - 2) is None
    assert usual_line(line + b"\n", 1000) is None
    assert usual_line(line[:-1], 1000) is None
    assert usual_line(envelope.request(1, "run", {"source": "x" * 70_000}), 10**6) is None
    assert usual_line(envelope.request(10**9, "run", {"source": "x"}), 1000) is None
    assert usual_line(envelope.request(10**9 - 1, "run", {"source": "x"}), 1000) is not None

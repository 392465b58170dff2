"""Schemas from workflows are hostile: what one costs, it costs a caged process, and its run is charged."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import psutil
import pytest
import trio

from flowcage.host.agents import AgentError
from flowcage.host.agents.schema import checker, checks, plain
from flowcage.host.agents.schema.checker import AT_ONCE, NICENESS, SchemaRefused
from flowcage.host.agents.schema.checks import MAX_REMEMBERED, MAX_SCHEMA_LENGTH

from ..host.checkers import DOUBLING, Recorded, program, settle

# `propertyNames` is not plain, so that the process is asked.
REFERENCE = {"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}, "propertyNames": True}
# Each held an interpreter for seconds, or for ever, in this process or in one that nobody charged for.
HOSTILE = {
    "alternatives times items": ({"items": {"anyOf": [False] * 670}}, [0] * 490),
    "alternatives of a small schema": ({"items": {"anyOf": [*[False] * 99, True]}}, [0] * 490),
    "an expression that backtracks": ({"type": "string", "pattern": "^(a+)+$"}, "a" * 40 + "!"),
    "names that are compared": ({"patternProperties": {"^(a+)+$": {}}}, {"a" * 40 + "!": 1}),
    "errors that are collected": (
        {"pattern": "x", "anyOf": [{"items": {"not": {}}}, {"items": {"not": {}}}]},
        [0] * 50_000,
    ),
    "items that are compared": ({"uniqueItems": True}, [{"a": n} for n in range(3_000)]),
    "what nobody looked at": ({"unevaluatedItems": False}, [0] * 1_000),
    "texts that are compared": ({"enum": ["a" * 1_000 + str(n) for n in range(200)]}, "a" * 1_000),
}

BURNT = (
    "options.schema could not be applied: "
    "checking it takes more than 1 s of CPU, the most that one check may use"
)


def refusal(function: Callable[[], Awaitable[Any]]) -> str:
    with pytest.raises(AgentError) as caught:
        settle(function)
    return str(caught.value)


@pytest.mark.parametrize(("schema", "value"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_schema_is_applied_in_a_process_and_nowhere_else(schema: Any, value: Any) -> None:
    recorded = Recorded()
    settle(partial(recorded.why_not, schema, value))
    assert len(recorded.pids) == len(recorded.cpu_seconds) >= 1
    assert all(0 < seconds < math.inf for seconds in recorded.cpu_seconds)
    assert not (plain.is_plain(schema) and plain.accepts(schema, value))


def test_a_check_that_burns_cpu_ends_with_the_limit_and_is_charged_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checker, "CPU_SECONDS", 1)
    recorded = Recorded()
    assert refusal(partial(recorded.why_not, DOUBLING, 1)) == BURNT
    assert recorded.cpu_seconds[-1] >= 1


def test_a_check_makes_way_for_runs_from_its_first_moment_on() -> None:
    niceness: list[int] = []

    @contextmanager
    def look(pid: int, _inherited: int) -> Iterator[None]:
        niceness.append(psutil.Process(pid).nice())
        yield

    recorded = Recorded()
    check = replace(recorded.checker, process=look)
    settle(partial(check.problem, json.dumps({"schema": REFERENCE}).encode()))
    assert niceness == [min(19, psutil.Process().nice() + NICENESS)]


def test_a_check_that_burns_memory_ends_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "ADDRESS_SPACE_BYTES", 64 << 20)
    recorded = Recorded()
    message = refusal(partial(recorded.why_not, {"items": REFERENCE, **REFERENCE}, [{"a": [[]]}] * 300_000))
    assert message == (
        "options.schema could not be applied: "
        "checking it takes more than 64 MiB of memory, the most that one check may use"
    )


def test_the_largest_value_that_can_cross_is_checked_within_the_memory() -> None:
    recorded = Recorded()
    schema = {"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"type": "string"}}, "propertyNames": True}
    assert settle(partial(recorded.why_not, schema, ["é" * 8] * 400_000)) is None
    assert settle(partial(recorded.why_not, schema, ["é" * 4_000_000])) is None


def test_no_more_than_a_few_are_at_work_at_once_and_the_others_wait() -> None:
    recorded = Recorded()

    async def crowd() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(3 * AT_ONCE):
                nursery.start_soon(recorded.why_not, {**REFERENCE, "const": number}, number)

    settle(crowd)
    assert recorded.most == AT_ONCE
    assert len(recorded.pids) == 6 * AT_ONCE


def test_a_check_that_is_cancelled_is_killed_reaped_and_charged() -> None:
    recorded = Recorded()

    async def cancelled() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(recorded.why_not, DOUBLING, 1)
            await recorded.started.wait()
            nursery.cancel_scope.cancel()

    settle(cancelled)
    assert len(recorded.pids) == len(recorded.cpu_seconds) == 1
    assert settle(partial(recorded.why_not, REFERENCE, 1)) is None  # its slot is free again


def test_one_that_waits_for_its_turn_and_is_cancelled_starts_nothing() -> None:
    recorded = Recorded()

    async def cancelled() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(AT_ONCE + 1):
                nursery.start_soon(recorded.why_not, {**DOUBLING, "const": number}, 1)
            while recorded.now < AT_ONCE:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

    settle(cancelled)
    assert len(recorded.pids) == AT_ONCE


def test_a_fan_out_over_one_schema_checks_it_once() -> None:
    recorded = Recorded()

    async def fan_out() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(recorded.checks.admit, dict(REFERENCE))

    settle(fan_out)
    assert len(recorded.pids) == 1


def test_a_wrong_schema_is_checked_once_too() -> None:
    recorded = Recorded()
    messages = {refusal(partial(recorded.checks.admit, {"type": "text"})) for _ in range(3)}
    assert len(messages) == len(recorded.pids) == 1
    assert messages.pop().startswith("options.schema is not a JSON Schema (2020-12): /type: ")


def test_whoever_gives_up_leaves_the_check_to_the_next_one() -> None:
    recorded = Recorded()

    async def impatient() -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(recorded.checks.admit, REFERENCE)
                await recorded.started.wait()
                scope.cancel()
        await recorded.checks.admit(REFERENCE)

    settle(impatient)
    assert len(recorded.pids) == 2


def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "MAX_REMEMBERED", 2)
    recorded = Recorded()

    async def several() -> None:
        for number in (1, 2, 3, 3, 1):
            await recorded.checks.admit({**REFERENCE, "const": number})

    assert MAX_REMEMBERED >= 16  # a workflow of many kinds of agents keeps them all
    settle(several)
    assert len(recorded.pids) == 4


def test_a_schema_that_is_too_long_is_refused_without_a_process() -> None:
    recorded = Recorded()
    schema = {"pattern": "x" * MAX_SCHEMA_LENGTH}
    message = refusal(partial(recorded.checks.admit, schema))
    length = MAX_SCHEMA_LENGTH + len('{"pattern":""}')
    assert message == (
        f"options.schema has {length} characters of JSON; at most {MAX_SCHEMA_LENGTH} are allowed"
    )
    assert recorded.pids == []


@pytest.mark.parametrize("schema", [{"type": "text"}, {"$ref": "#/none"}, {"pattern": "("}, 5, None, []])
def test_a_wrong_schema_is_refused_before_there_is_a_value(schema: Any) -> None:
    message = refusal(partial(Recorded().checks.admit, schema))
    assert message.startswith("options.schema ")


@pytest.mark.parametrize(
    ("schema", "value", "problem"),
    [
        ({"type": "string"}, "x", None),
        ({"type": "string"}, 5, '(root): 5 is not of type "string"'),
        ({"items": {"pattern": "^w"}}, ["w"], None),
        ({"items": {"pattern": "^w"}}, ["w", "x"], '/1: "x" does not match "^w"'),
        ({"items": REFERENCE["$defs"], **REFERENCE}, 0, None),
        ({"uniqueItems": True}, [[1], [1]], "(root): [[1],[1]] has non-unique elements"),
        ({"enum": list(range(5_000))}, 4_999, None),
        ({"type": "string", "const": "\ud800"}, "\ud800", None),
        ({"propertyNames": True, "const": "\ud800\\ud801"}, "\ud800\\ud801", None),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"maxLength": 1}}, "propertyNames": True}, "\ud800", None),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"maxLength": 1}}, "propertyNames": True}, "🐋", None),
        ({"items": {"type": "integer"}}, [1] * 100_000 + ["x"], '/100000: "x" is not of type "integer"'),
    ],
)
def test_a_schema_means_what_it_says_wherever_it_is_applied(
    schema: Any, value: Any, problem: str | None
) -> None:
    assert settle(partial(Recorded().why_not, schema, value)) == problem


# Every keyword that makes the validator do something of its own, in the cage.
KEYWORDS: dict[str, tuple[Any, Any]] = {
    "lookaround": ({"pattern": r"^(?=.*\d)(?!x)(?<=)a(b)\1"}, "abb1"),
    "unicode": ({"pattern": r"^\p{Lu}\w+$"}, "Éa"),
    "formats": ({"format": "email", "pattern": "."}, "nobody"),
    "unevaluated": ({"unevaluatedProperties": False, "properties": {"a": True}}, {"a": 1}),
    "dynamic": (
        {"$dynamicRef": "#x", "$defs": {"a": {"$dynamicAnchor": "x", "anyOf": [True, False]}}},
        {"a": 1},
    ),
    "the metaschema": ({"$ref": "https://json-schema.org/draft/2020-12/schema"}, {"type": "string"}),
    "content": ({"contentMediaType": "application/json", "contentEncoding": "base64"}, "!"),
    "names": ({"propertyNames": {"pattern": "a|b|c"}, "dependentSchemas": {"a": True}}, {"a": "a"}),
    "numbers": ({"multipleOf": 0.1, "minimum": 10**40}, 10**60),
    "unique maps": ({"uniqueItems": True, "contains": {"const": {"a": [1.5]}}}, [{"a": [1.5]}, {"b": 2}] * 1),
}


@pytest.mark.parametrize(("schema", "value"), KEYWORDS.values(), ids=KEYWORDS)
def test_no_keyword_needs_what_the_cage_refuses(schema: Any, value: Any) -> None:
    assert settle(partial(Recorded(isolation="strict").why_not, schema, value)) is None


@pytest.mark.parametrize("isolation", ["best_effort", "none"])
def test_the_check_follows_the_runs_isolation_and_keeps_its_limits_without_any(
    isolation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checker, "CPU_SECONDS", 1)
    recorded = Recorded(isolation=isolation)
    assert settle(partial(recorded.why_not, REFERENCE, 1)) is None
    assert refusal(partial(recorded.why_not, DOUBLING, 1)) == BURNT


SAY = "import os, sys, time; say = lambda text: os.write(1, text); "
READ = "sys.stdin.buffer.read(); "
LIES: dict[str, tuple[str, str]] = {
    "nothing": ("", "its process gave no reply that can be read"),
    "another greeting": ("say(b'hello\\n')", "its process gave no reply that can be read"),
    "no isolation": (
        """say(b'{"isolation": "strict isolation is unavailable: uid"}')""",
        "strict isolation is unavailable: uid",
    ),
    "a cage that is none": (
        "say(b'ready\\n'); time.sleep(1000)",
        "the child claims a cage that the kernel does not confirm: Seccomp is 0, not 2",
    ),
    "a death": ("os.kill(os.getpid(), 11)", "its process was killed by SIGSEGV"),
    "a status": ("sys.exit(3)", "its process exited with status 3"),
    "a flood": ("[say(b'x' * 65536) for _ in range(100)]", "its process sent more than a reply can have"),
}
REPLIES: dict[str, str] = {
    "no JSON": "b'{'",
    "a list": "b'[]'",
    "a number": """b'{"problem": 5}'""",
    "two members": """b'{"problem": null, "error": "x"}'""",
    "another member": """b'{"result": "x"}'""",
    "an empty error": """b'{"error": null}'""",
    "a long text": """b'{"problem": "%s"}' % (b'x' * 3000)""",
    "a deep text": "b'[' * 10000",
    "bytes": "bytes(range(128, 256))",
}
UNREADABLE = "options.schema could not be applied: its process gave no reply that can be read"


@pytest.mark.parametrize(("text", "problem"), LIES.values(), ids=LIES)
def test_a_process_that_is_not_what_it_should_be_is_refused(text: str, problem: str) -> None:
    recorded = Recorded(program(SAY + text), "strict")
    assert refusal(partial(recorded.checks.admit, REFERENCE)).startswith(
        f"options.schema could not be applied: {problem}"
    )
    assert len(recorded.cpu_seconds) == 1


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_a_reply_that_is_none_is_refused(reply: str) -> None:
    recorded = Recorded(program(f"{SAY} say(b'ready\\n'); {READ} say({reply})"), "none")
    assert refusal(partial(recorded.checks.admit, REFERENCE)) == UNREADABLE


def test_a_flood_after_the_task_is_cut_off_and_its_process_reaped() -> None:
    recorded = Recorded(program(f"{SAY} say(b'ready\\n'); [say(b'x' * 65536) for _ in range(10**6)]"), "none")
    message = refusal(partial(recorded.why_not, REFERENCE, ["x" * 1000] * 1000))
    assert message == "options.schema could not be applied: its process sent more than a reply can have"


def test_one_that_neither_answers_nor_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "WALL_SECONDS", 0.5)
    recorded = Recorded(program("import time; time.sleep(1000)"), "none")
    message = refusal(partial(recorded.checks.admit, REFERENCE))
    assert message == "options.schema could not be applied: it took longer than 0.5 s"
    assert len(recorded.cpu_seconds) == 1


def test_a_schema_that_is_refused_is_no_reason_to_ask_again_but_a_lost_process_is() -> None:
    for recorded, kind in ((Recorded(), SchemaRefused), (Recorded(program(SAY), "none"), AgentError)):
        with pytest.raises(AgentError) as caught:
            settle(partial(recorded.checks.admit, {"type": "text"}))
        assert type(caught.value) is kind


def test_a_program_that_is_not_there_is_an_error_of_the_check() -> None:
    recorded = Recorded(("/no/such/program",), "none")
    assert "no process could be started for it" in refusal(partial(recorded.checks.admit, REFERENCE))

"""Schemas from workflows are hostile: applying one must neither hang nor kill the host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio

from flowcage.host.agents import AgentCall, AgentError, referee
from flowcage.host.agents.echo import echo
from flowcage.host.agents.referee_process import reply_to

# Backtracks for longer than the universe has been there.
CATASTROPHE = {"type": "string", "pattern": "^(a+)+$"}
VICTIM = "a" * 200 + "!"
# 2**60 checks in 61 small schemas.
DOUBLING = {
    "$ref": "#/$defs/d0",
    "$defs": {
        **{f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)},
        "d60": {"type": "integer"},
    },
}


def settle(function: Callable[[], Any]) -> Any:
    async def bounded() -> Any:
        with trio.fail_after(120):
            return await function()

    try:
        return trio.run(bounded)
    finally:
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


def refusal(function: Callable[[], Any]) -> str:
    with pytest.raises(AgentError) as caught:
        settle(function)
    return str(caught.value)


@pytest.mark.parametrize(
    ("schema", "value"), [(CATASTROPHE, VICTIM), (DOUBLING, 1)], ids=["regular-expression", "references"]
)
def test_a_schema_that_would_take_for_ever_to_apply_is_given_up(schema: Any, value: Any) -> None:
    message = refusal(partial(referee.why_not, schema, value, timeout_s=2))
    assert message == (
        "options.schema could not be applied: the process for it took longer than 2 s and was killed"
    )


def test_an_instance_that_would_take_for_ever_to_make_is_given_up() -> None:
    schema = {**CATASTROPHE, "default": VICTIM}
    assert "took longer than 2 s and was killed" in refusal(
        partial(referee.minimal_instance, schema, timeout_s=2)
    )


def test_the_host_goes_on_while_a_schema_takes_for_ever() -> None:
    async def beside() -> int:
        steps = 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(referee.why_not, CATASTROPHE, VICTIM, timeout_s=100))
            for _ in range(100):
                await trio.lowlevel.checkpoint()
                await trio.to_thread.run_sync(bool)
                steps += 1
            nursery.cancel_scope.cancel()
        return steps

    assert settle(beside) == 100


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "minItems": 10**9},
        {"type": "string", "minLength": 10**9},
        {"type": "object", "minProperties": 10**9},
    ],
)
def test_a_small_schema_that_asks_for_a_huge_instance_is_refused(schema: Any) -> None:
    assert refusal(partial(referee.minimal_instance, schema)) == (
        "echo cannot make an instance of options.schema: there is too much to try"
    )


@pytest.mark.parametrize(
    ("schema", "value", "problem"),
    [
        ({"type": "string"}, "x", None),
        ({"type": "string"}, 5, "(root): 5 is not of type 'string'"),
        ({"items": {"pattern": "^w"}}, ["w"], None),
        ({"items": {"pattern": "^w"}}, ["w", "x"], "/1: 'x' does not match '^w'"),
        (
            {"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"type": "null"}}},
            [0],
            "/0: 0 is not of type 'null'",
        ),
        ({"uniqueItems": True}, [[1], [1]], "(root): [[1], [1]] has non-unique elements"),
        ({"enum": list(range(5_000))}, 4_999, None),
        ({"type": "string", "const": "\ud800"}, "\ud800", None),
    ],
)
def test_here_or_in_its_own_process_a_schema_means_the_same(
    schema: Any, value: Any, problem: str | None
) -> None:
    assert settle(partial(referee.why_not, schema, value)) == problem
    assert reply_to({"task": "why_not", "schema": schema, "value": value}) == {"result": problem}


def test_a_large_value_is_checked_like_a_small_one() -> None:
    schema = {"items": {"type": "integer"}}
    assert settle(partial(referee.why_not, schema, [1] * 100_000)) is None
    assert settle(partial(referee.why_not, schema, [1] * 100_000 + ["x"])) == (
        "/100000: 'x' is not of type 'integer'"
    )


@pytest.mark.parametrize("schema", [{"type": "text"}, {"$ref": "#/none"}, {"pattern": "("}, 5])
def test_a_wrong_schema_is_an_agent_error_wherever_it_is_found(schema: Any) -> None:
    for task in (
        partial(referee.check, schema),
        partial(referee.why_not, schema, 1),
        partial(referee.minimal_instance, schema),
    ):
        assert refusal(task).startswith("options.schema ")


def test_echo_answers_with_the_prompt() -> None:
    answer = settle(partial(echo, AgentCall("1", "Name a whale 🐋", {"label": "x"})))
    assert (answer.value, answer.tokens) == ("echo: Name a whale 🐋", 4)


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"type": "object", "required": ["ok"], "properties": {"ok": {"type": "boolean"}}}, {"ok": False}),
        ({"type": "string", "pattern": "^w-[0-9]+$"}, "w-0"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"const": "b"}}}, "b"),
    ],
)
def test_echo_answers_a_schema_with_an_instance(schema: Any, made: Any) -> None:
    assert settle(partial(echo, AgentCall("1", "hi", {"schema": schema}))).value == made


def test_echo_says_so_when_it_can_make_none() -> None:
    message = refusal(partial(echo, AgentCall("1", "hi", {"schema": {"type": "integer", "not": {}}})))
    assert message.startswith("echo cannot make an instance of options.schema: (root): ")


def test_the_process_has_limits_of_its_own_for_when_its_host_is_gone() -> None:
    program = (
        "import sys; from resource import *; from flowcage.host.agents.referee_process import main; main();"
        "print(getrlimit(RLIMIT_AS), getrlimit(RLIMIT_CPU), file=sys.stderr)"
    )
    task = json.dumps({"task": "instance", "schema": {"const": 1}})
    done = subprocess.run(
        [sys.executable, "-c", program], input=task, capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(done.stdout) == {"result": 1}
    assert done.stderr == f"({2 << 30}, {2 << 30}) (20, 20)\n"

"""Versions that can grow: a side may know a limit, a request, a drain member and a version more.

Both sides are processes, of today or of the later version that `later` describes, in all four pairs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from flowcage.host import ProtocolViolation
from flowcage.host.process.replies import Replies
from flowcage.protocol import encode
from flowcage.protocol.envelope import Result
from flowcage.protocol.messages import MISSING, Missing, Start, Started

from ..child.child_process import COMMAND, ChildProcess

PYTHON = ("env", f"PYTHONPATH={Path(__file__).parents[2]}", sys.executable, "-m")
CHILDREN = {
    "today": COMMAND,
    "later": (*PYTHON, "tests.contract.later", "tests.contract.later_child"),
}
HOSTS = {
    "today": (*PYTHON, "tests.contract.some_host"),
    # Its schemas are today's: the switch that compares them with the decoder would find the request.
    "later": (
        "env",
        "FLOWCAGE_CHECK_MESSAGES=0",
        *PYTHON,
        "tests.contract.later",
        "tests.contract.some_host",
    ),
}
PLAIN = "return await agent('who?')"
FETCH = "try { return await fetchPage('x') } catch (error) { return `refused: ${error.message}` }"
FETCH_TEN = "for (let i = 0; i < 10; i++) await fetchPage(`${i}`); return 'all'"
PAIRS = [(host, child) for host in HOSTS for child in CHILDREN]


@cache
def outcome(host: str, child: str, source: str, **limits: int) -> dict[str, Any]:
    """What came of a run of this host with this child."""
    command = (*HOSTS[host], source, json.dumps(limits), *CHILDREN[child])
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize(("host", "child"), PAIRS)
def test_any_host_runs_what_both_sides_know_with_any_child(host: str, child: str) -> None:
    told = outcome(host, child, PLAIN)
    assert told["result"] == "echo: who?"
    assert told["notes"] == []


@pytest.mark.parametrize(("host", "child"), PAIRS)
def test_both_sides_speak_the_newest_version_that_both_know(host: str, child: str) -> None:
    both_later = (host, child) == ("later", "later")
    assert outcome(host, child, PLAIN)["version"] == ("1.1" if both_later else "1.0")


# ---- a limit ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "child"), PAIRS)
def test_the_report_has_a_limit_only_where_both_sides_know_it(host: str, child: str) -> None:
    limits = outcome(host, child, PLAIN)["limits"]
    assert limits.get("maxPages") == (9 if (host, child) == ("later", "later") else None)


def test_a_limit_that_only_the_child_knows_has_its_default() -> None:
    assert "more than maxPages (9)" in outcome("today", "later", "for (;;) fetchPage('x')")["error"]


def test_a_limit_that_both_know_can_be_set() -> None:
    run = partial(outcome, "later", "later", FETCH_TEN)
    assert run(max_pages=10)["result"] == "all"
    assert "more than maxPages (2)" in run(max_pages=2)["error"]


def test_a_limit_that_was_set_and_that_the_child_does_not_know_ends_the_run_before_it_begins() -> None:
    error = outcome("later", "today", "return 1", max_pages=5)["error"]
    assert error.startswith("RunRefused: the child does not know the limit maxPages")


# ---- a request -------------------------------------------------------------------------------


def test_a_request_that_the_host_does_not_know_is_rejected_by_name_and_reported() -> None:
    told = outcome("today", "later", FETCH)
    assert told["result"].startswith("refused: this host does not know requests of type 'fetch'")
    assert told["notes"] == ["unknown_request_type"]


def test_what_else_the_workflow_asks_in_the_same_step_is_answered() -> None:
    source = "return await parallel([() => fetchPage('x'), () => agent('a'), () => fetchPage('y')])"
    told = outcome("today", "later", source)
    assert told["result"] == [None, "echo: a", None]
    assert told["notes"].count("unknown_request_type") == 2


def test_a_workflow_that_does_not_catch_the_rejection_fails_with_it() -> None:
    error = outcome("today", "later", "return await fetchPage('x')")["error"]
    assert error.startswith("WorkflowFailed: workflow module rejected: this host does not know requests of")


def test_a_request_that_both_know_is_answered() -> None:
    assert outcome("later", "later", FETCH)["result"] == "page of x"


def test_what_only_the_host_knows_is_not_there_for_the_workflow() -> None:
    assert outcome("later", "today", FETCH)["result"].startswith("refused: fetchPage is not defined")


# ---- a member of a drain ---------------------------------------------------------------------


def test_a_member_of_a_drain_reaches_whoever_knows_it() -> None:
    assert outcome("later", "later", FETCH)["pages"] == [1, 0]


def test_a_member_of_a_drain_that_the_child_does_not_know_is_left_out() -> None:
    assert outcome("later", "today", "return await agent('a')")["pages"] == [None, None]


# ---- a member of start: `describe` came after the first children of 1.0 ------------------------


@pytest.mark.parametrize(
    ("answer", "dialect"),
    [({}, MISSING), ({"x-later": 1}, MISSING), ({"dialect": "script"}, "script")],
    ids=["an older child", "a later child", "a child of today"],
)
def test_a_host_that_asks_for_the_dialect_takes_what_any_child_answers(
    answer: dict[str, Any], dialect: str | Missing
) -> None:
    replies = Replies()
    replies.expect(Start("return 1", describe=True))
    assert replies.take(Result(1, answer)) == Started(dialect)  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [{"dialect": "coffee"}, {"dialect": None}, []])
def test_what_no_child_may_answer_ends_the_run(answer: Any) -> None:
    replies = Replies()
    replies.expect(Start("return 1", describe=True))
    with pytest.raises(ProtocolViolation, match="answer to start is not in the contract"):
        replies.take(Result(1, answer))


@pytest.mark.parametrize(("describe", "answer"), [(False, {}), (True, {"dialect": "script"})])
def test_the_child_tells_the_dialect_only_to_a_host_that_asks(describe: bool, answer: dict[str, str]) -> None:
    with ChildProcess() as child:
        child.initialize()
        params = encode.params(Start("return 1", describe=describe))
        assert child.request("start", **params) == answer

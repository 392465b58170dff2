"""Runs that a host keeps in its store, from its clients' side."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .peer import Piped, eventually, piped

ASK = "return [await agent('1'), await agent('2')]"
QUESTION = "return await SW.extra.ask('Sure?', {schema: {type: 'boolean'}, label: 'sure'})"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "runs.db"


@pytest.fixture(scope="module")
def host(store: Path) -> Iterator[Piped]:
    with piped(f"--store={store}") as peer:
        assert peer.greet(handlers=["agent"], events=True)["store"] is True
        yield peer


def start(peer: Piped, source: str, **more: Any) -> str:
    run_id: str = peer.ask("run.start", source=source, **more)["runId"]
    return run_id


def answered(peer: Piped, run: str) -> Any:
    """Answer the two calls of `ASK`."""
    for _ in range(2):
        asked = peer.asked()
        peer.answer(asked, value=asked["params"]["prompt"], usage={"input": 5})
    return peer.outcome(run)


def test_a_second_start_with_the_key_gives_the_same_run(host: Piped) -> None:
    run = start(host, ASK, key="nightly")
    assert start(host, ASK, key="nightly", runId="other") == run
    assert answered(host, run)["result"] == ["1", "2"]
    assert start(host, ASK, key="nightly") == run
    assert host.outcome(run)["result"] == ["1", "2"]
    assert host.refused("run.start", source="return 2", key="nightly") == {"kind": "key_in_use"}


def test_a_run_of_another_host_that_was_found_by_its_key_does_not_end_with_the_client(
    host: Piped, store: Path
) -> None:
    run = start(host, "return await agent('1')", key="of-another-host")
    asked = host.asked()
    with piped(f"--store={store}") as other:
        other.greet(handlers=["agent"], onDisconnect="cancel")
        assert start(other, "return await agent('1')", key="of-another-host") == run
        eventually(lambda: not other.ask("run.get", runId=run)["run"]["hasClient"])
        other.close()
        assert other.ended() == 0
    host.answer(asked, value="mine")
    assert host.outcome(run)["result"] == "mine"


def test_an_id_that_is_kept_is_in_use(host: Piped) -> None:
    run = start(host, "return 1", runId="kept-1")
    host.outcome(run)
    assert host.refused("run.start", source="return 1", runId=run)["kind"] == "run_id_in_use"


def test_a_question_is_told_and_answered_from_outside(host: Piped) -> None:
    run = start(host, QUESTION)
    identifier = host.event("question_asked")["questionId"]
    [question] = host.ask("run.get", runId=run)["questions"]
    assert (question["id"], question["label"], question["takesText"]) == (identifier, "sure", False)
    asked = {"runId": run, "questionId": identifier}
    refused = host.refused("run.answer", **asked, value="perhaps")
    assert refused == {"kind": "answer_does_not_fit", "runId": run}
    assert host.ask("run.answer", **asked, value=True) == {}
    assert host.outcome(run)["result"] is True
    assert host.refused("run.answer", **asked, value=True)["kind"] in ("run_has_ended", "question_not_open")


def test_a_question_is_rejected_from_outside(host: Piped) -> None:
    run = start(host, f"try {{ {QUESTION} }} catch (error) {{ return error.message }}")
    identifier = host.event("question_asked")["questionId"]
    host.ask("run.reject", runId=run, questionId=identifier, message="ask again in May")
    assert "ask again in May" in host.outcome(run)["result"]


def test_an_answer_from_outside_takes_the_question_from_the_client(store: Path) -> None:
    with piped(f"--store={store}") as peer:
        peer.greet(handlers=["ask"])
        run = start(peer, QUESTION)
        asked = peer.asked("question.ask")
        peer.ask("run.answer", runId=run, questionId=asked["params"]["questionId"], value=False)
        assert peer.told("request.cancelled") == {"id": asked["id"], "reason": "settled"}
        assert peer.outcome(run)["result"] is False


def test_a_fork_is_explained_and_then_asks_what_is_new(host: Piped) -> None:
    run = start(host, ASK)
    answered(host, run)
    edited = {"runId": run, "source": "return [await agent('1'), await agent('3')]"}
    told = host.ask("run.resume", **edited)
    assert (told["way"], told["started"]) == ("fork", False)
    assert [each["reused"] for each in told["explanation"]["calls"]] == ["1", None]
    assert (told["explanation"]["reused"], told["explanation"]["tokens"]) == (1, 5)
    in_use = host.refused("run.resume", **edited, start=True, newRunId=run)
    assert in_use == {"kind": "run_id_in_use", "runId": run}
    assert host.ask("run.resume", **edited, start=True, newRunId="fork-1") == {
        "runId": "fork-1",
        "way": "fork",
        "started": True,
    }
    asked = host.asked()
    assert asked["params"]["prompt"] == "3"
    host.answer(asked, value="three")
    assert host.outcome("fork-1")["result"] == ["1", "three"]
    assert host.ask("run.get", runId="fork-1")["run"]["forkedFrom"] == run


def test_what_cannot_be_gone_on_with_is_refused_by_kind(host: Piped) -> None:
    run = start(host, "return 1")
    host.outcome(run)
    for more in ({}, {"start": True}):
        assert host.refused("run.resume", runId=run, **more) == {"kind": "not_resumable", "runId": run}
    refused = host.refused("run.resume", runId=run, way="fork", fromCall="99", start=True)
    assert refused == {"kind": "not_forkable", "runId": run}
    assert host.refused("run.resume", runId=run, way="fork", newRunId="a/b")["path"] == "/newRunId"
    assert host.refused("run.resume", runId="nope") == {"kind": "unknown_run", "runId": "nope"}


def test_a_run_that_was_cancelled_is_gone_on_with_where_that_is_said(host: Piped) -> None:
    run = start(host, ASK)
    host.asked()
    assert host.ask("run.cancel", runId=run, reason="enough")["done"] == "ended"
    assert host.ask("run.get", runId=run)["run"]["cancelReason"] == "enough"
    assert host.ask("run.get", runId=run)["outcome"]["error"]["message"] == "the run was cancelled: enough"
    assert host.refused("run.resume", runId=run, start=True)["kind"] == "not_resumable"
    host.ask("run.resume", runId=run, start=True, evenIfCancelled=True)
    assert answered(host, run)["result"] == ["1", "2"]


def test_the_end_that_counts_is_that_of_the_host_that_went_on(host: Piped, store: Path) -> None:
    run = start(host, ASK)
    host.asked()
    host.ask("run.cancel", runId=run)
    assert host.outcome(run)["verdict"] == "cancelled"
    with piped(f"--store={store}") as other:
        other.greet(handlers=["agent"])
        other.ask("run.resume", runId=run, start=True, evenIfCancelled=True)
        waiting = host.begin("run.wait", runId=run)
        assert answered(other, run)["result"] == ["1", "2"]
        assert host.reply(waiting)["result"]["outcome"]["result"] == ["1", "2"]


def test_runs_are_listed_by_state_and_in_parts(host: Piped) -> None:
    host.outcome(start(host, "return 1"))
    waiting = start(host, ASK, runId="still-here")
    [row] = host.ask("run.list", state="running")["runs"]
    assert (row["runId"], row["hasClient"]) == (waiting, True)
    first = host.ask("run.list", limit=1)
    assert [each["runId"] for each in first["runs"]] == [waiting]
    second = host.ask("run.list", limit=500, before=first["next"])
    assert waiting not in [each["runId"] for each in second["runs"]]
    assert second["next"] is None
    host.ask("run.cancel", runId=waiting)


def test_the_runs_of_a_host_that_was_killed_are_abandoned_and_gone_on_with(store: Path) -> None:
    with piped(f"--store={store}") as peer:
        peer.greet(handlers=["agent"])
        start(peer, ASK, runId="abandoned-1")
        peer.answer(peer.asked(), value="one")
        peer.asked()
        peer.process.kill()
        peer.ended()
    with piped(f"--store={store}") as peer:
        peer.greet(handlers=["agent"])
        rows = peer.ask("run.list", state="abandoned")["runs"]
        assert [(row["runId"], row["hasClient"]) for row in rows] == [("abandoned-1", False)]
        assert peer.refused("run.wait", runId="abandoned-1")["kind"] == "run_abandoned"
        peer.ask("run.resume", runId="abandoned-1", start=True)
        asked = peer.asked()
        assert (asked["params"]["prompt"], asked["params"]["interrupted"]) == ("2", True)
        peer.answer(asked, value="two")
        assert peer.outcome("abandoned-1")["result"] == ["one", "two"]


def test_a_child_workflow_that_was_begun_is_gone_on_with_and_not_asked_for_again(store: Path) -> None:
    kid = "return await agent(args.who)"
    with piped(f"--store={store}") as peer:
        peer.greet(handlers=["agent", "workflow"])
        start(peer, "return await workflow('kid', {who: 'Ada'})", runId="parent-1")
        peer.answer(peer.asked("workflow.get"), source=kid, args={"who": "Grace"})
        peer.asked()
        peer.process.kill()
        peer.ended()
    with piped(f"--store={store}") as peer:
        peer.greet(handlers=["agent", "workflow"])
        peer.ask("run.resume", runId="parent-1", start=True)
        asked = peer.wait(lambda each: each.get("method") in ("agent.ask", "workflow.get"))
        assert (asked["method"], asked["params"].get("prompt")) == ("agent.ask", "Grace")
        peer.answer(asked, value="done")
        assert peer.outcome("parent-1")["result"] == "done"


def test_a_run_that_is_asleep_and_whose_host_is_gone_is_not_waited_for(store: Path) -> None:
    with piped(f"--store={store}") as peer:
        peer.greet(events=True)
        start(peer, "await SW.extra.sleep(3600000); return 1", runId="sleeper")
        peer.event("asleep")
        assert peer.ask("run.get", runId="sleeper")["run"]["state"] == "asleep"
        waiting = peer.begin("run.wait", runId="sleeper")
        peer.process.kill()
        peer.ended()
        assert all(each.get("id") != waiting for each in peer.rest())
    with piped(f"--store={store}") as peer:
        peer.greet()
        assert peer.refused("run.wait", runId="sleeper")["kind"] == "run_abandoned"
        [row] = peer.ask("run.list", state="asleep")["runs"]
        assert (row["runId"], row["hasClient"]) == ("sleeper", False)
        assert row["wakeAt"] > row["createdAt"]
        assert peer.ask("run.cancel", runId="sleeper", reason="no")["done"] == "ended"
        assert peer.outcome("sleeper")["verdict"] == "cancelled"


def test_a_run_that_was_cancelled_with_its_client_is_gone_on_with(store: Path) -> None:
    with piped(f"--store={store}") as peer:
        peer.greet(handlers=["agent"], onDisconnect="cancel")
        start(peer, ASK, runId="with-its-client")
        peer.answer(peer.asked(), value="one")
        peer.asked()
        peer.close()
        peer.ended()
    with piped(f"--store={store}") as peer:
        peer.greet(handlers=["agent"])
        assert peer.outcome("with-its-client")["verdict"] == "cancelled"
        peer.ask("run.resume", runId="with-its-client", start=True)
        peer.answer(peer.asked(), value="two")
        assert peer.outcome("with-its-client")["result"] == ["one", "two"]


def test_a_run_that_needs_a_handler_is_not_gone_on_with_without(store: Path) -> None:
    with piped(f"--store={store}") as peer:
        peer.greet(handlers=["agent", "workflow"], onDisconnect="continue")
        start(peer, ASK, runId="needs-1")
        peer.asked()
        peer.close()
        peer.ended()
    with piped(f"--store={store}") as peer:
        peer.greet(handlers=["agent"])
        assert peer.refused("run.resume", runId="needs-1", start=True)["kind"] == "not_resumable"


def test_runs_of_another_tenant_are_not_there(store: Path) -> None:
    with piped(f"--store={store}", "--tenant=other") as peer:
        assert peer.greet()["tenant"] == "other"
        assert peer.ask("run.list")["runs"] == []
        for method in ("run.get", "run.wait", "run.cancel", "run.resume", "run.attach"):
            assert peer.refused(method, runId="kept-1") == {"kind": "unknown_run", "runId": "kept-1"}


def test_runs_of_another_tenant_are_not_answered_resumed_or_forked(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    fork = {"way": "fork", "source": "return 1"}
    with piped(f"--store={store}", "--tenant=owner") as owner:
        owner.greet(handlers=["agent"])
        owner.ask("run.cancel", runId=(over := start(owner, "return await agent('1')")))
        asking = start(owner, QUESTION, events=True)
        question = owner.event("question_asked")["questionId"]
        with piped(f"--store={store}", "--tenant=other") as other:
            other.greet(handlers=["agent"])
            unknown = {"kind": "unknown_run", "runId": asking}
            given = {"runId": asking, "questionId": question}
            assert other.refused("run.answer", **given, value=False) == unknown
            assert other.refused("run.reject", **given, message="no") == unknown
            for again in ({}, {"evenIfCancelled": True}, fork):
                for begins in (False, True):
                    refused = other.refused("run.resume", runId=over, start=begins, **again)
                    assert refused == {"kind": "unknown_run", "runId": over}
            assert other.ask("run.list")["runs"] == []
        owner.ask("run.answer", **given, value=True)
        assert owner.outcome(asking)["result"] is True
        assert {each["runId"] for each in owner.ask("run.list")["runs"]} == {asking, over}


def test_what_is_no_store_is_wrong_usage(tmp_path: Path) -> None:
    file = tmp_path / "runs.db"
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    with piped(f"--store={file}") as peer:
        assert peer.ended() == 2
        assert peer.process.stderr is not None
        assert str(file).encode() in peer.process.stderr.read()

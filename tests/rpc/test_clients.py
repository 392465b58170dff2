"""Clients that go, say nothing, read nothing, or send what is no message; and a host that is told to end."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
from pathlib import Path

import pytest

from .peer import FLOWCAGE, Piped, descendants, eventually, piped

ASK = "return await agent('Who?')"


def at_work(peer: Piped, *, run: str = "r", **greeting: object) -> int:
    """Begin a run, and wait until its agent is asked."""
    peer.greet(handlers=["agent"], **greeting)
    peer.ask("run.start", source=ASK, runId=run)
    return int(peer.asked()["id"])


@pytest.mark.parametrize("policy", ["cancel", "continue"])
def test_a_client_that_closes_its_side_leaves_no_process(policy: str) -> None:
    with piped() as peer:
        at_work(peer, onDisconnect=policy)
        below = descendants(peer.process)
        assert below
        peer.close()
        assert peer.ended() == 0
        assert not any(each.is_running() for each in below)


@pytest.mark.parametrize(("policy", "verdict"), [("cancel", "cancelled"), ("continue", "agents_unavailable")])
def test_who_waits_hears_how_the_run_of_a_client_ends_that_has_closed_its_side(
    policy: str, verdict: str
) -> None:
    with piped() as peer:
        at_work(peer, onDisconnect=policy, events=True)
        waiting = peer.begin("run.wait", runId="r")
        peer.close()
        assert peer.reply(waiting)["result"]["outcome"]["verdict"] == verdict
        assert peer.ended() == 0


def test_a_script_can_be_piped_into_the_host() -> None:
    lines = b"""\
{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"1.0","onDisconnect":"continue"}}
{"jsonrpc":"2.0","id":2,"method":"run.start","params":{"source":"return agent('x')","runId":"piped"}}
{"jsonrpc":"2.0","id":3,"method":"run.wait","params":{"runId":"piped"}}
"""
    command = [str(FLOWCAGE), "host", "--no-store", "--agent=mock"]
    done = subprocess.run(command, input=lines, capture_output=True, check=True)
    assert [line[:24] for line in done.stdout.splitlines()] == [
        b'{"jsonrpc":"2.0","id":%d,' % number for number in (1, 2, 3)
    ]
    assert b'"verdict":"completed"' in done.stdout


def test_a_run_that_was_left_is_gone_on_with_from_the_store(tmp_path: Path) -> None:
    store = f"--store={tmp_path / 'runs.db'}"
    with piped(store) as peer:
        peer.greet(handlers=["agent"], onDisconnect="continue")
        peer.ask("run.start", source="return [await agent('1'), await agent('2')]", runId="r")
        peer.answer(peer.asked(), value="one")
        asked = peer.asked()
        peer.ask("agent.remember", id=asked["id"], handle="session-1")
        peer.close()
        assert peer.ended() == 0
    with piped(store) as peer:
        peer.greet(handlers=["agent"])
        told = peer.ask("run.resume", runId="r")
        assert (told["way"], told["started"], told["explanation"]["reused"]) == ("resume", False, 1)
        assert [each["reused"] for each in told["explanation"]["calls"]] == [None, "1"]
        assert peer.ask("run.resume", runId="r", start=True)["started"] is True
        again = peer.asked()["params"]
        assert (again["prompt"], again["interrupted"], again["handle"]) == ("2", True, "session-1")
        peer.answer(peer.seen[-1], value="two")
        assert peer.outcome("r")["result"] == ["one", "two"]


def test_a_host_that_is_killed_leaves_no_child() -> None:
    with piped() as peer:
        at_work(peer)
        below = descendants(peer.process)
        peer.process.kill()
        eventually(lambda: not any(each.is_running() and each.status() != "zombie" for each in below))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_host_and_the_run_can_be_resumed(number: signal.Signals, tmp_path: Path) -> None:
    store = f"--store={tmp_path / 'runs.db'}"
    with piped(store) as peer:
        at_work(peer)
        below = descendants(peer.process)
        peer.process.send_signal(number)
        peer.rest()
        assert peer.ended() == 128 + number
        assert not any(each.is_running() for each in below)
    with piped(store) as peer:
        peer.greet(handlers=["agent"])
        assert peer.outcome("r")["verdict"] == "host_shutdown"
        peer.ask("run.resume", runId="r", start=True)
        peer.answer(peer.asked(), value=1)
        assert peer.outcome("r")["result"] == 1


def test_nothing_is_answered_before_initialize_and_other_versions_are_refused() -> None:
    with piped() as peer:
        assert peer.refused("run.list") == {"kind": "invalid_state"}
        refused = peer.refused("initialize", protocolVersion="2.0")
        assert refused == {"kind": "protocol_version", "supported": ["1.0"]}
        assert peer.greet()["store"] is False
        assert peer.ask("run.list") == {"runs": [], "next": None}


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"not JSON", "parse_error"),
        (b'{"jsonrpc":"2.0","id":1,"method":"check"', "parse_error"),
        (b"\xff\xfe", "parse_error"),
        (b"[]", "invalid_request"),
        (b"7", "invalid_request"),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"run.list"}', "invalid_request"),
        (b'{"jsonrpc":"1.0","method":"run.list"}', "invalid_request"),
        (b'{"jsonrpc":"2.0","id":1}', "invalid_request"),
        (b"[" * 600 + b"]" * 600, "message_too_large"),
    ],
)
def test_a_line_that_is_no_message_ends_nothing(line: bytes, kind: str) -> None:
    with piped() as peer:
        peer.greet()
        peer.send_bytes(line + b"\n")
        refused = peer.wait(lambda each: "error" in each)
        assert refused["error"]["data"]["kind"] == kind
        assert peer.ask("run.list")["runs"] == []


def test_a_line_that_is_too_long_is_skipped() -> None:
    with piped() as peer:
        most = peer.greet()["maxMessageBytes"]
        peer.send_bytes(b"x" * (most + 1) + b"\n")
        assert peer.wait(lambda each: "error" in each)["error"]["data"]["kind"] == "message_too_large"
        assert peer.ask("run.list")["runs"] == []


def test_a_client_may_have_so_many_open_requests_and_no_more() -> None:
    with piped() as peer:
        most = peer.greet(handlers=["agent"])["maxOpenRequests"]
        peer.ask("run.start", source=ASK, runId="r")
        asked = peer.asked()
        waiting = [peer.begin("run.wait", runId="r") for _ in range(most)]
        assert peer.refused("run.get", runId="r") == {"kind": "too_many_requests"}
        peer.answer(asked, value=1)
        assert {peer.reply(each)["result"]["outcome"]["result"] for each in waiting} == {1}
        assert peer.ask("run.get", runId="r")["run"]["state"] == "ended"


def test_a_client_that_reads_nothing_counts_as_gone() -> None:
    with piped("--no-store", "--unread-timeout=0.5") as peer:
        peer.greet(events=True, onDisconnect="cancel")
        source = "for (;;) { log('x'.repeat(100000)); await SW.extra.sleep(1) }"
        peer.send(id=1, method="run.start", params={"source": source})
        assert peer.ended() == 0


def peak_kib(pid: int) -> int:
    """The most memory that a process has had when it ends; what wait4(2) tells begins with its parent's."""
    pidfd, peak = os.pidfd_open(pid), 0
    while not select.select([pidfd], [], [], 0.02)[0]:
        found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        peak = int(found[1]) if found else peak
    os.close(pidfd)
    return peak


@pytest.mark.parametrize("method", ["run.wait", "run.get"])
@pytest.mark.parametrize("is_kept", [False, True])
def test_answers_are_not_kept_for_a_client_that_does_not_read(
    method: str, is_kept: bool, tmp_path: Path
) -> None:
    store = f"--store={tmp_path}/runs.db" if is_kept else "--no-store"
    with piped(store, "--unread-timeout=1") as host:
        host.greet()
        host.ask("run.start", source="return 'x'.repeat(7e6)", runId="big")
        host.outcome("big")
        for _ in range(150):  # of 7 MB: 1,050 MB
            host.begin(method, runId="big")
        assert 0 < peak_kib(host.process.pid) < 500_000


def test_a_run_beyond_the_queue_is_refused_at_once() -> None:
    with piped("--no-store", "--max-runs=1", "--max-queued=1") as peer:
        peer.greet(handlers=["agent"])
        peer.ask("run.start", source=ASK, runId="at-work")
        asked = peer.asked()
        peer.ask("run.start", source=ASK, runId="waits")
        assert peer.ask("run.get", runId="waits")["run"]["state"] == "queued"
        refused = peer.refused("run.start", source=ASK)
        assert (refused["kind"], refused["quota"]) == ("overloaded", "queued_runs")
        assert refused["retryAfterSeconds"] >= 0
        assert peer.ask("run.cancel", runId="waits")["done"] == "ended"
        peer.answer(asked, value=1)
        assert peer.outcome("at-work")["result"] == 1


def test_the_ceiling_of_the_host_holds_whatever_a_client_says() -> None:
    with piped("--no-store", "--max-cost=1", "--limit=maxAgents=2") as peer:
        told = peer.greet(handlers=["agent"])["options"]
        assert (told["maxCostUsd"], told["maxAgents"]) == (1, 2)
        source = "return [await agent('1'), await agent('2').catch(error => 'refused')]"
        options = {"maxCostUsd": 5, "agentFailure": "throw"}
        peer.ask("run.start", source=source, runId="r", options=options)
        asked = peer.asked()
        assert asked["params"]["costLeftUsd"] == 1
        peer.answer(asked, value=1, costUsd=1.5)
        assert peer.outcome("r")["result"] == [1, "refused"]


def test_a_result_that_is_longer_than_a_line_is_an_error_of_the_answer() -> None:
    source = "return '\\ud800' + '\\u{1f600}'.repeat(1.9e6)"  # with the first one, all are written as escapes
    with piped() as peer:
        peer.greet(events=False)
        peer.ask("run.start", source=source, runId="r")
        assert peer.refused("run.wait", runId="r") == {"kind": "message_too_large"}
        assert peer.ask("run.list")["runs"][0]["verdict"] == "completed"


def test_an_answer_may_be_as_long_as_a_child_takes_and_no_longer() -> None:
    with piped() as peer:
        peer.greet(handlers=["agent"])
        source = "return (await agent('x').catch(error => error.message)).slice(0, 100)"
        for length, result in ((7 * 2**20, "a" * 100), (9 * 2**20, None)):
            run = peer.ask("run.start", source=source, options={"agentFailure": "throw"})["runId"]
            peer.answer(peer.asked(), value="a" * length)
            outcome = peer.outcome(run)
            assert outcome["verdict"] == "completed"
            assert (outcome["result"] == result) is (result is not None)


@pytest.mark.parametrize(
    "words",
    [
        ["--store=x", "--no-store"],
        ["--no-store", "--limit=nope=1"],
        ["--no-store", "--agent=nope"],
        ["--no-store", "--socket=/nope/nope/s"],
        ["--no-store", "--max-runs=0"],
    ],
)
def test_wrong_usage_is_told_before_anything_is_served(words: list[str]) -> None:
    with piped(*words) as peer:
        assert peer.ended() == 2
        assert peer.process.stderr is not None
        said = peer.process.stderr.read()
        assert said
        assert b"Traceback" not in said

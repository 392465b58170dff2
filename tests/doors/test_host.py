"""``flowcage host --queue``: clients of the host protocol put runs into the queue for workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import SqliteStore, submit_workflow

from ..e2e.command import flowcage
from ..rpc.peer import Piped, piped
from .workers import ASKS, QUESTION, WAITS, Cluster


@contextmanager
def client(cluster: Cluster, *words: str, **greeting: Any) -> Iterator[Piped]:
    """One with a host of its own, on the store."""
    with piped("--queue", f"--store={cluster.store}", *words) as peer:
        peer.greet(**greeting)
        yield peer


def test_a_run_is_carried_out_by_a_worker_and_its_client_hears_of_it(cluster: Cluster) -> None:
    cluster.worker()
    with client(cluster, events=True) as peer:
        run = peer.ask("run.start", source=ASKS, args={"a": 1}, sourceName="asks.js")["runId"]
        kinds = [peer.told("run.event")["event"]["type"]]
        while kinds[-1] != "ended":
            kinds.append(peer.told("run.event")["event"]["type"])
        assert {"started", "log", "agent_started", "agent_completed"} <= set(kinds)
        outcome = peer.outcome(run)
        assert (outcome["verdict"], outcome["result"]) == ("completed", ["<hello>", {"a": 1}])
    assert cluster.asked() == ["hello"]


def test_another_host_waits_looks_follows_and_cancels(cluster: Cluster) -> None:
    with client(cluster) as first:
        run = first.ask("run.start", source=WAITS, key="k")["runId"]
        assert first.ask("run.get", runId=run)["run"]["state"] == "queued"
        cluster.worker()
        cluster.until_asked("wait")
    with client(cluster) as other:
        assert other.ask("run.start", source=WAITS, key="k")["runId"] == run
        assert other.ask("run.list")["runs"][0]["state"] == "running"
        assert other.ask("run.attach", runId=run, events=True)["state"] == "running"
        assert other.event("agent_completed")["runId"] == run
        waiting = other.begin("run.wait", runId=run)
        assert other.ask("run.cancel", runId=run, reason="enough")["done"] == "asked"
        outcome = other.reply(waiting)["result"]["outcome"]
        assert outcome["verdict"] == "cancelled"
        assert other.refused("run.resume", runId=run, start=True)["kind"] == "not_resumable"
        cluster.go()
        again = other.ask("run.resume", runId=run, start=True, evenIfCancelled=True)
        assert again == {"runId": run, "way": "resume", "started": True}
        assert other.outcome(run)["result"] == ["<first>", "<wait>"]
        fork = other.ask("run.resume", runId=run, way="fork", start=True, source=f"{WAITS} // edited")
        assert fork["runId"] != run
        assert other.outcome(fork["runId"])["result"] == ["<first>", "<wait>"]
    assert cluster.asked() == ["first", "wait", "wait"]


def test_a_run_goes_on_without_its_client(cluster: Cluster) -> None:
    cluster.worker()
    with client(cluster) as peer:
        run = peer.ask("run.start", source=WAITS)["runId"]
        cluster.until_asked("wait")
        peer.close()
        assert peer.ended() == 0
    cluster.go()
    assert cluster.on("wait", run).json["result"] == ["<first>", "<wait>"]


def test_a_question_is_answered_from_another_host(cluster: Cluster) -> None:
    cluster.worker()
    with client(cluster) as peer:
        run = peer.ask("run.start", source=QUESTION)["runId"]
        waiting = peer.begin("run.wait", runId=run)
        cluster.until(run, "asleep")
        with client(cluster) as other:
            (question,) = other.ask("run.get", runId=run)["questions"]
            other.ask("run.answer", runId=run, questionId=question["id"], value="this")
        assert peer.reply(waiting)["result"]["outcome"]["result"] == "this"


def test_clients_answer_nothing_of_what_workers_answer(cluster: Cluster) -> None:
    with piped("--queue", f"--store={cluster.store}") as peer:
        refused = peer.refused("initialize", protocolVersion="1.0", handlers=["agent"])
        assert (refused["kind"], refused["path"]) == ("invalid_params", "/handlers")
        peer.greet()
        refused = peer.refused("run.start", source="1", options={"agentTimeoutSeconds": 5})
        assert (refused["kind"], refused["path"]) == ("invalid_params", "/options/agentTimeoutSeconds")
        run = peer.ask("run.start", source=ASKS, key="k")["runId"]
        assert peer.refused("run.start", source=WAITS, key="k")["kind"] == "key_in_use"
        assert peer.refused("run.start", source=WAITS, runId=run)["kind"] == "run_id_in_use"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--no-store"], "--queue needs a store"),
        (["--agent=mock"], "leave --agent out"),
        (["--cage=none", "--model=x"], "leave --cage, --model out"),
    ],
)
def test_options_that_workers_choose_are_refused(words: list[str], why: str) -> None:
    done = flowcage("host", "--queue", *words)
    assert done.status == 2
    assert why in done.stderr


def test_a_pool_is_that_of_its_workers(cluster: Cluster) -> None:
    cluster.worker("--pool=gpu")
    with client(cluster, "--queue=gpu") as peer, client(cluster) as usual:
        waits = usual.ask("run.start", source=ASKS)["runId"]
        run = peer.ask("run.start", source=ASKS)["runId"]
        assert peer.outcome(run)["result"] == ["<hello>", {}]
        assert usual.ask("run.get", runId=waits)["run"]["state"] == "queued"


def test_a_run_that_may_cost_more_than_those_of_the_host_is_forked_alone(cluster: Cluster) -> None:
    choices: list[dict[str, float]] = [{}, {"maxCostUsd": 2}, {"maxCostUsd": 1}]
    with client(cluster) as free:
        runs = [free.ask("run.start", source=ASKS, options=each)["runId"] for each in choices]
    with client(cluster, "--max-cost=1") as held:
        for run, had in zip(runs, ("without a ceiling on its cost", "with a ceiling of $2"), strict=False):
            refused = held.reply(held.begin("run.resume", runId=run, start=True))["error"]
            assert refused["data"]["kind"] == "not_resumable"
            assert f"was begun {had}, and this host allows $1" in refused["message"]
        assert held.ask("run.resume", runId=runs[2], start=True)["started"]
        choices = [{}, {}, {"maxCostUsd": 0.5}]
        forks = [
            held.ask("run.resume", runId=run, way="fork", start=True, options=each)["runId"]
            for run, each in zip(runs, choices, strict=True)
        ]
    assert [ceiling(cluster, each) for each in forks] == [1, 1, 0.5]


def ceiling(cluster: Cluster, run: str) -> float | None:
    """What a run of the store may cost."""
    file = cluster.folder / f"{run}.db"
    cluster.on("export", run, str(file))
    with closing(SqliteStore.open(file)) as store:
        return trio.run(store.load, run).rules.max_cost_usd


def test_rows_tell_the_pool_and_why_no_worker_takes_a_run(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"

    async def made() -> None:
        async with aclosing(SqliteStore.open(path)) as store:
            await submit_workflow(store, "1", run_id="waits")
            await submit_workflow(store, "1", run_id="held", pool="gpu")
            epoch = await store.claim("held")
            assert epoch is not None
            await store.put_back("held", epoch, "no such agent", store.now())

    trio.run(made)
    with piped(f"--store={path}") as peer:
        peer.greet()
        rows = {each["runId"]: (each["pool"], each["held"]) for each in peer.ask("run.list")["runs"]}
        assert rows == {"waits": ("", None), "held": ("gpu", "no such agent")}
        own = peer.ask("run.start", source="export default 1")["runId"]
        peer.outcome(own)
        assert (row := peer.ask("run.get", runId=own)["run"])["pool"] is row["held"] is None

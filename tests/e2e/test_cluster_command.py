"""``flowcage cluster``, and what the commands that look at runs, pages and metrics tell of a queue."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from flowcage.host.durable.queue.records import Wanted
from flowcage.host.durable.records import Ending
from flowcage.host.durable.sqlite.store import SqliteStore

from ..durable.queued import queued
from ..metrics.test_exposed import scraped
from ..metrics.test_prometheus import value
from ..ui.served import serving
from . import kept
from .command import flowcage
from .test_worker_command import store as store
from .test_worker_command import submitted, until_asked, worker

_METRICS = re.compile(r"metrics at (\S+)")
WHY = "no agent \x1b[31m\n\0 here"


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    """A store whose queue has a run, one that is held, one whose time has not come, and one in quarantine."""
    path = tmp_path / "runs.db"

    async def work(opened: SqliteStore) -> None:
        await queued(opened, "lost")
        (lost,) = await opened.take(Wanted(1))
        error = {"kind": "quarantined", "message": "three workers were lost with it"}
        await opened.end("lost", lost.epoch, Ending("quarantined", error=error))
        await queued(opened, "held", pool="gpu")
        (held,) = await opened.take(Wanted(1, ("gpu",)))
        await opened.put_back("held", held.epoch, WHY)
        await queued(opened, "next", priority=7)
        await queued(opened, "past", not_before=opened.now() + 10**9)

    kept.with_store(path, work)
    return path


def test_the_queue_is_told_by_pool_and_tenant_with_what_waits_for_more_than_a_turn(waiting: Path) -> None:
    told = kept.on(waiting, "cluster", "--json").json
    rows = {
        (each["pool"], each["tenant"]): (each["waiting"], each["held"], each["later"])
        for each in told["queue"]
    }
    assert rows == {("", "n"): (1, 0, 0), ("", "p"): (0, 0, 1), ("gpu", "h"): (1, 1, 0)}
    assert told["workers"] == []
    assert [(each["runId"], each["held"], each["pool"]) for each in told["held"]] == [("held", WHY, "gpu")]
    assert [each["runId"] for each in told["quarantined"]] == ["lost"]

    text = kept.on(waiting, "cluster").stdout
    assert "no workers; start one with: flowcage worker" in text
    assert re.search(r"^gpu +h +1 +1 +0 +0 +0", text, re.MULTILINE)
    assert "\x1b" not in text
    assert re.search(r"^held:\n  held .*no agent", text, re.MULTILINE)
    assert "go on with: flowcage resume lost" in text


def test_a_run_of_the_queue_tells_of_its_pool_and_why_it_waits(waiting: Path) -> None:
    listed = {each["runId"]: each for each in kept.on(waiting, "ls", "--json").json}
    assert (listed["next"]["pool"], listed["next"]["priority"], listed["next"]["held"]) == ("", 7, "")
    assert (listed["held"]["pool"], listed["held"]["held"]) == ("gpu", WHY)
    head, *lines = kept.on(waiting, "ls").stdout.splitlines()
    assert head.split() == ["RUN", "BEGUN", "STATE", "POOL", "TENANT", "WORKFLOW"]
    assert {row.split()[0]: row.split()[4] for row in lines if " queued " in row}["held"] == "gpu"
    assert "queue     the usual pool, priority 7\n" in kept.on(waiting, "show", "next").stdout
    shown = kept.on(waiting, "show", "held").stdout
    assert re.search(r"^queue     pool gpu, priority 0\nheld      no agent ", shown, re.MULTILINE)
    with serving(waiting) as served:
        client = served.client()
        rows = {each["id"]: each for each in client.json("runs")["runs"]}
        assert (rows["held"]["pool"], rows["held"]["held"]) == ("gpu", WHY)
        run = client.json("runs/held")["run"]
        assert (run["pool"], run["priority"], run["held"], run["takeovers"]) == ("gpu", 0, WHY, 0)


def test_the_pages_have_metrics_of_the_queue(waiting: Path) -> None:
    with serving(waiting, "--metrics-addr", "0") as served:
        found = _METRICS.search(served.said)
        assert found is not None
        samples = scraped(found[1])
    assert value(samples, "flowcage_queue_depth", pool="") == 1
    assert value(samples, "flowcage_queue_later", pool="") == 1
    assert value(samples, "flowcage_queue_held", pool="gpu") == 1
    assert value(samples, "flowcage_queue_oldest_seconds", pool="gpu") >= 0
    assert value(samples, "flowcage_workers", draining="false") == 0
    assert value(samples, "flowcage_ui_requests_open") == 0


def test_a_worker_is_told_of_with_what_it_has(store: Path) -> None:
    with worker(store, "--name=w1", "--pool=gpu", "--pool=", "--metrics-addr=0") as started:
        run = submitted(store, "waits.js", "--pool=gpu")
        until_asked(store, "wait")
        told = kept.on(store, "cluster", "--json").json
        (one,) = told["workers"]
        assert (one["name"], one["state"], one["pools"], one["slots"]) == ("w1", "at work", ["gpu", ""], 2)
        assert (one["running"], [each["running"] for each in told["queue"]]) == (1, [1])
        assert re.search(
            r"^w1 +at work +gpu, \(usual\) +1/2 ", kept.on(store, "cluster").stdout, re.MULTILINE
        )
        found = _METRICS.search("".join(started.said))
        assert found is not None
        samples = scraped(found[1])
        assert value(samples, "flowcage_queue_running", pool="gpu") == 1
        assert value(samples, "flowcage_worker_slots") == 2
        assert value(samples, "flowcage_runs_running") >= 0  # its host's own, too
        (store.parent / "go").touch()
        assert flowcage("wait", run, "--store", store).status == 0


def test_there_is_no_store_yet(tmp_path: Path) -> None:
    done = kept.on(tmp_path / "none.db", "cluster", "--json")
    assert (done.status, done.json["workers"], done.json["queue"]) == (0, [], [])
    assert "there is no store" in done.stderr
    assert not (tmp_path / "none.db").exists()


def test_the_doctor_says_that_nothing_takes_what_waits(waiting: Path) -> None:
    def queue(**env: str) -> list[dict[str, str]]:
        checks = flowcage("doctor", "--json", env=env).json["checks"]
        return [each for each in checks if each["name"] == "queue"]

    (check,) = queue(FLOWCAGE_STORE=str(waiting))
    assert check["value"] == "2 waiting, 1 of them held; 0 workers"
    assert "start flowcage worker" in check["advice"]
    assert queue(XDG_STATE_HOME=str(waiting.parent / "none")) == []


def test_the_doctor_says_which_rows_of_the_queue_are_damaged(waiting: Path) -> None:
    with sqlite3.connect(waiting) as db:
        db.execute("INSERT INTO tenants VALUES('acme', 0, 'much', NULL, 0, NULL, 0)")
    told = flowcage("doctor", "--json", env={"FLOWCAGE_STORE": str(waiting)}).json
    (check,) = [each for each in told["checks"] if each["name"] == "queue is damaged"]
    assert check["state"] == "problem"
    assert check["value"].startswith("what tenant 'acme' has used cannot be read, so it gets no turns")
    assert told["verdict"] == "not_ready"

"""The pages and the commands about a run that workers carry out, from any machine that reaches the store."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from ..e2e.command import DEADLINE, FLOWCAGE
from ..ui.served import serving
from .workers import ASKS, WAITS, Cluster


def submitted(cluster: Cluster, source: str) -> str:
    """The id of a run in the queue."""
    (cluster.folder / "w.js").write_text(source)
    return cluster.on("submit", "w.js").stdout.strip()


def test_pages_end_a_run_of_workers_and_put_it_back_into_the_queue(cluster: Cluster) -> None:
    run = submitted(cluster, WAITS)
    cluster.worker()
    cluster.until_asked("wait")
    with serving(cluster.store) as served:
        client = served.client()
        assert client.json(f"runs/{run}")["run"]["state"] == "running"
        with client.events(f"runs/{run}/stream") as events:
            assert next(events)[0]
            assert client.post(f"runs/{run}/cancel", {"reason": "enough"}).json()["done"] == "asked"
        cluster.until(run, "ended")
        ways = [each["name"] for each in client.json(f"runs/{run}/resume")["ways"]]
        assert ways == ["even-if-cancelled", "retry-failed"]
        cluster.go()
        told = client.post(f"runs/{run}/resume", {"way": "even-if-cancelled"})
        assert told.json() == {"runId": run}
        assert cluster.on("wait", run).json["result"] == ["<first>", "<wait>"]
    assert cluster.asked() == ["first", "wait", "wait"]


def test_logs_follow_a_run_from_the_queue_to_its_end(cluster: Cluster) -> None:
    run = submitted(cluster, ASKS)
    command: list[str | Path] = [FLOWCAGE, "logs", "-f", "--json", run, f"--store={cluster.store}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        cluster.worker()
        out, _ = process.communicate(timeout=DEADLINE)
    kinds = [json.loads(line)["type"] for line in out.splitlines()]
    assert (kinds[0], kinds[-1]) == ("started", "ended")
    assert {"log", "agent_completed"} <= set(kinds)


def test_a_worker_that_is_killed_ends_no_waiting(cluster: Cluster) -> None:
    run = submitted(cluster, WAITS)
    first = cluster.worker()
    cluster.until_asked("wait")
    with subprocess.Popen(
        [FLOWCAGE, "wait", run, f"--store={cluster.store}"], stdout=subprocess.PIPE, text=True
    ) as process:
        first.kill()
        first.wait()
        cluster.go()
        cluster.worker()
        out, _ = process.communicate(timeout=DEADLINE)
    assert (process.returncode, json.loads(out)["result"]) == (0, ["<first>", "<wait>"])
    assert cluster.asked() == ["first", "wait", "wait"]


def test_resume_puts_a_run_of_workers_back_into_the_queue(cluster: Cluster, tmp_path: Path) -> None:
    run = submitted(cluster, WAITS)
    cluster.on("cancel", run)
    refused = cluster.on("resume", run, status=2)
    assert "(--even-if-cancelled) goes on with it all the same" in refused.stderr
    done = cluster.on("resume", run, "--even-if-cancelled", "--detach")
    assert done.json == {"runId": run}
    assert cluster.state(run) == "queued"
    cluster.go()
    command: list[str | Path] = [FLOWCAGE, "resume", run, f"--store={cluster.store}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        assert "is in the queue; a worker goes on with it" in process.stderr.readline()
        cluster.worker()
        out, _ = process.communicate(timeout=DEADLINE)
    assert (process.returncode, json.loads(out)["result"]) == (0, ["<first>", "<wait>"])
    assert "has completed" in cluster.on("resume", run, status=2).stderr
    edited = tmp_path / "edited.js"
    edited.write_text(ASKS)
    assert "submit" in cluster.on("resume", run, str(edited), status=2).stderr


def test_what_had_failed_is_asked_again_by_workers(cluster: Cluster) -> None:
    source = "const first = await agent('hello'); await agent('wait'); throw new Error(first)"
    cluster.go()
    cluster.worker()
    run = submitted(cluster, source)
    assert cluster.on("wait", run, status=1).json["error"]["message"].endswith("<hello>")
    with serving(cluster.store) as served:
        client = served.client()
        assert [each["name"] for each in client.json(f"runs/{run}/resume")["ways"]] == ["retry-failed"]
        told = client.post(f"runs/{run}/resume/explain", {"way": "retry-failed"}).json()
        assert (
            told["calls"] == cluster.on("resume", run, "--retry-failed", "--dry-run", "--json").json["calls"]
        )
        assert (told["reused"], told["isComplete"]) == (2, True)
        again = client.post(f"runs/{run}/resume", {"way": "retry-failed"}).json()["runId"]
    assert again != run
    assert cluster.on("wait", again, status=1).json["error"]["message"].endswith("<hello>")
    assert cluster.asked() == ["hello", "wait"]

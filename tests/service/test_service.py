"""The service example: what it answers, and what it leaves behind."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from .served import DEADLINE, ROOT, Answer, Service, answer, serving

# Asks the agent without end, until a limit.
WAIT = "for (;;) await agent('x');"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service"), "--agent-seconds", "0.02") as service:
        yield service
        assert service.terminate() == 0


def wait_for(what: Callable[[], bool]) -> None:
    """Poll for what no event tells us, under a generous deadline."""
    end = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def events(response: http.client.HTTPResponse) -> Iterator[tuple[str, Any, str]]:
    """The events of a stream as they come: name, value and id."""
    members: dict[str, str] = {}
    while line := response.readline():
        if line.startswith(b":"):  # a sign of life
            continue
        if line != b"\n":
            name, _, value = line.decode().rstrip("\n").partition(": ")
            members[name] = value
        elif members:
            yield members["event"], json.loads(members["data"]), members.get("id", "")
            members = {}


def running(service: Service) -> int:
    """Runs of the small tenant."""
    return int(service.get("/statistics", "small-token").body["running"])


def assert_problem(got: Answer, status: int) -> None:
    assert got.status == got.body["status"] == status, got
    assert got.headers["content-type"] == "application/problem+json"
    assert got.body["detail"]


def test_a_run_is_answered_with_its_result_and_usage(service: Service) -> None:
    source = "return [args.n, await agent('two words')]"
    got = service.run({"source": source, "args": {"n": 7}, "limits": {"cpuSeconds": 2}})
    assert got.status == 200
    assert got.body["result"] == [7, "2 words"]
    assert got.body["runId"]
    assert got.body["usage"]["agents"] == 1
    assert (got.body["verdict"], got.body["census"]["completed"]) == ("completed", 1)
    assert got.body["diagnostics"] == []


@pytest.mark.parametrize("token", ["", "wrong", "acme-token2"])
def test_a_wrong_token_is_refused(service: Service, token: str) -> None:
    got = service.run({"source": "return 1"}, token=token)
    assert_problem(got, 401)
    assert got.headers["www-authenticate"] == "Bearer"


def crash_the_caged(service: Service) -> None:
    """Have every child of the service end as by a bug of the engine's; zygotes have no filter."""
    for pid in service.descendants():
        try:
            if "Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text():
                os.kill(pid, signal.SIGSEGV)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile


def test_a_run_whose_child_crashed_is_not_to_be_tried_again_by_a_proxy(service: Service) -> None:
    with closing(service.submit({"source": WAIT, "runId": "crashes"})) as connection:
        wait_for(lambda: service.get("/runs/crashes").status == 200)
        with closing(service.follow("crashes")) as following:
            assert next(events(following.getresponse()))[0] == "started"
        crash_the_caged(service)
        got = answer(connection)
    assert_problem(got, 422)
    assert got.body["verdict"] == "crashed"


@pytest.mark.parametrize("path", ["/runs", "/runs?wait"])
def test_a_run_above_the_quota_is_refused_and_told_when_to_try_again(service: Service, path: str) -> None:
    with closing(service.submit({"source": WAIT}, token="small-token")):
        wait_for(lambda: running(service) == 1)
        got = service.run({"source": "return 1"}, token="small-token", path=path)
    assert_problem(got, 429)
    assert got.body["quota"] == "queued_runs"
    assert int(got.headers["retry-after"]) >= 1
    wait_for(lambda: running(service) == 0)


def test_a_run_may_use_no_more_than_the_service_gives(service: Service) -> None:
    got = service.run({"source": "return 1", "limits": {"cpuSeconds": 6}})
    assert_problem(got, 422)
    assert "at most 5" in got.body["detail"]


# A tenant's zygote, and its spares for two sets of limits.
MOST_IDLE = 1 + 2 * 3


def test_a_client_that_leaves_takes_the_run_that_it_waits_for_with_it(tmp_path: Path) -> None:
    with serving(tmp_path, "--agent-seconds", "3600") as service:  # no run ends by itself
        for _ in range(MOST_IDLE + 2):  # more than may stay, so one that each left behind would be seen
            with closing(service.submit({"source": WAIT}, token="small-token")):
                wait_for(lambda: running(service) == 1)
            wait_for(lambda: running(service) == 0)
        wait_for(lambda: len(service.descendants()) <= MOST_IDLE)
        assert service.terminate() == 0


def test_termination_leaves_no_process_and_no_socket(tmp_path: Path) -> None:
    with serving(tmp_path, "--agent-seconds", "3600", "--grace-seconds", "0") as service:
        with closing(service.submit({"source": WAIT}, token="small-token")) as waiting:
            wait_for(lambda: len(service.descendants()) >= 2)  # the zygote, and a child
            wait_for(lambda: running(service) == 1)
            processes = service.descendants()
            assert service.terminate() == 0
            assert_problem(answer(waiting), 503)
        assert not [pid for pid in processes if psutil.pid_exists(pid)]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", service.port))


def test_the_next_instance_goes_on_with_a_run_and_its_stream(tmp_path: Path) -> None:
    source = "return [await agent('one'), await agent('two words')]"
    with serving(tmp_path, "--agent-seconds", "3600", "--grace-seconds", "60") as service:
        run_id = service.run({"source": source}, path="/runs").body["runId"]
        with closing(service.follow(run_id)) as connection:
            stream = events(connection.getresponse())
            heard = [next(stream) for _ in range(3)]
            assert heard[-1][0] == "agent_started"
            assert service.terminate() == 0  # neither the stream nor the run holds it up
            assert list(stream) == []
    with (
        serving(tmp_path, "--agent-seconds", "0") as service,
        closing(service.follow(run_id, heard[-1][2])) as connection,
    ):
        *rest, (last, outcome, _) = events(connection.getresponse())
        assert (last, outcome["result"]) == ("outcome", ["1 words", "2 words"])
        assert [int(number) for _, _, number in [*heard, *rest[:-1]]] == list(
            range(1, len(heard) + len(rest))
        )
        assert [name for name, _, _ in rest].count("resumed") == 1


def test_a_client_that_waits_has_its_answer_where_the_run_ends_in_time(tmp_path: Path) -> None:
    with serving(tmp_path, "--agent-seconds", "1", "--grace-seconds", "60") as service:
        with closing(service.submit({"source": "return await agent('x')"}, token="small-token")) as waiting:
            wait_for(lambda: running(service) == 1)
            service.process.terminate()
            assert answer(waiting).body["result"] == "1 words"
        assert service.process.wait(DEADLINE) == 0


def test_a_client_that_does_not_read_cannot_hold_up_the_end(tmp_path: Path) -> None:
    with serving(tmp_path, "--agent-seconds", "0", "--grace-seconds", "0") as service:
        source = "for (let i = 0; i < 100; i++) log('x'.repeat(100_000))"
        run_id = service.run({"source": source}).body["runId"]
        with closing(service.follow(run_id)) as connection:
            assert connection.getresponse().status == 200
            assert service.terminate() == 0


@pytest.mark.thorough
def test_the_load_test_completes_and_counts_the_runs_of_both_phases() -> None:
    command = (sys.executable, "-m", "examples.service.load", "--rounds", "1", "--seconds", "2")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=4 * DEADLINE, check=True)
    assert "Traceback" not in done.stderr
    *_, alone, beside, ratio = done.stdout.splitlines()
    assert int(alone.split()[-1]) > 0
    assert int(beside.split()[-1]) > 0
    assert ratio.startswith("ratio ")


@pytest.mark.parametrize(
    ("text", "told"),
    [(None, "No such file"), ("[", "Expecting value"), ('{"acme": {"limits": {}}}', "'token'")],
)
def test_a_file_of_tenants_that_cannot_be_used_is_told(tmp_path: Path, text: str | None, told: str) -> None:
    tenants = tmp_path / "tenants.json"
    if text is not None:
        tenants.write_text(text)
    assert told in refused("--tenants", str(tenants), "--port", "0")


def test_a_port_that_is_in_use_is_told() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        assert "Address already in use" in refused("--port", str(taken.getsockname()[1]))


def refused(*options: str) -> str:
    """What the service says where it cannot start."""
    done = subprocess.run(
        [sys.executable, "-m", "examples.service", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    return done.stderr

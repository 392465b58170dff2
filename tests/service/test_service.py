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
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from .served import DEADLINE, ROOT, Answer, Service, answer, may_be_refused, serving

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


def events(response: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    """The events of a stream, as they come."""
    while line := response.readline():
        assert line.startswith(b"event: ")
        data = response.readline()
        assert data.startswith(b"data: ")
        assert response.readline() == b"\n"
        yield line[7:].strip().decode(), json.loads(data[6:])


def running(service: Service) -> int:
    """Runs of the small tenant."""
    return int(service.get("/statistics", "small-token").body["running"])


def assert_problem(got: Answer, status: int, name: str) -> None:
    assert got.status == got.body["status"] == status, got
    assert got.headers["content-type"] == "application/problem+json"
    assert got.body["type"] == f"urn:flowcage:problem:{name}"
    assert got.body["title"]
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
    assert_problem(got, 401, "unauthorized")
    assert got.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("body", [b"", b"{", b'{"source": NaN}', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_is_refused(service: Service, body: bytes) -> None:
    assert_problem(service.run(body), 400, "invalid-json")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "'source'"),
        ({"source": 1}, "'source'"),
        ({"source": "", "tenant": "small"}, "'tenant'"),
        ({"source": "", "limits": []}, "'limits'"),
        ({"source": "", "limits": {"wishes": 3}}, "'wishes'"),
        ({"source": "", "limits": {"cpuSeconds": 1e9}}, "cpuSeconds"),
        ({"source": "", "limits": {"cpuSeconds": 0}}, "cpuSeconds"),
        ({"source": "", "limits": {"memoryBytes": 4e6}}, "memoryBytes"),
        ({"source": "", "limits": {"cpuSeconds": True}}, "cpuSeconds"),
        ({"source": "", "limits": {"cpuSeconds": "1"}}, "cpuSeconds"),
    ],
)
def test_a_submission_that_asks_for_what_there_is_not_is_refused(
    service: Service, body: Any, said: str
) -> None:
    got = service.run(body)
    assert_problem(got, 422, "invalid-submission")
    assert said in got.body["detail"]


def test_an_oversized_body_is_refused_whether_its_length_is_told_or_not(service: Service) -> None:
    assert_problem(service.run(b" " * (1024 * 1024 + 1)), 413, "request-entity-too-large")
    connection = service.connect()
    chunks = iter([b" " * 65_536] * 17)
    headers = {"Authorization": "Bearer acme-token"}
    with may_be_refused():
        connection.request("POST", "/runs", chunks, headers, encode_chunked=True)
    assert_problem(answer(connection), 413, "request-entity-too-large")


def test_there_is_nothing_else_here(service: Service) -> None:
    assert_problem(service.get("/other"), 404, "not-found")
    got = service.get("/runs")
    assert_problem(got, 405, "method-not-allowed")
    assert "POST" in got.headers["allow"]


@pytest.mark.parametrize(
    ("source", "limits", "verdict"),
    [
        ("throw new Error('no luck')", {}, "failed"),
        ("return (", {}, "failed"),
        ("await new Promise(() => {})", {}, "stalled"),
        ("for (;;);", {"stepTimeoutMs": 50}, "step_timeout"),
        (
            "const a = []; for (;;) a.push(Array(1000).fill(1))",
            {"memoryBytes": 4_000_000},
            "memory_limit",
        ),
        ("for (;;) log('x'.repeat(1000))", {}, "output_limit"),
        ("for (;;) await agent('x').catch(() => 0)", {"maxTotalAgents": 3}, "agent_limit"),
    ],
)
def test_a_run_that_failed_is_a_problem_with_its_verdict(
    service: Service, source: str, limits: dict[str, float], verdict: str
) -> None:
    got = service.run({"source": source, "limits": limits})
    assert_problem(got, 422, verdict.replace("_", "-"))
    assert got.body["verdict"] == verdict
    assert got.body["runId"]
    assert got.body["census"]["completed"] == (3 if verdict == "agent_limit" else 0)


def crash_the_caged(service: Service) -> None:
    """Have every child of the service end as by a bug of the engine's; zygotes have no filter."""
    for pid in service.descendants():
        try:
            if "Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text():
                os.kill(pid, signal.SIGSEGV)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile


def test_a_run_whose_child_crashed_is_not_to_be_tried_again_by_a_proxy(service: Service) -> None:
    with closing(service.submit({"source": WAIT}, path="/runs?stream=1")) as connection:
        stream = events(connection.getresponse())
        assert next(stream)[0] == "started"
        crash_the_caged(service)
        problem = [data for kind, data in stream if kind == "problem"]
    assert [(each["status"], each["verdict"]) for each in problem] == [(422, "crashed")]


@pytest.mark.parametrize("path", ["/runs", "/runs?stream=1"])
def test_a_run_above_the_quota_is_refused_and_told_when_to_try_again(service: Service, path: str) -> None:
    with closing(service.submit({"source": WAIT}, token="small-token", path="/runs?stream=1")) as busy:
        assert next(events(busy.getresponse()))[0] == "started"
        got = service.run({"source": "return 1"}, token="small-token", path=path)
    assert_problem(got, 429, "overloaded")
    assert got.body["quota"] == "queued_runs"
    assert int(got.headers["retry-after"]) >= 1
    wait_for(lambda: running(service) == 0)


def test_a_stream_tells_all_events_in_order_and_ends_with_the_outcome(service: Service) -> None:
    source = "phase('one'); log('a', 1); return await agent('three words here')"
    with closing(service.submit({"source": source}, path="/runs?stream=1")) as connection:
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        heard = list(events(response))
    kinds = [kind for kind, _ in heard]
    assert kinds == [
        "started", "phase", "log", "agent_queued", "agent_started", "agent_completed", "ended", "outcome",
    ]  # fmt: skip
    assert heard[2][1]["values"] == ["a", 1]
    assert heard[-1][1]["result"] == "3 words"


def test_a_stream_of_a_run_that_fails_ends_with_the_problem(service: Service) -> None:
    source = "throw new Error('no')"
    with closing(service.submit({"source": source}, path="/runs?stream=1")) as connection:
        *_, (ended, _), (kind, body) = events(connection.getresponse())
    assert (ended, kind) == ("ended", "problem")
    assert body["verdict"] == "failed"


def test_a_client_that_asks_to_close_sees_the_connection_end(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(4096), b""))
    assert received.endswith(b'{"status":"ok"}\n')


# A tenant's zygote, and its spares for two sets of limits.
MOST_IDLE = 1 + 2 * 3


@pytest.mark.parametrize("path", ["/runs", "/runs?stream=1"])
def test_a_client_that_leaves_takes_its_run_with_it(tmp_path: Path, path: str) -> None:
    with serving(tmp_path, "--agent-seconds", "3600") as service:  # no run ends by itself
        for _ in range(
            MOST_IDLE + 2
        ):  # more than may stay, so one that each client left behind would be seen
            with closing(service.submit({"source": WAIT}, token="small-token", path=path)):
                wait_for(lambda: running(service) == 1)
            wait_for(lambda: running(service) == 0)
        wait_for(lambda: len(service.descendants()) <= MOST_IDLE)
        assert service.terminate() == 0


def test_termination_leaves_no_process_and_no_socket(tmp_path: Path) -> None:
    with (
        serving(tmp_path, "--agent-seconds", "3600", "--grace-seconds", "0") as service,
        ExitStack() as stack,
    ):
        waiting = stack.enter_context(closing(service.submit({"source": WAIT})))
        streaming = stack.enter_context(closing(service.submit({"source": WAIT}, path="/runs?stream=1")))
        stream = events(streaming.getresponse())
        wait_for(lambda: service.get("/statistics").body["running"] == 2)
        processes = service.descendants()
        assert len(processes) >= 2
        assert service.terminate() == 0
        assert_problem(answer(waiting), 503, "closing")
        assert [kind for kind, _ in stream][-2:] == ["ended", "problem"]
        assert not [pid for pid in processes if psutil.pid_exists(pid)]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", service.port))


def test_a_run_that_ends_in_time_survives_termination(tmp_path: Path) -> None:
    with serving(tmp_path, "--agent-seconds", "1", "--grace-seconds", "60") as service:
        with closing(
            service.submit({"source": "return await agent('x')"}, path="/runs?stream=1")
        ) as connection:
            stream = events(connection.getresponse())
            assert next(stream)[0] == "started"
            service.process.terminate()
            assert [kind for kind, _ in stream][-1] == "outcome"
        assert service.process.wait(DEADLINE) == 0


def test_a_client_that_does_not_read_cannot_hold_up_the_end(tmp_path: Path) -> None:
    with serving(tmp_path, "--agent-seconds", "0", "--grace-seconds", "0") as service:
        source = "for (;;) { log('x'.repeat(100_000)); await agent('more'); }"
        with closing(service.submit({"source": source}, path="/runs?stream=1")) as connection:
            assert connection.getresponse().status == 200
            wait_for(lambda: service.get("/statistics").body["running"] == 0)  # it ran into a limit
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

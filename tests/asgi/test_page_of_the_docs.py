"""docs/asgi.md: its program is a service, and its table has all routes."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path

import httpx
import psutil
import pytest
from starlette.routing import Route

from flowcage import SqliteStore
from flowcage.asgi import RunRoutes
from flowcage.asyncio import Host

from .served import DEADLINE, tenant_of

PAGE = (Path(__file__).parents[2] / "docs" / "asgi.md").read_text()
PROGRAM = PAGE.partition("```python\n")[2].partition("```")[0]


@contextmanager
def served(folder: Path, loop: str, *words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The program of the page, as the page says that it is served."""
    (folder / "service.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "uvicorn", "service:app", "--port", "0", "--loop", loop, *words]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if found := re.search(r"running on (http://[0-9.:]+)", line):
                    yield found[1], process
                    return
            raise AssertionError("it did not start")
        finally:
            process.kill()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_program_of_the_page_is_a_service(tmp_path: Path, loop: str) -> None:
    assert "trio" not in PROGRAM
    head = {"authorization": "Bearer s3cret"}
    with served(tmp_path, loop) as (base, process):
        body = {"source": "return await agent(args.text)", "args": {"text": "hello"}}
        got = httpx.post(f"{base}/v1/runs?wait", json=body, headers=head, timeout=DEADLINE)
        assert (got.status_code, got.json()["result"]) == (200, "HELLO")
        assert httpx.get(f"{base}/v1/runs", timeout=DEADLINE).status_code == 401
        waits = {"source": "await SW.extra.sleep(1e9)"}
        run_id = httpx.post(f"{base}/v1/runs", json=waits, headers=head, timeout=DEADLINE).json()["runId"]
        with httpx.stream("GET", f"{base}/v1/runs/{run_id}/events", headers=head, timeout=DEADLINE) as stream:
            lines = stream.iter_lines()  # whose end would be that of the connection
            assert next(lines) == "id: 1"
            _end(process)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_client_that_waits_longer_than_the_server_is_told_so(tmp_path: Path, loop: str) -> None:
    head = {"authorization": "Bearer s3cret"}
    with served(tmp_path, loop, "--timeout-graceful-shutdown", "1") as (base, process), ThreadPool(1) as pool:
        body = {"source": "await SW.extra.sleep(1e9)"}
        post = partial(httpx.post, f"{base}/v1/runs?wait", json=body, headers=head, timeout=DEADLINE)
        waiting = pool.apply_async(post)
        while not httpx.get(f"{base}/v1/statistics", headers=head, timeout=DEADLINE).json()["running"]:
            pass
        _end(process)
        got = waiting.get(DEADLINE)
        assert (got.status_code, got.headers["retry-after"]) == (503, "5")


def _end(process: subprocess.Popen[str]) -> None:
    """Ctrl-C: a stream that is open does not hold it up, and nobody has a traceback."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=DEADLINE)
    assert "Traceback" not in said
    assert not [child for child in children if child.is_running()]


def test_the_page_has_each_route(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "runs.db")
    routes = RunRoutes(Host(store=store), tenant_of).routes()
    store.close()
    told = set(re.findall(r"`(GET|POST) ([\w/]+)", PAGE))
    for route in routes:
        assert isinstance(route, Route)
        path = route.path.removeprefix("/").replace("{run}", "ID").replace("{call:path}", "CALL")
        method = "POST" if route.methods == {"POST"} else "GET"
        assert (method, path) in told

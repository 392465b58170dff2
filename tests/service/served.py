"""The service example as its users have it: a process on a loopback port, spoken to by HTTP."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

ROOT = Path(__file__).parents[2]
DEADLINE = 50.0  # less than the service gives a run
TENANTS: dict[str, Any] = {
    "acme": {"token": "acme-token", "limits": {}},
    "small": {"token": "small-token", "limits": {"max_runs": 1, "max_queued": 0}},
}


class Answer(NamedTuple):
    """A response: status, headers with lower-case names, and the body's JSON."""

    status: int
    headers: dict[str, str]
    body: Any


class Service:
    """A running service."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port
        self._ps = psutil.Process(process.pid)

    def connect(self) -> http.client.HTTPConnection:
        """A new connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)

    def submit(
        self, body: bytes | dict[str, Any], *, token: str = "acme-token", path: str = "/runs?wait"
    ) -> http.client.HTTPConnection:
        """Send a ``POST``; the connection on which the answer will come."""
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = self.connect()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        with may_be_refused():
            connection.request("POST", path, text, headers)
        return connection

    def follow(self, run_id: str, after: str = "", token: str = "acme-token") -> http.client.HTTPConnection:
        """The events of a run."""
        connection = self.connect()
        headers = {"Authorization": f"Bearer {token}", "Last-Event-ID": after}
        connection.request("GET", f"/runs/{run_id}/events", headers=headers)
        return connection

    def run(self, body: bytes | dict[str, Any], **more: Any) -> Answer:
        """``POST /runs?wait`` and its answer."""
        return answer(self.submit(body, **more))

    def get(self, path: str, token: str = "acme-token") -> Answer:
        """``GET``."""
        connection = self.connect()
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        return answer(connection)

    def descendants(self) -> set[int]:
        """Process ids of children and zygotes."""
        return {each.pid for each in self._ps.children(recursive=True)}

    def terminate(self) -> int:
        """SIGTERM; the exit status."""
        self.process.terminate()
        return self.process.wait(DEADLINE)


def may_be_refused() -> AbstractContextManager[None]:
    """Around a request whose answer may come before all of it is sent, and can be read all the same."""
    return suppress(BrokenPipeError, ConnectionResetError)


def answer(connection: http.client.HTTPConnection) -> Answer:
    """Wait for a response and read it."""
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Service]:
    """A service of `TENANTS`, killed in the end if it still runs."""
    tenants = folder / "tenants.json"
    tenants.write_text(json.dumps(TENANTS))
    given = ("--port", "0", "--tenants", str(tenants), "--store", str(folder / "service.db"))
    command = (sys.executable, "-m", "examples.service", *given, *options)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            yield Service(process, int(process.stdout.readline().rpartition(b":")[2]))
        finally:
            process.kill()

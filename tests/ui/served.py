"""``flowcage ui`` as a process of its own, and clients of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from ..e2e.command import DEADLINE, FLOWCAGE

_SERVING = re.compile(r"serving (http://\S+); open (\S+) in a browser")
_ENTER = re.compile(r'url=([^"]+)"')


class Served:
    """A server of a store.

    Attributes:
        origin: scheme, name and port.
        entry: the file that lets a browser in.
        said: its messages until now.
    """

    def __init__(self, store: Path | str, *words: str | Path, env: dict[str, str] | None = None) -> None:
        self.command = [FLOWCAGE, "ui", "--port", "0", "--no-open", "--store", store, *words]
        self.process = subprocess.Popen(
            self.command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **(env or {})}
        )
        assert self.process.stderr is not None
        self.said = ""
        self._clients: list[httpx.Client] = []
        while (found := _SERVING.search(self.said)) is None:
            line = self.process.stderr.readline()
            assert line, f"it has ended: {self.said}"
            self.said += line.decode()
        self.origin, self.entry = found[1], Path(found[2])

    @property
    def address(self) -> str:
        """That lets a browser in, once."""
        found = _ENTER.search(self.entry.read_text())
        assert found is not None
        return found[1]

    @property
    def place(self) -> str:
        """Below which all paths are."""
        return self.address.removeprefix(f"{self.origin}/").partition("/")[0]

    def client(self) -> Client:
        """One that was let in."""
        client = Client(self)
        self._clients.append(client.http)
        client.enter()
        return client

    def ask(self, url: str, method: str = "GET", **more: Any) -> httpx.Response:
        """As somebody without any cookie."""
        with httpx.Client(timeout=DEADLINE, verify=False) as client:
            return client.request(method, url, **more)

    def end(self, number: int = signal.SIGINT) -> int:
        """Its status."""
        for client in self._clients:
            client.close()
        self.process.send_signal(number)
        out, errors = self.process.communicate(timeout=DEADLINE)
        assert out == b""
        self.said += errors.decode()
        assert "Traceback" not in self.said, self.said
        return self.process.returncode


@contextmanager
def serving(store: Path | str, *words: str | Path, **more: Any) -> Iterator[Served]:
    """A server for the length of a block."""
    served = Served(store, *words, **more)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.end()


class Client:
    """A client with the cookies of a browser; `headers` are those that a browser sends with each."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self.http = httpx.Client(timeout=DEADLINE, headers={"sec-fetch-site": "same-origin"}, verify=False)
        self.base = ""

    def enter(self) -> httpx.Response:
        """As a browser that opens the file."""
        address = self._served.address
        self.base = f"{address.rpartition('/')[0]}"
        return self.http.get(address, headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})

    def get(self, path: str, **more: Any) -> httpx.Response:
        """Of the API."""
        return self.http.get(f"{self.base}/api/{path}", **more)

    def json(self, path: str, **more: Any) -> Any:
        """What is answered with 200."""
        answer = self.get(path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, value: Any, **headers: str) -> httpx.Response:
        """As the pages do."""
        sent = {"content-type": "application/json", "origin": self._served.origin, **headers}
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.http.post(f"{self.base}/api/{path}", content=data, headers=sent)

    @contextmanager
    def events(self, path: str) -> Iterator[Iterator[tuple[str, Any]]]:
        """A stream, until the block is left."""
        with self.http.stream("GET", f"{self.base}/api/{path}") as answer:
            assert answer.status_code == 200
            yield _events(answer)


def _events(answer: httpx.Response) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))

"""What is asked of an engine, and a worker of it as a process of its own.

A worker prints ``ready`` and then a line for each job that begins: tenant, number, and nanoseconds of
CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple, Protocol

BENCH = Path(__file__).parents[1]
_PATIENCE_SECONDS = 600


class Began(NamedTuple):
    """A job that has begun in a worker."""

    tenant: str
    number: int
    at_ns: int


class Settings(NamedTuple):
    """Of a worker.

    Attributes:
        slots: jobs at once.
        hold_seconds: how long each job takes.
        heartbeat_seconds, stalled_seconds: of engines that judge their workers by these.
    """

    slots: int = 1
    hold_seconds: float = 0.0
    heartbeat_seconds: float = 10.0
    stalled_seconds: float = 30.0


class Engine(Protocol):
    """One engine on one database, for the process that measures; nothing in it is asynchronous."""

    program: str
    address: str

    def defer(self, tenant: str, number: int) -> None:
        """Hand one job in; it is durable afterwards."""

    def defer_many(self, tenant: str, count: int) -> None:
        """Hand jobs in, in as few commits as the engine makes of them."""

    def close(self) -> None: ...


class Worker:
    """A process that takes jobs."""

    def __init__(self, program: str, address: str, settings: Settings) -> None:
        words = [program, address, json.dumps(settings._asdict())]
        command = [sys.executable, "-m", "backlog.worker", *words]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, cwd=BENCH
        )
        self._lines: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        assert self._lines.get(timeout=_PATIENCE_SECONDS) == "ready\n"

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def began(self) -> Began:
        """The next job that begins."""
        tenant, number, at_ns = self._lines.get(timeout=_PATIENCE_SECONDS).split()
        return Began(tenant, int(number), int(at_ns))

    def kill(self) -> int:
        """End it with SIGKILL. The time of that."""
        at_ns = time.monotonic_ns()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        return at_ns


@contextmanager
def worker(engine: Engine, settings: Settings) -> Iterator[Worker]:
    """A worker for the length of a block."""
    made = Worker(engine.program, engine.address, settings)
    try:
        yield made
    finally:
        made.kill()


def tell_ready() -> None:
    """Of a worker that waits for jobs."""
    os.write(1, b"ready\n")


def tell_began(tenant: str, number: int) -> None:
    """Of a job, as its first step."""
    os.write(1, f"{tenant} {number} {time.monotonic_ns()}\n".encode())

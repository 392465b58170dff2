"""Loops inside one process, by pyperf: codecs, a round trip in the child, the core, the fair queue.

    python bench/loops.py --fast
    python bench/loops.py -o before.json        # then: pyperf compare_to before.json after.json

pyperf starts each loop in many processes and says how far they differ; all of its options can be given.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pyperf

from flowcage.child.cage import lockdown
from flowcage.child.cage.highwater import open_high_water
from flowcage.child.session import Session
from flowcage.host.run.core.fold import Core
from flowcage.host.run.core.inputs import Answered, Opened, Said, Turn
from flowcage.host.run.core.rules import Rules
from flowcage.host.tenants.fair_queue import FairQueue
from flowcage.host.tenants.tenant import TenantLimits
from flowcage.protocol import envelope, strictjson
from flowcage.protocol.messages import AgentRequest

REQUEST = {"type": "agent", "id": "1", "prompt": "hello", "options": {"label": "a"}}
DRAINED = {"state": "waiting", "calls": [], "requests": [REQUEST]}


def codec() -> dict[str, Callable[[], object]]:
    """A line of a drain's result, written and read by the protocol's own functions."""
    line = envelope.result(1, strictjson.dumps(DRAINED))
    return {
        "a result is written": lambda: envelope.result(1, strictjson.dumps(DRAINED)),
        "its line is parsed": lambda: strictjson.loads(line),
        "the same by json.loads": lambda: json.loads(line),
    }


class Child:
    """A session without a cage, whose workflow asks one agent after the other."""

    def __init__(self) -> None:
        self._session = Session(lockdown.apply_nothing, open_high_water())
        self._number = 0
        self._send("initialize", {"protocolVersion": "1.0", "isolation": "none"})
        self._request = self._send("run", {"source": "for (;;) await agent('hello')"})

    def advance(self) -> None:
        """Answer the request, and receive the next."""
        resolution = {"type": "ok", "value": "hello"}
        turn = [{"id": str(self._number - 1), "resolution": resolution}]
        self._send("advance", {"turns": [turn]})

    def _send(self, method: str, params: dict[str, object]) -> bytes:
        self._number += 1
        line = envelope.request(self._number, method, params)
        reply = b"".join(each.data for each in self._session.receive(line))
        if b'"error"' in reply:
            raise SystemExit(f"{method}: {reply!r}")
        return reply


class Steps:
    """A run's core: one agent call after the other."""

    def __init__(self) -> None:
        self._core = Core(Rules(handlers=frozenset({"agent"}), max_total_agents=10**9))
        self._core.step(0.0, Opened("", "main.js"))
        self._number = 0

    def trip(self) -> None:
        """A call, its answer, and the turn in which it is sent."""
        self._number += 1
        identifier = str(self._number)
        for given in (
            Said("", requests=[AgentRequest(identifier, "hello", {})]),
            Answered(identifier, "hello"),
            Turn(""),
        ):
            self._core.step(float(self._number), given)


class Queue:
    """The queue between a hundred tenants."""

    def __init__(self) -> None:
        limits = TenantLimits(runs_per_minute=10**7, cpu_seconds_per_minute=10**6)
        self._queue = FairQueue(4, 1000, lambda _name: limits)
        self._number = 0

    def run(self) -> None:
        """A run enters, starts and ends."""
        self._number += 1
        now = self._number / 1000
        self._queue.enter(f"tenant {self._number % 100}", now, room=True)
        place = self._queue.start_next(now)
        assert place is not None
        self._queue.finish(place, now)


def main() -> None:
    """Time all loops."""
    runner = pyperf.Runner()
    for name, loop in codec().items():
        runner.bench_func(name, loop)
    runner.bench_func("advance in the child", Child().advance)
    runner.bench_func("a call in the core", Steps().trip)
    runner.bench_func("a run in the fair queue", Queue().run)


if __name__ == "__main__":
    main()

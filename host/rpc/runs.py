"""The runs of this process, of all clients."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any

import trio

from flowcage.host.rpc.problems import Refusal
from flowcage.host.rpc.run import RpcRun
from flowcage.host.rpc.told import outcomes
from flowcage.host.tenants.started.handle import RunHandle
from flowcage.protocol import strictjson
from flowcage.protocol.limits import MIB

# Of runs that are over: how many are remembered, and the bytes of their outcomes.
MOST_REMEMBERED = 1_000
MOST_BYTES = 64 * MIB


class Runs:
    """Those that go on, and those that ended lately.

    Args:
        nursery: has a task for each.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._open: dict[str, RpcRun] = {}
        self._over: OrderedDict[str, tuple[RpcRun, int]] = OrderedDict()
        self._bytes = 0

    def __iter__(self) -> Any:
        """All that are known, in the order in which they were begun."""
        known = [*(run for run, _ in self._over.values()), *self._open.values()]
        return iter(sorted(known, key=lambda run: (run.began_at, run.run_id)))

    def get(self, run_id: str) -> RpcRun | None:
        """The one with this id; none that another host has."""
        return self.going_on(run_id) or self._over.get(run_id, (None, 0))[0]

    def going_on(self, run_id: str) -> RpcRun | None:
        """The same, where it is not over."""
        run = self._open.get(run_id)
        return None if run is None or run.is_elsewhere() else run

    def follows(self, run_id: str) -> bool:
        """Whether the end of this run is waited for, whichever host has it."""
        return run_id in self._open

    def of(self, client: object) -> list[RpcRun]:
        """Those whose requests a client answers."""
        return [run for run in self._open.values() if run.client is client]

    def follow(self, run: RpcRun, handle: RunHandle) -> None:
        """Have a run that was started until it is over."""
        run.cancel = handle.cancel
        run.is_elsewhere = lambda: handle.state == "elsewhere"
        self._nursery.start_soon(self._live, self._add(run), handle)

    def _add(self, run: RpcRun) -> RpcRun:
        if run.run_id in self._open:
            raise Refusal("run_id_in_use", f"run {run.run_id} goes on", runId=run.run_id)
        self._forget(run.run_id)
        self._open[run.run_id] = run
        return run

    async def _live(self, run: RpcRun, handle: RunHandle) -> None:
        try:
            told = outcomes.completed(await handle.outcome())
        except Exception as error:
            told = outcomes.failed(run.run_id, error, run.ended, run.cancel_reason)
        del self._open[run.run_id]
        self._remember(run, told)
        run.end(told)

    def _remember(self, run: RpcRun, outcome: dict[str, Any]) -> None:
        size = len(strictjson.dumps(outcome))
        self._over[run.run_id] = run, size
        self._bytes += size
        while self._over and (len(self._over) > MOST_REMEMBERED or self._bytes > MOST_BYTES):
            self._forget(next(iter(self._over)))

    def _forget(self, run_id: str) -> None:
        _, size = self._over.pop(run_id, (None, 0))
        self._bytes -= size


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000

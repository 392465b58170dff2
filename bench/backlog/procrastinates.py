"""procrastinate: its queue for the process that measures, and its worker.

It does not give a dead worker's jobs to others by itself; its manual has a periodic task that does, every ten
minutes. Here that task looks every second.
"""

from __future__ import annotations

import asyncio
from typing import Any

import procrastinate
from backlog.contract import Settings, tell_began, tell_ready

_QUEUE = "jobs"


class Procrastinate:
    """See `Engine`."""

    program = "backlog.procrastinates"

    def __init__(self, address: str) -> None:
        self.address = address
        self._app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=address))
        self._app.open()
        self._app.schema_manager.apply_schema()
        self._job = self._app.configure_task("job", queue=_QUEUE)

    def defer(self, tenant: str, number: int) -> None:
        self._job.defer(tenant=tenant, number=number)

    def defer_many(self, tenant: str, count: int) -> None:
        self._job.batch_defer(*({"tenant": tenant, "number": number} for number in range(count)))

    def close(self) -> None:
        self._app.close()


async def _work(address: str, given: Settings) -> None:
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=address))

    async def job(tenant: str, number: int) -> None:
        tell_began(tenant, number)
        await asyncio.sleep(given.hold_seconds)

    async def requeue(_context: Any, timestamp: int) -> None:  # noqa: ARG001 - given by its name
        manager = app.job_manager
        for stalled in await manager.get_stalled_jobs(seconds_since_heartbeat=given.stalled_seconds):
            await manager.retry_job(stalled)

    app.task(job, name="job", queue=_QUEUE)
    looks = app.task(requeue, name="requeue", queueing_lock="requeue", pass_context=True, queue="requeue")
    app.periodic(cron="* * * * * */1")(looks)
    async with app.open_async():
        tell_ready()
        await app.run_worker_async(
            concurrency=given.slots + 1,  # one for `requeue`
            update_heartbeat_interval=given.heartbeat_seconds,
            stalled_worker_timeout=given.stalled_seconds,
        )


def work(address: str, given: Settings) -> None:
    """Take jobs until the process is ended."""
    asyncio.run(_work(address, given))

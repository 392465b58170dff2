"""``flowcage cancel``."""

from __future__ import annotations

from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command
from flowcage.host.cli.inputs.texts import Text
from flowcage.host.cli.runs import access
from flowcage.host.durable.address import StorePlace
from flowcage.host.terminal.text import leave

if TYPE_CHECKING:
    from flowcage.host.durable.records import Summary
    from flowcage.host.durable.store import Store
    from flowcage.host.resume.looking.cancelling import Cancelling


@click.command(cls=Command)
@access.RUN
@click.option("--reason", type=Text(), default="", help="Is kept with the run; @FILE reads a file, - stdin.")
@click.option("--wait", is_flag=True, help="Return when the run has ended.")
@access.STORE
@access.JSON
def cancel(run: str, reason: str, wait: bool, store: StorePlace | None, as_json: bool) -> None:
    """End RUN as cancelled, whether it goes on in another process or waits to be resumed.

    A run that goes on is asked to end; its agents are stopped. Afterwards it is resumed with
    --even-if-cancelled only. Exit status 1 where it had ended already.
    """
    from flowcage.host.durable.errors import RunHasEnded
    from flowcage.host.resume.looking import cancelling

    async def work(opened: Store) -> tuple[Cancelling | None, Summary]:
        run_id = await opened.find(run)
        try:
            done = await cancelling.cancel(opened, run_id, reason)
        except RunHasEnded:
            return None, await opened.get(run_id)
        if done == "asked" and wait:
            return await _until_ended(opened, run_id, reason)
        return done, await opened.get(run_id)

    done, summary = access.write(store, work)
    told: dict[str, Any] = {"runId": summary.run_id, "state": summary.state, "verdict": summary.verdict}
    access.say_all([_sentence(done, summary)], told, as_json=as_json)
    leave(exits.FAILED if done is None else exits.DONE)


async def _until_ended(opened: Store, run_id: str, reason: str) -> tuple[Cancelling, Summary]:
    """Wait for the host that was asked; where it is killed or leaves the run, end the run in its place."""
    from flowcage.host.durable.errors import RunHasEnded
    from flowcage.host.resume.looking import cancelling, watching

    async with aclosing(watching.changes(opened, run_id)) as changes:
        async for summary in changes:
            if summary.state != "running" or summary.is_abandoned:
                with suppress(RunHasEnded):
                    await cancelling.cancel(opened, run_id, reason)
                if (now := await opened.get(run_id)).state == "ended":
                    return "ended", now
    return await _until_ended(opened, run_id, reason)  # another host has it by now


def _sentence(done: Cancelling | None, summary: Summary) -> str:
    if done is None:
        return f"run {summary.run_id} had ended already: {summary.verdict}"
    if done == "asked":
        return f"run {summary.run_id} goes on in another process, which was asked to end it"
    return f"run {summary.run_id} has ended: {summary.verdict}"

"""``flowcage stack``."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, fail, note, say, to_the_end
from flowcage.host.cli.runs import access
from flowcage.host.durable.address import StorePlace
from flowcage.host.terminal.text import safe
from flowcage.protocol.messages import ISOLATIONS, Isolation

if TYPE_CHECKING:
    from flowcage.host.durable.records import RunRecord
    from flowcage.host.resume.stack import OpenCall

_SHOWN = 60  # characters of a prompt


@click.command(cls=Command)
@access.RUN
@access.STORE
@click.option(
    "--cage", "--isolation", "isolation", type=click.Choice(ISOLATIONS), help="As for flowcage run."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def stack(run: str, store: StorePlace | None, isolation: Isolation | None, as_json: bool) -> None:
    """Print what RUN waits for: each open call, since when, and the line of the workflow that made it.

    RUN is an id, the beginning of one, or @last. It may be at work in another process, asleep or interrupted.
    """
    from flowcage.host.cli.runs import keeping
    from flowcage.host.durable.errors import StoreError, StoreFailed
    from flowcage.host.resume.stack import stack as stack_of
    from flowcage.host.run.options import RunOptions

    async def work() -> tuple[RunRecord, list[OpenCall]]:
        async with keeping.opened(keeping.place_of(store), read_only=True) as opened:
            record = await opened.load(await opened.find(run))
        return record, await stack_of(record, RunOptions(isolation=isolation))

    try:
        record, calls = to_the_end(work)
    except (StoreError, StoreFailed) as error:
        fail(exits.USAGE, str(error))
    summary = record.summary
    if as_json:
        told = {"runId": summary.run_id, "state": summary.state, "verdict": summary.verdict}
        say(json.dumps({**told, "calls": [call.to_json() for call in calls]}))
    elif calls:
        say(safe("\n".join(_line(call) for call in calls)))
    else:
        note(f"run {summary.run_id} waits for nothing: it is {summary.verdict or summary.state}")


def _line(call: OpenCall) -> str:
    place = call.source_name if call.line is None else f"{call.source_name}:{call.line}:{call.column}"
    seconds = max(0, int(time.time() - call.since / 1000))
    about = (call.label or call.about).split("\n", 1)[0][:_SHOWN]
    indent = "  " * call.id.count("/")
    standing = f"{call.kind:<12} {call.stage:<8} {_length(seconds):>8}"
    return f"{indent}{call.id:<6} {standing}  {place}  {about}".rstrip()


def _length(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"

"""``flowcage show`` and ``result``."""

from __future__ import annotations

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, fail, say
from flowcage.host.cli.runs import access
from flowcage.host.cli.runs.looking.summaries import result_json, standing, summary_json
from flowcage.host.durable.address import StorePlace
from flowcage.host.terminal.text import leave


@click.command(cls=Command)
@access.RUN
@click.option("--agent", metavar="N", help="All about one call: its prompt, options, attempts and answer.")
@access.STORE
@access.JSON
def show(run: str, agent: str | None, store: StorePlace | None, as_json: bool) -> None:
    """Print how RUN stands, and what became of its calls, by phase. RUN is an id, its beginning, or @last.

    A call of a child workflow has the id of the request that started it before its own: 3/1.
    """
    from flowcage.host.cli.runs.looking import shown
    from flowcage.host.durable.errors import StoreError
    from flowcage.host.resume.looking.story import story_of

    record = access.looked_up(store, run)
    try:
        story = story_of(record)
    except StoreError as error:
        access.refuse(error)
    if agent is None:
        members = summary_json(record.summary) | shown.members(record, story)
        lines = [] if as_json else shown.lines(record, story)
    else:
        call = story.calls.get(agent.removeprefix("#"))
        if call is None:
            fail(exits.USAGE, f"run {record.summary.run_id} has no call {agent!r}; flowcage show lists them")
        members = shown.call_members(call)
        lines = [] if as_json else shown.call_lines(call)
    access.say_all(lines, members, as_json=as_json)


@click.command(cls=Command)
@access.RUN
@access.STORE
@access.JSON
def result(run: str, store: StorePlace | None, as_json: bool) -> None:
    """Print the result of RUN as JSON; with --json how it ended, too. Exit status 1 where there is none."""
    from flowcage.protocol import strictjson

    record = access.looked_up(store, run)
    told = result_json(record)
    has_result = "result" in told
    if as_json:
        say(strictjson.dumps(told))
    elif has_result:
        say(strictjson.dumps(told["result"]))
    else:
        fail(exits.FAILED, f"run {told['runId']} has no result: it is {standing(record.summary)}")
    leave(exits.DONE if has_result else exits.FAILED)

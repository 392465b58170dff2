"""``flowcage resume``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, FilePath, Seconds, fail, note
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.names.workflow_path import WorkflowPath
from flowcage.host.cli.operating import metrics
from flowcage.host.cli.reuse.options import guiding
from flowcage.host.cli.runs import access, detaching
from flowcage.host.cli.showing import is_asked, progress_of, showing
from flowcage.host.durable.address import StorePlace

if TYPE_CHECKING:
    from flowcage.host.events.records import Listener
    from flowcage.host.outcome.report import Outcome


@click.command(cls=Command)
@access.RUN
@click.argument("script", type=WorkflowPath(), required=False)
@click.option("--retry-failed", is_flag=True,
              help="Ask the calls again that failed, and reuse the other answers, in a new run.")  # fmt: skip
@click.option("--reuse", is_flag=True,
              help="Go on in a new run with what was answered; for a run that has diverged.")  # fmt: skip
@guiding
@access.STORE
@click.option("--events", type=FilePath(), help="File for every event from now on, as JSON Lines.")
@click.option("--no-prompt", is_flag=True, help="Ask nobody at the terminal; flowcage answer answers ask().")
@click.option("--timeout", type=Seconds(), help="Time for the run with its earlier lives, in place of "
              "those it had.")  # fmt: skip
@click.option("--even-if-cancelled", is_flag=True, help="Go on with a run that was cancelled, too.")
@detaching.options
@metrics.option
@showing
def resume(
    run: str,
    script: Path | None,
    store: StorePlace | None,
    events: Path | None,
    timeout: float | None,
    even_if_cancelled: bool,
    **given: Any,
) -> None:
    """Go on with RUN, which was ended before it was done: an id, the beginning of one, or @last.

    What agents had answered is not asked again. A call that an agent was at work on is asked again. A run
    that was submitted goes back into the queue, and its end is waited for; not with --detach.

    With SCRIPT, an edited one, it goes on as a new run: what RUN was answered is reused wherever prompt and
    options are the same, and told in the old order.
    """
    from dataclasses import replace

    from flowcage.host.cli.events_file import EventsFile
    from flowcage.host.cli.live.past import events_of
    from flowcage.host.cli.operating.tracing import traced
    from flowcage.host.cli.outcomes.conclusion import Conclusion
    from flowcage.host.cli.outcomes.ending import Ending
    from flowcage.host.cli.people.prompt import prompt
    from flowcage.host.cli.progress import Past, watched
    from flowcage.host.cli.reuse.queueing import queue_again_if
    from flowcage.host.cli.reuse.resuming import fork_or_refuse
    from flowcage.host.cli.runs import keeping
    from flowcage.host.resume.kept import take_up
    from flowcage.host.resume.made_by import moved
    from flowcage.host.resume.outside import watched as watching
    from flowcage.host.resume.sleep.lives import to_the_end

    path = access.place_of(store)
    if given["detached"] is None:
        queue_again_if(path, run, script, even_if_cancelled, given)
    detaching.start_if(given)
    events = events and events.absolute()
    record = access.looked_up(path, run)
    given |= {"store": store, "events": events}
    fork_or_refuse(record, run, script, even_if_cancelled, given)
    run_id, old_script = record.summary.run_id, keeping.script_of(record.workflows[""])
    if (warning := moved(record.workflows[""].made_by)) is not None:
        note(f"warning: {warning}")
    with ExitStack() as stack:
        try:
            options = keeping.options_of(record.settings)
            options = replace(options, timeout_seconds=timeout or options.timeout_seconds)
            conclusion = Conclusion.of_command(InputFiles({}), given)
            file = stack.enter_context(EventsFile(events, InputFiles({}))) if events else None
        except InputError as error:
            fail(exits.USAGE, str(error))
        ending = Ending(old_script, record.settings["given"]["fail_on"], conclusion, run_id=run_id)
        ask = prompt(is_wanted=is_asked(given), is_kept=True)

        began = detaching.announced(given["detached"], path, ending.begin)
        began = stack.enter_context(metrics.of_run(given["metrics_addr"], began))
        with_spans = stack.enter_context(traced())

        async def work(listener: Listener | None) -> Outcome:
            async with keeping.opened(path, settings=record.settings) as opened, watching(opened) as outside:
                kept = await take_up(opened, run_id, even_if_cancelled=even_if_cancelled)
                life = keeping.lives(replace(options, listener=with_spans(listener), ask=ask), outside, began)
                return await to_the_end(opened, kept, life)

        progress = progress_of(given, has_prompt=ask is not None)
        past = Past(lambda: events_of(record))
        ending.of(lambda: watched(work, file, progress, past))

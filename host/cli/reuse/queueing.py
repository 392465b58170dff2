"""``flowcage resume`` of a run that was submitted: a worker goes on with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from flowcage.host.cli import exits
from flowcage.host.cli.console import fail, note, say
from flowcage.host.cli.reuse.resuming import OF_FORKS
from flowcage.host.cli.runs import access
from flowcage.host.durable.address import StorePlace
from flowcage.host.terminal.text import safe
from flowcage.protocol import strictjson

if TYPE_CHECKING:
    from flowcage.host.durable.store import Store
    from flowcage.host.resume.reuse.trial import Explanation

# What a fork is asked for, which reuses answers in a new run, and what is told of it.
_FORKS, _TOLD = ("retry_failed", "reuse"), ("dry_run", "as_json")


def queue_again_if(
    place: StorePlace, run: str, script: Path | None, even_if_cancelled: bool, given: dict[str, Any]
) -> None:
    """Where a run has a pool, put it or a fork of it into the queue and leave.

    Args:
        place: of the store.
        run: as it was typed.
        script: an edited one.
        even_if_cancelled: whether a run that was cancelled is gone on with.
        given: the other options of the command.
    """
    from flowcage.host.durable.reuse.terms import NotForkable
    from flowcage.host.resume.refusals import NotResumable

    record = access.looked_up(place, run)
    if record.summary.pool is None:
        return
    run_id, is_fork = record.summary.run_id, any(given[name] for name in _FORKS)
    known = _TOLD if is_fork else ()
    if script is not None or any(given[name] for name in OF_FORKS if name not in known):
        what = f"run {run_id} was submitted, and goes on as it was made"
        fail(exits.USAGE, f"{what}: leave SCRIPT and the options of forks out, or submit a run of its own")

    async def work(opened: Store) -> str:
        from flowcage.host.resume.new.requeued import queue_again, queue_fork

        if is_fork:
            return await queue_fork(opened, run_id)
        await queue_again(opened, run_id, even_if_cancelled=even_if_cancelled)
        return run_id

    try:
        if given["dry_run"]:
            _tell_what_it_would_do(place, run_id, as_json=given["as_json"])
        _leave(place, access.write(place, work), is_detached=given["detach"])
    except (NotResumable, NotForkable) as error:
        fail(exits.USAGE, str(error))


def _tell_what_it_would_do(place: StorePlace, run_id: str, *, as_json: bool) -> NoReturn:
    from flowcage.host.cli.reuse.guided import as_table
    from flowcage.host.terminal.text import leave

    async def work(opened: Store) -> Explanation:
        from flowcage.host.resume.new.requeued import explain_queue_fork

        return await explain_queue_fork(opened, run_id)

    found = access.read(place, work)
    say(strictjson.dumps_ascii(found.to_json()) if as_json else safe(as_table(found)))
    leave(exits.DONE)


def _leave(place: StorePlace, run_id: str, *, is_detached: bool) -> NoReturn:
    from flowcage.host.cli.runs.looking.following import wait_and_leave
    from flowcage.host.terminal.text import leave

    note(f"run {run_id} is in the queue; a worker goes on with it")
    if is_detached:
        say(strictjson.dumps_ascii({"runId": run_id}))
        leave(exits.DONE)
    wait_and_leave(place, run_id)

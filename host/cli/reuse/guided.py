"""A new run that reuses an old one: ``flowcage fork``, and ``flowcage resume`` of an edited script."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from flowcage.host.cli import arguments, exits
from flowcage.host.cli.arguments import Script
from flowcage.host.cli.console import fail, note, say, to_the_end
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.inputs import workflow_args
from flowcage.host.cli.inputs.texts import named_in
from flowcage.host.cli.runs import access, detaching, keeping
from flowcage.host.cli.setup.choice import models_of
from flowcage.host.cli.showing import progress_of
from flowcage.host.durable.address import StorePlace
from flowcage.host.terminal.text import leave, safe, tell
from flowcage.protocol.messages import MISSING

if TYPE_CHECKING:
    from flowcage.host.durable.records import RunRecord
    from flowcage.host.durable.reuse.terms import Terms
    from flowcage.host.events.records import Listener
    from flowcage.host.outcome.report import Outcome
    from flowcage.host.resume.reuse.forks import Fork
    from flowcage.host.resume.reuse.trial import Explanation
    from flowcage.host.run.options import RunOptions
    from flowcage.protocol.messages import Json


class Asked(NamedTuple):
    """A fork as the command line has it.

    Attributes:
        run: whose answers are reused, as it was typed.
        script: file of the new source; None for that of the run.
        terms: what is reused.
        given: the options of `guiding` and `showing`, `store` and `events`.
        files: that they name.
    """

    run: str
    script: Path | None
    terms: Terms
    given: dict[str, Any]
    files: InputFiles


def carry_out(asked: Asked, record: RunRecord) -> NoReturn:
    """Fork a run, or say what would be reused, and leave."""
    from flowcage.host.cli.events_file import EventsFile
    from flowcage.host.cli.outcomes.conclusion import Conclusion
    from flowcage.host.cli.outcomes.ending import Ending

    given = asked.given
    path = access.place_of(given["store"])
    events = given["events"] and given["events"].absolute()
    with ExitStack() as stack:
        try:
            job = _Job.of(asked, record)
            conclusion = None if given["dry_run"] else Conclusion.of_command(job.files, given)
            file = stack.enter_context(EventsFile(events, job.files)) if events else None
        except InputError as error:
            fail(exits.USAGE, str(error))
        if given["dry_run"]:
            _dry_run(path, job, as_json=given["as_json"])
        assert conclusion is not None
        ending = Ending(job.script, job.settings["given"]["fail_on"], conclusion)
        old = record.summary
        if old.state == "running" and not old.is_abandoned and not given["quiet"]:
            note(f"note: run {old.run_id} may go on; what is in the store by now is reused")
        ending.of(lambda: _live(path, job, ending, file))


class _Job(NamedTuple):
    """What the files and options of a command come to."""

    run_id: str
    script: Script
    source: str | None
    args: Json
    options: RunOptions
    settings: dict[str, Any]
    asked: Asked
    files: InputFiles

    @classmethod
    def of(cls, asked: Asked, record: RunRecord) -> _Job:
        """Read them. Raises `InputError`."""
        given = asked.given
        files = asked.files
        script, source = keeping.script_of(record.workflows[""]), None
        if asked.script is not None:
            script = arguments.script(files, asked.script)
            source = script.text
        args: Json = workflow_args.args(files, given)
        where = None if asked.script is None else asked.script.absolute()
        changes = {name: given[name] for name in ("agent", "budget", "max_cost", "max_total_agents")}
        changes = {name: value for name, value in changes.items() if value is not None}
        model, aliases = models_of(given["model_words"])
        changes |= {} if model is None else {"model": model}
        changes |= {"models": aliases} if aliases else {}
        options, settings = keeping.changed(record.settings, record.workflows[""], where, changes)
        told: Any = args if workflow_args.has_args(given) else MISSING
        return cls(record.summary.run_id, script, source, told, options, settings, asked, files)


async def _fork(store: Any, job: _Job) -> Fork:
    from flowcage.host.resume.reuse.forks import fork_of

    return await fork_of(
        store,
        job.run_id,
        job.asked.terms,
        source=job.source,
        source_name=job.script.name,
        args=job.args,
        modules=None if job.source is None else job.script.modules,
        dialect=job.options.dialect,
    )


async def _live(path: StorePlace, job: _Job, ending: Any, file: Any) -> Outcome:
    from dataclasses import replace

    from flowcage.host.cli.progress import watched
    from flowcage.host.resume.new.begin import begin
    from flowcage.host.resume.outside import watched as watching
    from flowcage.host.resume.reuse.trial import Trial

    given = job.asked.given
    began = detaching.announced(given["detached"], path, ending.begin)

    async def work(listener: Listener | None) -> Outcome:
        async with keeping.opened(path) as store, watching(store) as outside:
            fork = await _fork(store, job)
            if given["explain"]:
                trial = Trial(fork, job.options)
                await trial.execute()
                tell(safe(as_table(trial.explanation)))
            options = replace(fork.options(job.options), listener=ending.hears(listener))
            kept = await begin(
                store,
                ending.run_id,
                *(fork.source, fork.source_name, fork.args, options),
                settings=job.settings,
                fork=fork,
            )
            run = kept.run(options, outside=outside)
            began(run, True)
            return await kept.execute(run)

    return await watched(work, file, progress_of(given))


def _dry_run(path: StorePlace, job: _Job, *, as_json: bool) -> NoReturn:
    from flowcage.host.durable.errors import StoreError
    from flowcage.host.durable.reuse.terms import NotForkable
    from flowcage.host.resume.reuse.trial import Trial

    async def work() -> Explanation:
        async with keeping.opened(path, read_only=True) as store:
            trial = Trial(await _fork(store, job), job.options)
        await trial.execute()
        return trial.explanation

    try:
        explanation = to_the_end(work, job.script)
    except (StoreError, NotForkable) as error:
        fail(exits.USAGE, str(error))
    say(json.dumps(explanation.to_json()) if as_json else safe(as_table(explanation)))
    leave(exits.DONE if explanation.error is None else exits.FAILED)


def as_table(found: Explanation) -> str:
    """An explanation for a person."""
    lines = []
    for call in found.calls:
        name = f"  {call.label}" if call.label else ""
        what = f"reused #{call.reused}" if call.reused is not None else f"runs    {call.why}"
        lines.append(f"{call.id:>8} {call.kind:<12} {what}{name}")
    runs = sum(call.reused is None for call in found.calls)
    lines.append(
        f"{found.reused} of {found.answers} answers of run {found.run_id} are reused "
        f"({found.tokens} tokens), {runs} calls run"
    )
    if found.error is not None:
        lines.append(f"then the run fails: {found.error}")
    elif found.is_complete:
        lines.append("then the run is complete")
    else:
        lines.append("what comes after these calls is not known before they are answered")
    return "\n".join(lines)


def files_of(script: Path | None, given: dict[str, Any]) -> InputFiles:
    """What reads the files that the options of a fork name. Raises `InputError`."""
    answers = named_in("--answer", given.get("answers", ()))
    return InputFiles({"SCRIPT": script, **workflow_args.named(given), **answers})


def answers_of(files: InputFiles, pairs: tuple[str, ...]) -> dict[str, Json]:
    """``--answer ID=JSON``. Raises `InputError`."""
    return workflow_args.json_values(files, "--answer", pairs, "ID=JSON, such as --answer 7=true")

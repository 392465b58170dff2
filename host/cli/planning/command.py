"""Carries out ``flowcage run --plan``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.errors import AgentSpecError
from flowcage.host.agents.settings import AgentSettings
from flowcage.host.agents.spec import examiner_of, missing_program, parse_agent, provider_of, read_spec
from flowcage.host.cli import arguments, exits
from flowcage.host.cli.arguments import Script
from flowcage.host.cli.console import fail, note, to_the_end, warn
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.inputs import workflow_args
from flowcage.host.cli.outcomes.ending import explain_loss
from flowcage.host.cli.planning.table import table
from flowcage.host.cli.planning.writing import put
from flowcage.host.cli.setup.agents import composed, fixtures_in
from flowcage.host.cli.setup.choice import choose
from flowcage.host.graph.outline import BadOutline, Outline, read
from flowcage.host.outcome.errors import RunError
from flowcage.host.plan.dry_run import DryRun, dry_run
from flowcage.host.plan.plan import Assumptions, Plan
from flowcage.host.plan.recorder import Recorder
from flowcage.host.plan.stubs import Stubs
from flowcage.host.run.api import check_workflow
from flowcage.host.terminal.text import leave
from flowcage.protocol import strictjson

_SECONDS = 300.0
_ITEMS = 2
_OUTPUT_TOKENS = 1_000
# A workflow may start a thousand others; most are the same few files.
_MAX_OUTLINES = 20


def carry_out(file: Path, given: dict[str, Any]) -> NoReturn:
    """Make the plan, print it, and leave with the exit status that the run would have."""
    notes: list[str] = []
    try:
        files = InputFiles({"FILE": file, **workflow_args.named(given), "--limits": given["limits_file"]})
        script = arguments.script(files, file, given["root"], given["dialect"])
        args = workflow_args.args(files, given)
        fixtures = fixtures_in(files, Path(given["fixtures"])) if given["fixtures"] else ()
        given["timeout"], given["fixtures"] = given["timeout"] or _SECONDS, None
        if (told := choose(file.parent, given)) is not None:
            notes.append(told.partition(": ")[2])
        assumptions = _assumptions(given)
        stubs = Stubs(assumptions.items, fixtures)
        recorder = Recorder(stubs, assumptions.output_tokens)
        answerer = composed(file.parent, given, _Leaves(recorder, notes).made)
        options = arguments.options(files, file, answerer=answerer, modules=script.modules, **given)
    except InputError as error:
        fail(exits.USAGE, str(error))

    async def work() -> tuple[DryRun, dict[str, Outline]]:
        found = await dry_run(options, script.text, script.name, args, recorder, stubs)
        return found, {name: outline async for name, outline in _outlines(found, given["dialect"])}

    found, outlines = to_the_end(work, script)
    plan = Plan(found, options, outlines, assumptions, list(dict.fromkeys(notes)))
    is_json = given["as_json"] or given["result_format"] == "json"
    told = f"{strictjson.dumps(plan.to_json())}\n" if is_json else table(plan, script.typed)
    if is_json or found.error is None or recorder.calls:  # a table of nothing would hide the error
        put(files, given["output"], told)
    _leave(found, script, given["fail_on"])


async def _outlines(found: DryRun, dialect: Any) -> AsyncIterator[tuple[str, Outline]]:
    """Those of all workflows that were run. Without one, a plan does not tell of places."""
    for name, planned in list(found.sources.items())[:_MAX_OUTLINES]:
        given = {"source_name": name, "dialect": dialect, "modules": planned.modules}
        with suppress(RunError, BadOutline):
            checked = await check_workflow(planned.source, outline=True, **given)
            yield name, read(checked.outline)


def _leave(found: DryRun, script: Script, fail_on: Any) -> NoReturn:
    if found.report is not None:
        warn(found.report, script)
    if found.error is not None:
        note(script.as_typed(exits.explain(found.error, script.text_at(found.error))))
        if found.recorder.calls:
            note("the answers of a plan are made up; --fixtures FILE gives others")
        leave(exits.status(found.error))
    census = None if found.report is None else found.report.census
    loss = None if census is None else explain_loss(census, fail_on)
    if loss is not None:
        note(loss)
    leave(exits.DONE if loss is None else exits.FAILED)


def _assumptions(given: Mapping[str, Any]) -> Assumptions:
    items, tokens = given["plan_items"], given["plan_output_tokens"]
    return Assumptions(_ITEMS if items is None else items, _OUTPUT_TOKENS if tokens is None else tokens)


class _Leaves:
    """Makes what stands in for agents, and notes what is missing for the real ones."""

    def __init__(self, recorder: Recorder, notes: list[str]) -> None:
        self._recorder = recorder
        self._notes = notes

    def made(self, spec: str, settings: AgentSettings) -> Agent:
        name = read_spec(spec).name
        examine = examiner_of(spec, settings)
        if (missing := missing_program(spec, settings)) is not None:
            self._notes.append(f"agent {name}: there is no program {missing!r} here, or it is not executable")
        else:
            try:
                parse_agent(spec, settings=settings)
            except AgentSpecError as error:
                self._notes.append(str(error))
        return self._recorder.agent(name, examine, provider_of(name))

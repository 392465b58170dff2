"""The store of the command line, and what it keeps of a run's options."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowcage.host.cli import arguments
from flowcage.host.cli.arguments import Script
from flowcage.host.cli.console import note
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.runs import contents, places
from flowcage.host.cli.setup.choice import add_tables
from flowcage.host.durable.address import StorePlace

if TYPE_CHECKING:
    from flowcage.host.durable.options import StoreOptions
    from flowcage.host.durable.records import NewWorkflow
    from flowcage.host.durable.store import Store
    from flowcage.host.outcome.report import Outcome
    from flowcage.host.resume.kept import KeptRun
    from flowcage.host.resume.outside import Outside
    from flowcage.host.run.options import RunOptions
    from flowcage.host.run.run import Run
    from flowcage.protocol.messages import Json

# Of `flowcage run`, those that a later command needs to go on with the run.
_KEPT = (
    *("agent", "model", "models", "routes", "fixtures", "trust_project", "ignore_project"),
    *("agent_timeout", "agent_idle_timeout"),
    *("timeout", "memory", "isolation", "budget", "hard_budget", "max_agents"),
    *("max_total_agents", "max_cost", "agent_failure", "dialect", "child_command", "fail_on"),
    *("no_store_prompts", "base", "worktrees"),
)
_TEN_YEARS_SECONDS = 315_360_000.0  # limits are finite


def default_timeout(no_store: bool) -> float:
    """Seconds for a run; one that is kept may wait for as long as it takes."""
    return 3600.0 if no_store else _TEN_YEARS_SECONDS


def place_of(given: StorePlace | None) -> StorePlace:
    """Where the store is."""
    from flowcage.host.durable.sqlite.store import default_path

    return given or places.from_environment() or default_path()


@asynccontextmanager
async def opened(
    place: StorePlace, *, read_only: bool = False, makes: bool = True, settings: Any = None
) -> AsyncIterator[Store]:
    """The store, for the length of a block.

    Args:
        place: of it.
        read_only: whether nothing is to be written.
        makes: whether a database without one gets one; a file is made in any case.
        settings: of the run that is carried out; they say whether its prompts are kept.

    Raises:
        StoreError, StoreFailed: as `SqliteStore.open` and `PostgresStore.open`.
    """
    import trio

    from flowcage.host.durable.history.forms import withhold_prompts
    from flowcage.host.durable.options import StoreOptions

    withholds = settings is not None and settings["given"].get("no_store_prompts")
    chosen = StoreOptions(
        redact=withhold_prompts if withholds else None,
        on_trouble=_tell_of_trouble,
        sealer=contents.keyring(),
        blobs=contents.blobs(),
    )
    how = {"read_only": read_only, "makes": makes}
    store: Store = await trio.to_thread.run_sync(lambda: _open(place, chosen, **how))
    try:
        yield store
    finally:
        await store.aclose()


def _open(place: StorePlace, options: StoreOptions, *, read_only: bool, makes: bool) -> Store:
    if isinstance(place, Path):
        from flowcage.host.durable.sqlite.store import SqliteStore

        return SqliteStore.open(place, options, read_only=read_only)
    from flowcage.host.durable.errors import WrongStore
    from flowcage.host.durable.postgres.store import PostgresStore

    address, schema = place.for_libpq, place.schema
    try:
        return PostgresStore.open(address, options, schema=schema, read_only=read_only, makes=makes)
    except ImportError as error:
        raise WrongStore(str(error)) from None


def _tell_of_trouble(why: str | None) -> None:
    if why is None:
        note("note: the store can be written again; the run goes on")
    else:
        note(f"warning: the store cannot be written, and the run waits for it: {why}")


async def carry_out(
    place: StorePlace | None, script: Script, args: Json, options: RunOptions, run_id: str, **more: Any
) -> Outcome:
    """Run a workflow, kept in this store; None for the user's file, without which it runs, too.

    Args:
        place: of the store.
        script, args, options, run_id: of the run.
        more: `settings`, and `began`, which is given the run and whether it is kept.
    """
    from flowcage.host.durable.errors import StoreError, StoreFailed, WrongKeys
    from flowcage.host.resume.new.begin import begin
    from flowcage.host.resume.outside import watched
    from flowcage.host.resume.sleep.lives import to_the_end
    from flowcage.host.run.run import Run

    began: Callable[[Run, bool], None] = more["began"]
    try:
        place = place or places.from_environment()
        manager = opened(place_of(place), settings=more["settings"])
        store = await manager.__aenter__()
    except (StoreError, StoreFailed, OSError) as error:
        if place is not None or isinstance(error, WrongKeys):
            raise
        note(f"warning: the run is not kept, and cannot be resumed: {error}")
        run = Run(options, script.name, run_id=run_id)
        began(run, False)
        return await run.execute(script.text, args)
    try:
        async with watched(store) as outside:
            settings = more["settings"]
            kept = await begin(store, run_id, script.text, script.name, args, options, settings=settings)
            return await to_the_end(store, kept, lives(options, outside, began))
    finally:
        await manager.__aexit__(None, None, None)


def limits_of(options: RunOptions) -> dict[str, Any]:
    """Limits of the host, as settings have them."""
    from flowcage.host.run.limits import limits_of_host

    return limits_of_host(options)


def lives(
    options: RunOptions, outside: Outside, began: Callable[[Run, bool], None]
) -> Callable[[KeptRun], Run]:
    """What makes each life of a run that a store keeps."""
    from flowcage.host.run.past.hibernation import DEFAULT

    def life(kept: KeptRun) -> Run:
        run = kept.run(options, outside=outside, hibernation=DEFAULT)
        began(run, True)
        return run

    return life


def settings_of(file: Path, options: RunOptions, given: dict[str, Any]) -> Json:
    """What a later command needs."""
    return {
        "v": 1,
        "cwd": os.getcwd(),
        "file": os.path.abspath(file),
        "root": os.path.abspath(given["root"] or file.parent),
        "looksElsewhere": given["root"] is None,
        "given": {name: given[name] for name in _KEPT},
        "limits": {**options.limits.to_wire(), **limits_of(options)},
    }


def options_of(settings: Any) -> RunOptions:
    """The options of a run that the command line had begun.

    Raises:
        InputError: it was begun by another program, or its agent is not here.
    """
    from flowcage.host.run.limits import with_limits

    if not isinstance(settings, dict) or settings.get("v") != 1:
        raise InputError("the run was begun by a program and not by flowcage run; that has to resume it")
    given = {**settings["given"], "root": Path(settings["root"]), "limits_file": None, "limit_pairs": ()}
    given["looks_elsewhere"] = settings.get("looksElsewhere", False)  # runs of before there was one do not
    if os.path.isdir(settings["cwd"]):
        os.chdir(settings["cwd"])  # where the agent's program was started
    add_tables(Path(settings["file"]).parent, given)
    options = arguments.options(InputFiles({}), Path(settings["file"]), **given)
    names = {name: value for name, value in settings["limits"].items() if "_" in name}
    return with_limits(options, names)


def changed(
    settings: Any, workflow: NewWorkflow, script: Path | None, changes: dict[str, Any]
) -> tuple[RunOptions, dict[str, Any]]:
    """Options and settings of a run that is begun as another one was.

    Args:
        settings, workflow: of that run.
        script: another file than it had.
        changes: options of `flowcage run` that are others now, by name.

    Raises:
        InputError: as `options_of`.
    """
    from flowcage.host.run.limits import with_limits

    if not isinstance(settings, dict) or settings.get("v") != 1:
        options_of(settings)
    limits = {name: value for name, value in settings["limits"].items() if name not in changes}
    old = settings["given"]
    others = {"model": None} if "agent" in changes else {}  # it was of the other agent
    models = {**(old.get("models") or {}), **changes.get("models", {})}
    new = {**settings, "given": {**old, **others, **changes, "models": models}, "limits": limits}
    if script is not None:
        new |= {"file": str(script), "root": str(script.parent)}
        new["given"]["dialect"] = "auto"
    options = with_limits(options_of(new), dict(workflow.limits))
    new["limits"] = {**options.limits.to_wire(), **limits_of(options)}
    return options, new


def script_of(workflow: NewWorkflow) -> Script:
    """The workflow that a run was begun with."""
    return Script(workflow.source, workflow.source_name, workflow.source_name, workflow.modules)

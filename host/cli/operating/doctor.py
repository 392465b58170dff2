"""What this machine has: versions, memory, engine, layers of the cage by a real child, agents, settings."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import trio

from flowcage.host.cli.engine import engine_build
from flowcage.host.cli.operating.checks import Check, Examination, of_layers
from flowcage.host.cli.runs import keeping
from flowcage.host.cli.setup.found import findings as found
from flowcage.host.durable.address import StorePlace
from flowcage.host.durable.errors import NoStore, StoreError, StoreFailed
from flowcage.host.outcome.errors import RunError, RunTimedOut
from flowcage.host.process.allowance import Allowance
from flowcage.host.process.launch.launcher import ClosableLauncher
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.process.launch.zygote import Zygote
from flowcage.host.process.proc_status import require_cage
from flowcage.host.process.supervisor import Child
from flowcage.host.run.sources.reader import CHECK_TIMEOUT_SECONDS
from flowcage.protocol.limits import MIB, Limits
from flowcage.protocol.messages import Initialized
from flowcage.protocol.version import PACKAGE_VERSION

_NO_AGENTS = ("agent mock", "agent types")
_AGENTS = (
    "for real answers install claude or codex, or set ANTHROPIC_API_KEY or OPENAI_API_KEY (docs/agents.md)"
)
_DAMAGED = "somebody else wrote to the store's database, or its disk did: look at what else is there"
_MOST_PROBLEMS = 10
_IS_LINUX = sys.platform == "linux"
# A run may have so much: its heap of 128 MiB, and what a child and its host need beside it.
_LEAST_MEMORY = 256 * MIB


async def examine() -> Examination:
    """Start children with ``best_effort``, and look at the rest of this machine."""
    version = f"{platform.python_version()} ({platform.python_implementation()}), {sys.executable}"
    checks = [
        Check("flowcage", PACKAGE_VERSION),
        Check("python", version),
        Check("platform", f"{platform.system()} {platform.release()} {platform.machine()}"),
        _memory(),
        *await _of_child(),
        await _store(keeping.place_of(None)),
        *await _queue(keeping.place_of(None)),
        *_agents_and_settings(),
    ]
    return Examination(tuple(checks))


def _memory() -> Check:
    try:
        memory = psutil.virtual_memory()
    except OSError as error:
        return Check("memory", f"unknown: {error.strerror}")
    value = f"{memory.available // MIB} MiB of {memory.total // MIB} MiB available"
    if memory.available < _LEAST_MEMORY:
        return Check("memory", value, "problem", f"leave {_LEAST_MEMORY // MIB} MiB at least to runs")
    return Check("memory", value, "ok")


async def _of_child() -> list[Check]:
    """The engine and the cage, as a child tells and the kernel confirms them."""
    try:
        initialized = await _initialize(Spawn())
    except RunError as error:
        advice = "python -m flowcage.child has to start in this environment; see what it says"
        return [Check("child", f"no: {_first_line(error)}", "problem", advice)]
    engine = initialized.engine
    build = engine_build()
    checks = [Check("engine", f"{engine.name} {engine.version}, {build}", "ok")]
    checks += of_layers(initialized.isolation, is_required=_IS_LINUX, is_root=os.geteuid() == 0)
    if _IS_LINUX:
        checks += [await _confirmed(), await _zygote()]
    return checks


async def _confirmed() -> Check:
    try:
        await _initialize(Spawn(), is_confirmed=True)
    except RunError as error:
        advice = "mount /proc without hidepid"
        return Check("cage is confirmed", f"no: {_first_line(error)}", "problem", advice)
    return Check("cage is confirmed", "yes (by the kernel, through /proc)", "ok")


async def _zygote() -> Check:
    launcher = Zygote()
    try:
        await _initialize(launcher)
    except RunError as error:
        advice = "without it neither a Host nor flowcage serve starts children; see what it says"
        return Check("zygote", f"no: {_first_line(error)}", "problem", advice)
    finally:
        await launcher.aclose()
    return Check("zygote", "yes (children are forked)", "ok")


def _agents_and_settings() -> Iterator[Check]:
    findings = list(found(Path.cwd()))
    agents = [value for name, value in findings if name.startswith("agent ") and name not in _NO_AGENTS]
    has_agent = any(value != "no" for value in agents)
    for name, value in findings:
        is_told = name == "agent mock" and not has_agent
        yield Check(name, value, advice=_AGENTS if is_told else "")


async def _store(place: StorePlace) -> Check:
    """Whether runs can be kept where they are kept unless told otherwise."""
    return _file(place) if isinstance(place, Path) else await _database(place)


async def _database(place: StorePlace) -> Check:
    try:
        async with keeping.opened(place, read_only=True):
            return Check("store", str(place), "ok")
    except NoStore:
        return Check("store", f"{place}, which the first run makes", "ok")
    except (StoreError, StoreFailed) as error:
        advice = "see what it says, or unset FLOWCAGE_STORE, which names it"
        return Check("store", f"{place}: {_first_line(error)}", "problem", advice)


async def _queue(place: StorePlace) -> list[Check]:
    """What waits for workers in a store that can be read, where anything does."""
    try:
        async with keeping.opened(place, read_only=True) as store:
            depths, workers = await store.depths(), await store.workers()
            problems = await store.queue_problems()
    except (StoreError, StoreFailed):  # `_store` has told of it
        return []
    damaged = [Check("queue is damaged", each, "problem", _DAMAGED) for each in problems[:_MOST_PROBLEMS]]
    if not depths and not workers:
        return damaged
    waiting, held = sum(each.waiting for each in depths), sum(each.held for each in depths)
    alive = sum(each.is_alive for each in workers)
    advice = ""
    if waiting and not alive:
        advice = "start flowcage worker on this store: nothing takes what waits"
    elif held:
        advice = "flowcage cluster says why they are held"
    told = f"{waiting} waiting, {held} of them held; {alive} workers"
    return [Check("queue", told, advice=advice), *damaged]


def _file(path: Path) -> Check:
    folder = next((each for each in (path, *path.parents) if each.exists()), Path("/"))
    if os.access(folder, os.W_OK):
        return Check("store", str(path), "ok")
    advice = "name another by --store, or set XDG_STATE_HOME; without one, runs go on and are not kept"
    return Check("store", f"{path}: {folder} cannot be written", "fact", advice)


async def _initialize(launcher: Spawn | ClosableLauncher, *, is_confirmed: bool = False) -> Initialized:

    async def converse(child: Child, _nursery: trio.Nursery) -> Initialized:
        initialized = await child.initialize(Limits(), "best_effort")
        if is_confirmed:
            require_cage(child.pid)
        return initialized

    try:
        with trio.fail_after(CHECK_TIMEOUT_SECONDS):
            child = await Child.start(launcher, Allowance())
            return await child.run(partial(converse, child))
    except trio.TooSlowError:
        raise RunTimedOut(CHECK_TIMEOUT_SECONDS) from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]

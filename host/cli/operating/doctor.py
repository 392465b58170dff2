"""What this machine has: versions, memory, engine, layers of the cage by a real child, agents, settings."""

from __future__ import annotations

import platform
import sys
from functools import partial
from pathlib import Path

import psutil
import trio

from flowcage.host.cli.engine import engine_build
from flowcage.host.cli.setup.found import findings as found
from flowcage.host.outcome.errors import RunTimedOut
from flowcage.host.process.allowance import Allowance
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.process.supervisor import Child
from flowcage.host.run.api import CHECK_TIMEOUT_SECONDS
from flowcage.protocol.limits import MIB, Limits
from flowcage.protocol.messages import Initialized
from flowcage.protocol.version import PACKAGE_VERSION


async def examine() -> list[tuple[str, str]]:
    """Start a child with ``best_effort`` and return the findings, as pairs of name and value.

    Raises:
        RunError: no child can be started.
    """
    initialized = await _initialize()
    findings = [
        ("flowcage", PACKAGE_VERSION),
        ("python", f"{platform.python_version()} ({platform.python_implementation()}), {sys.executable}"),
        ("platform", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("memory", _memory()),
        ("engine", f"{initialized.engine.name} {initialized.engine.version}, {engine_build()}"),
    ]
    layers = initialized.isolation.items()
    caged = [
        (f"cage {name}", f"{'yes' if layer.applied else 'no'} ({layer.detail})") for name, layer in layers
    ]
    return [*findings, *caged, *found(Path.cwd())]


def _memory() -> str:
    try:
        memory = psutil.virtual_memory()
    except OSError as error:
        return f"unknown: {error.strerror}"
    return f"{memory.available // MIB} MiB of {memory.total // MIB} MiB available"


async def _initialize() -> Initialized:

    async def converse(child: Child, _nursery: trio.Nursery) -> Initialized:
        return await child.initialize(Limits(), "best_effort")

    try:
        with trio.fail_after(CHECK_TIMEOUT_SECONDS):
            child = await Child.start(Spawn(), Allowance())
            return await child.run(partial(converse, child))
    except trio.TooSlowError:
        raise RunTimedOut(CHECK_TIMEOUT_SECONDS) from None

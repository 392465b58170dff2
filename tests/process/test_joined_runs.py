"""What the host allows a child that starts and drains in one message."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host import CpuExceeded, RunOptions, run_workflow, run_workflow_blocking
from flowcage.host.process.child_process import ChildProcess
from flowcage.host.process.launch import switches
from flowcage.host.process.launch.greeting import initialize_message
from flowcage.host.process.launch.reserve import Reserve
from flowcage.host.process.launch.spawn import Spawn
from flowcage.protocol.layers import STRICT_LAYERS
from flowcage.protocol.limits import Limits

from ..host.children import Launcher
from ..host.launchers import watched
from .test_reserve import filled

pytestmark = pytest.mark.skipif(not switches.JOINED_MESSAGES, reason="FLOWCAGE_JOINED_MESSAGES=0")

SCRIPTED = Path(__file__).parents[1] / "host" / "scripted_child.py"
PEER = {"name": "scripted", "version": "0"}
COMPLETE = {"calls": [], "requests": [], "state": "complete", "output": {"result": 1}}


def command(spin: float) -> tuple[str, ...]:
    """A child that has `run`, and uses so many seconds of CPU for it without looking at any limit."""
    told: dict[str, Any] = {
        "protocolVersion": "1.0",
        "server": PEER,
        "engine": PEER,
        "limits": Limits().to_wire(),
        "isolation": {name: {"applied": True, "detail": ""} for name in STRICT_LAYERS},
        "maxMessageBytes": Limits().max_message_bytes,
        "methods": ["initialize", "start", "run", "drain", "resolve", "advance"],
    }
    script = {"initialize": [{"result": told}], "run": [{"spin": spin, "result": COMPLETE}]}
    return sys.executable, "-I", str(SCRIPTED), json.dumps(script)


def test_a_child_that_compiles_and_runs_in_one_message_has_the_time_of_two_steps() -> None:
    launcher = Launcher(command(1.6))
    options = RunOptions(
        launcher=launcher,
        isolation="none",
        limits=Limits(step_timeout_ms=1000),
        answer_grace_seconds=0.2,
        timeout_seconds=300,
    )
    assert run_workflow_blocking("return 1", options=options).result == 1
    launcher.assert_nothing_left()


def test_a_spare_that_does_not_hold_to_a_lower_cpu_limit_is_ended_by_the_host() -> None:
    """The kernel would end it at the limit that the spare was told, as in a native that never polls."""

    async def main() -> None:
        async with watched(lambda: Spawn(command(100))) as launcher, trio.open_nursery() as nursery:
            reserve = Reserve(launcher, initialize_message(Limits(), "none"), nursery.start_soon)
            await ChildProcess(await reserve.launch()).close(kill=True)
            await filled(reserve)
            limits = Limits(cpu_seconds=1)
            options = RunOptions(
                launcher=reserve.of(initialize_message(limits, "none")),
                isolation="none",
                limits=limits,
                timeout_seconds=300,
            )
            with pytest.raises(CpuExceeded, match="used 1 s of CPU, the limit cpuSeconds"):
                await run_workflow("return 1", options=options)
            await filled(reserve)
            reserve.close()

    trio.run(main)

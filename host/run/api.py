"""Check one workflow, without running it."""

from __future__ import annotations

from functools import partial

import trio

from flowcage.host.outcome.errors import CannotSend, RunError, RunTimedOut
from flowcage.host.outcome.judge import verdict_on
from flowcage.host.process.allowance import Allowance
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.process.supervisor import Child
from flowcage.host.run.arguments import require_choice, require_workflow
from flowcage.host.run.event_loops import require_trio
from flowcage.host.run.options import RunOptions
from flowcage.host.run.past.telling import CANNOT_CROSS
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import DIALECTS, Check, Checked, Dialect

# For the whole of it; what compiling itself may take is a step's time.
CHECK_TIMEOUT_SECONDS = 90.0


async def check_workflow(
    source: str,
    *,
    source_name: str = "workflow.js",
    dialect: Dialect = "auto",
    limits: Limits | None = None,
    findings: bool = False,
    outline: bool = False,
) -> Checked:
    """Compile a workflow in a child and read its `meta`, without running its body.

    Args:
        source, source_name, dialect: as for a run.
        limits: of the child; what compiling may take is one step.
        findings, outline: whether to have what is probably wrong with the source, and its outline.

    Raises:
        WorkflowFailed: kind ``syntax`` or ``import``; ``data`` has line and column.
        RunError: the child could not do it.
        TypeError, ValueError, WrongEventLoop: as `run_workflow`.
    """
    require_trio("check_workflow()")
    require_workflow(source, source_name)
    require_choice("dialect", dialect, DIALECTS)

    held_to = limits or Limits()

    async def converse(child: Child, _nursery: trio.Nursery) -> Checked:
        channel = child.channel
        await child.initialize(held_to, None, findings or outline)
        channel.patience = channel.patience.for_steps(held_to, RunOptions.answer_grace_seconds)
        message = Check(source, source_name, dialect, findings, outline)
        try:
            line = channel.encode(message)
        except CANNOT_CROSS as error:
            raise CannotSend(f"the workflow cannot be sent to the child: {error}") from error
        channel.send([line])
        checked = await channel.receive()
        assert isinstance(checked, Checked)
        return checked

    try:
        with trio.fail_after(CHECK_TIMEOUT_SECONDS):
            child = await Child.start(Spawn(), Allowance(held_to.cpu_seconds))
            try:
                return await child.run(partial(converse, child))
            except RunError as error:
                error.verdict = verdict_on(error, child.measured(held_to))
                raise
    except trio.TooSlowError:
        raise RunTimedOut(CHECK_TIMEOUT_SECONDS) from None

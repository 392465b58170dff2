"""Run one workflow: the public calls, async for trio programs and blocking for scripts."""

from __future__ import annotations

from functools import partial

import trio

from flowcage.host.outcome.errors import CannotSend, RunError, RunTimedOut
from flowcage.host.outcome.judge import verdict_on
from flowcage.host.outcome.report import Outcome
from flowcage.host.process.allowance import Allowance
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.process.supervisor import Child
from flowcage.host.run.arguments import require_choice, require_type, require_workflow
from flowcage.host.run.event_loops import require_no_event_loop, require_trio, run_to_end
from flowcage.host.run.options import RunOptions
from flowcage.host.run.past.telling import CANNOT_CROSS
from flowcage.host.run.run import Run
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import DIALECTS, MISSING, Check, Checked, Dialect, Json, Missing

# For the whole of it; what compiling itself may take is a step's time.
CHECK_TIMEOUT_SECONDS = 90.0


async def run_workflow(
    source: str,
    *,
    source_name: str = "workflow.js",
    args: Json | Missing = MISSING,
    options: RunOptions | None = None,
) -> Outcome:
    """Run one workflow in its own child process.

    Args:
        source: JavaScript text, in either dialect.
        source_name: what stacks and errors call it. The workflow can read it: give no absolute path.
        args: any JSON value, the workflow's ``args``; left out it is ``{}``.
        options: handlers and limits; the defaults answer ``agent()`` with `echo`.

    Returns:
        The result and a report. The child is gone and reaped.

    Raises:
        RunError: one of its subclasses, with the same report in ``report``; `WorkflowFailed` is the
            workflow's own doing, `RunTimedOut` and `WorkflowStalled` its never finishing.
        TypeError, ValueError: an argument is of the wrong type, or `args` are no JSON; nothing was started.
        WrongEventLoop: trio does not run here.
    """
    require_trio("run_workflow()")
    _require_arguments(source, source_name, args, options)
    run = Run(options or RunOptions(), source_name)
    return await run.execute(source, {} if args is MISSING else args)


def run_workflow_blocking(
    source: str,
    *,
    source_name: str = "workflow.js",
    args: Json | Missing = MISSING,
    options: RunOptions | None = None,
) -> Outcome:
    """`run_workflow` for programs without an event loop; the same arguments, result and errors.

    Raises:
        KeyboardInterrupt: Ctrl-C; the child is gone by then.
        WrongEventLoop: this thread has an event loop, which would be held up.
    """
    require_no_event_loop("run_workflow_blocking()")
    _require_arguments(source, source_name, args, options)  # here: in the event loop, errors come in groups
    return run_to_end(partial(run_workflow, source, source_name=source_name, args=args, options=options))


async def check_workflow(
    source: str,
    *,
    source_name: str = "workflow.js",
    dialect: Dialect = "auto",
    limits: Limits | None = None,
) -> Checked:
    """Compile a workflow in a child and read its `meta`, without running its body.

    Args:
        source, source_name, dialect: as for a run.
        limits: of the child; what compiling may take is one step.

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
        await child.initialize(held_to, None)
        channel.patience = channel.patience.for_steps(held_to, RunOptions.answer_grace_seconds)
        message = Check(source, source_name, dialect)
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


def _require_arguments(
    source: str, source_name: str, args: Json | Missing, options: RunOptions | None
) -> None:
    require_workflow(source, source_name, args)
    if options is not None:
        require_type("options", options, RunOptions)

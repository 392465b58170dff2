"""Run one workflow: the public calls, async for trio programs and blocking for scripts."""

from __future__ import annotations

from functools import partial

import trio

from flowcage.host.child import Child, expect_result, initialize
from flowcage.host.options import RunOptions
from flowcage.host.outcome import Outcome
from flowcage.host.run import Run
from flowcage.protocol import decode
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import Check, Checked, Dialect, Json

# Compiling is quick; a child that takes longer than this is not well.
CHECK_TIMEOUT_SECONDS = 30.0


async def run_workflow(
    source: str,
    *,
    source_name: str = "workflow.js",
    args: Json = None,
    options: RunOptions | None = None,
) -> Outcome:
    """Run one workflow in its own child process.

    Args:
        source: JavaScript text, in either dialect.
        source_name: what stacks and errors call it.
        args: any JSON value, the workflow's ``args``; None means ``{}``.
        options: handlers and limits; the defaults answer ``agent()`` with `echo`.

    Returns:
        The result and a report. The child is gone and reaped.

    Raises:
        RunError: one of its subclasses, with the same report in ``report``; `WorkflowFailed` is the
            workflow's own doing, `RunTimedOut` and `WorkflowStalled` its never finishing.
    """
    run = Run(options or RunOptions(), source_name)
    return await run.execute(source, {} if args is None else args)


def run_workflow_blocking(
    source: str,
    *,
    source_name: str = "workflow.js",
    args: Json = None,
    options: RunOptions | None = None,
) -> Outcome:
    """`run_workflow` for programs without an event loop; the same arguments, result and errors.

    Raises:
        KeyboardInterrupt: Ctrl-C; the child is gone by then.
    """
    run = partial(run_workflow, source, source_name=source_name, args=args, options=options)
    try:
        return trio.run(run)
    except BaseExceptionGroup as group:  # a nursery wraps the interrupt; callers expect it bare
        if group.subgroup(KeyboardInterrupt) is not None:
            raise KeyboardInterrupt from None
        raise


async def check_workflow(
    source: str, *, source_name: str = "workflow.js", dialect: Dialect = "auto"
) -> Checked:
    """Compile a workflow in a child and read its `meta`, without running its body.

    Raises:
        WorkflowFailed: kind ``syntax`` or ``import``; ``data`` has line and column.
        RunError: the child could not do it.
    """
    child = Child()

    async def converse(_nursery: trio.Nursery) -> Checked:
        await initialize(child.channel, Limits(), None)
        reply = await child.channel.request(Check(source, source_name, dialect))
        return decode.checked(expect_result(reply))

    with trio.fail_after(CHECK_TIMEOUT_SECONDS):
        return await child.run(converse)

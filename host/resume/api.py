"""Run one workflow: the public calls, async for trio programs and blocking for scripts."""

from __future__ import annotations

from functools import partial

from flowcage.host.durable.store import Store
from flowcage.host.outcome.report import Outcome
from flowcage.host.resume.new.begin import begin
from flowcage.host.resume.outside import watched
from flowcage.host.run.arguments import require_type, require_workflow
from flowcage.host.run.event_loops import require_no_event_loop, require_trio, run_to_end
from flowcage.host.run.node import new_run_id
from flowcage.host.run.options import RunOptions
from flowcage.host.run.run import Run
from flowcage.protocol.messages import MISSING, Json, Missing


async def run_workflow(
    source: str,
    *,
    source_name: str = "workflow.js",
    args: Json | Missing = MISSING,
    options: RunOptions | None = None,
    store: Store | None = None,
) -> Outcome:
    """Run one workflow in its own child process.

    Args:
        source: JavaScript text, in either dialect.
        source_name: what stacks and errors call it. The workflow can read it: give no absolute path.
        args: any JSON value, the workflow's ``args``; left out it is ``{}``.
        options: handlers and limits; the defaults answer ``agent()`` with `echo`.
        store: keeps the run, so that `Host.resume` can go on with it. While the run goes on, answers to its
            questions and requests to end it that others give to the store reach it. It stays awake: its child
            is there while it waits for a time or a person; runs of a `Host` fall asleep.

    Returns:
        The result and a report. The child is gone and reaped.

    Raises:
        RunError: one of its subclasses, with the same report in ``report``; `WorkflowFailed` is the
            workflow's own doing, `RunTimedOut` and `WorkflowStalled` its never finishing, `StoreFailed` where
            the store takes nothing more.
        TypeError, ValueError: an argument is of the wrong type, or `args` are no JSON; nothing was started.
        WrongEventLoop: trio does not run here.
    """
    require_trio("run_workflow()")
    _require_arguments(source, source_name, args, options)
    chosen, given = options or RunOptions(), {} if args is MISSING else args
    if store is None:
        return await Run(chosen, source_name).execute(source, given)
    async with watched(store) as outside:
        kept = await begin(store, new_run_id(), source, source_name, given, chosen)
        return await kept.execute(kept.run(chosen, outside=outside))


def run_workflow_blocking(
    source: str,
    *,
    source_name: str = "workflow.js",
    args: Json | Missing = MISSING,
    options: RunOptions | None = None,
    store: Store | None = None,
) -> Outcome:
    """`run_workflow` for programs without an event loop; the same arguments, result and errors.

    Raises:
        KeyboardInterrupt: Ctrl-C; the child is gone by then.
        WrongEventLoop: this thread has an event loop, which would be held up.
    """
    require_no_event_loop("run_workflow_blocking()")
    _require_arguments(source, source_name, args, options)  # here: in the event loop, errors come in groups
    given = {"source_name": source_name, "args": args, "options": options, "store": store}
    return run_to_end(partial(run_workflow, source, **given))  # type: ignore[arg-type]


def _require_arguments(
    source: str, source_name: str, args: Json | Missing, options: RunOptions | None
) -> None:
    require_workflow(source, source_name, args)
    if options is not None:
        require_type("options", options, RunOptions)

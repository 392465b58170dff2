"""One run and the child workflows below it: each from the launch of its child to its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import trio

from flowcage.host.outcome.errors import RunError, RunTimedOut
from flowcage.host.outcome.judge import verdict_here, verdict_on
from flowcage.host.outcome.report import Outcome, Report
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.process.launch.greeting import initialize_message
from flowcage.host.process.launch.launcher import Launcher
from flowcage.host.process.launch.reserve import of_child_workflow
from flowcage.host.run import run_log
from flowcage.host.run.asking.answering import Answerer
from flowcage.host.run.conversation import Conversation
from flowcage.host.run.core.inputs import Opened
from flowcage.host.run.driver import Driver
from flowcage.host.run.guide.guide import Guide
from flowcage.host.run.limits import host_limits
from flowcage.host.run.naps.children import Children
from flowcage.host.run.node import Node, new_run_id, run_id_below
from flowcage.host.run.options import Caller, RunOptions
from flowcage.host.run.past.below import CallerOf, is_behind, result_below
from flowcage.host.run.past.hibernation import Hibernation
from flowcage.host.run.past.journal import Begun, Journal
from flowcage.host.run.past.lived import tell_of_cpu
from flowcage.host.run.past.past import Past
from flowcage.host.run.reporting import Ending, RunStatistics, report_of, statistics_of
from flowcage.host.run.slots import Share
from flowcage.protocol.messages import Json, Missing, Resolve


class WorkflowRun(Node):
    """A workflow with its child.

    Args:
        driver: of the whole tree.
        run_id, path, source_name, options, parent: as in `Node`.
        launcher: starts its child, in place of that of the options.
        request: that it answers, by its id in the tree; "" for the root.

    Attributes:
        report: from its end on, also where it was cancelled.
    """

    report: Report | None = None

    def __init__(
        self,
        driver: Driver,
        run_id: str,
        path: str,
        source_name: str,
        options: RunOptions,
        launcher: Launcher,
        *,
        parent: WorkflowRun | None = None,
        request: str = "",
    ) -> None:
        super().__init__(run_id, path, source_name, options, parent)
        self.driver = driver
        self._launcher = launcher
        self._began = driver.seconds
        self._conversation = Conversation(self, driver)
        self._children = Children(self, driver, self._conversation, launcher)
        if driver.past is None or path not in driver.past.workflows:
            driver.feed(Opened(path, source_name, request))
        else:
            self.finish = driver.past.finishes.get(path)
        driver.nodes[path] = self
        self._workflow = driver.core.tree.workflows[path]

    def caller(self, request: str) -> Caller:
        """This workflow as the handler of one of its requests sees it."""
        return CallerOf(self, request)

    def tell(self, resolves: tuple[Resolve, ...]) -> None:
        """Send resolutions to the child, and let it run."""
        self._conversation.tell(resolves)

    def statistics(self) -> RunStatistics:
        """As of now, in the run and after it."""
        wall_seconds = 0.0 if self.report is None else self.report.usage.wall_seconds
        seconds = wall_seconds or self.driver.seconds - self._began
        return statistics_of(self.driver.core.tree, self._workflow, self._children.so_far, seconds)

    def nap(self) -> bool:
        child = self._children.so_far.last
        if can := child is not None and child.can_end and not self.is_failing:
            self._conversation.nap()
        return can

    def tell_of_request(self, kind: str, request: Any) -> None:
        """Tell the listener of a live run that a request waits for it."""
        self.driver.emit(self, "requested", {"request": request, "kind": kind})

    async def run_child(
        self, request: str, source: str, source_name: str, args: Json, modules: Mapping[str, str]
    ) -> Json:
        """Run a child workflow that answers one of this workflow's requests; see `Caller`."""
        path, options, launcher = self._path_below(request), *self._means_of_child()
        past = self.driver.past
        if past is not None:
            if (finish := past.ended.get(path)) is not None:
                return finish.result
            if path in past.workflows and (begun := past.workflows[path].begun) is not None:
                source, source_name, modules = begun.source, begun.source_name, begun.modules
                args = args if isinstance(begun.args, Missing) else begun.args
        options = replace(options, modules=modules)
        begun = Begun.of(path, source, source_name, args, self.driver.core.tree.budget, options)
        if (known := self._known(request, begun)) is not None:
            told, result = known
            await told.wait()
            return result
        run_id = new_run_id() if self.driver.journal is None else run_id_below(self.root.id, path)
        child = WorkflowRun(
            self.driver, run_id, path, source_name, options, launcher, parent=self, request=request
        )
        self._emit("child_started", child_run_id=child.id, source_name=source_name)
        return await result_below(child, source, args)

    def _known(self, request: str, begun: Begun) -> tuple[trio.Event, Json] | None:
        """What a child workflow has resulted in when another run has started it; None where it has to run.

        The event is set when this workflow is told, in the order in which that one was.
        """
        driver, path = self.driver, begun.path
        is_old = driver.past is not None and path in driver.past.workflows
        if driver.steering is None or path != request or is_old:
            return None
        if (known := driver.steering.start(request, begun.source, begun.args, begun.modules)) is None:
            return None
        if driver.journal is not None:  # a run that reuses this one looks for its source
            driver.journal.begin(begun)
        driver.steer()
        return known

    async def execute(self, source: str, args: Json) -> Outcome:
        """Run to the end; whatever happens, the child is gone afterwards.

        Raises:
            RunError: with its verdict and report.
        """
        if self.parent is None:
            run_log.began(self, self.driver.share.tenant, is_resumed=self.driver.past is not None)
        try:
            result = await self._bounded(source, args)
        except RunError as error:
            child = self._children.so_far.last
            measured = None if child is None else child.measured(self.options.limits)
            error.verdict = verdict_on(error, measured)
            report = self._end(error.verdict, str(error), error)
            if self.parent is None or not hasattr(error, "report"):  # that of a child workflow stays its own
                error.report = report
            raise
        except BaseException as interruption:
            verdict = await verdict_here(interruption)
            self._end(verdict, verdict, interruption)
            raise
        return Outcome(result, self._end(Verdict.COMPLETED, None))

    async def _bounded(self, source: str, args: Json) -> Json:
        with self.bounded:
            return await self._children.hold(source, args)
        if not self.is_stopped:
            raise RunTimedOut(self.options.timeout_seconds)
        self.check()
        return self._conversation.result()

    def _end(self, verdict: Verdict, error: str | None, raised: BaseException | None = None) -> Report:
        """Close the books of this workflow, and tell of its end."""
        driver, workflow = self.driver, self._workflow
        waiting = tuple(call.request.id for call in workflow.calls.values())
        if self.parent is None and driver.journal is not None:
            tell_of_cpu(driver.allowance, driver.feed)
        driver.end(self)
        report = self.report = report_of(self, driver.core.tree, workflow, self._ending(verdict, waiting))
        workflow.calls.clear()
        self._emit("ended", verdict=verdict, error=error, usage=report.usage, census=report.census)
        driver.forget(self)
        if self.parent is None:
            self._log_end(report, raised)
        else:
            told = {"child_run_id": self.id, "verdict": verdict, "error": error}
            driver.emit(self.parent, "child_ended", told)
        return report

    def _log_end(self, report: Report, raised: BaseException | None) -> None:
        if self.driver.asleep is not None:
            run_log.fell_asleep(self, report.tenant)
            return
        child = self._children.so_far.last
        run_log.ended(
            self, report, raised, None if child is None or child.ended is None else child.ended.signal
        )

    def _ending(self, verdict: Verdict, waiting: tuple[str, ...]) -> Ending:
        told, past = self._conversation.initialized, self.driver.past
        limits = self.options.limits if told is None else told.limits
        return Ending(
            verdict,
            self._children.so_far,
            {} if told is None else told.isolation,
            limits.to_wire() | host_limits(self.options),
            waiting,
            self.driver.share.tenant,
            0 if past is None else past.sleeps,
            0.0 if past is None or self.parent is not None else past.cpu_seconds,
            () if past is None or self.parent is not None else past.notes(),
        )

    def _path_below(self, request: str) -> str:
        """The request's own id; for each further workflow that its handler runs, one that was never used."""
        driver, path, number = self.driver, request, 1
        past = driver.past
        while path in driver.core.tree.opened and not (past is not None and past.takes_up(path)):
            number += 1
            path = f"{request}.{number}"
        return path

    def _means_of_child(self) -> tuple[RunOptions, Launcher]:
        """A child workflow gets the CPU that is left; what all use together is watched beside."""
        limits, left = self.options.limits, self.driver.allowance.left_cpu_seconds
        if left >= limits.cpu_seconds:
            return self.options, self._launcher
        limits = limits._replace(cpu_seconds=left)
        # Children that were kept ready have been told other limits.
        message = initialize_message(limits, self.options.isolation)
        return replace(self.options, limits=limits), of_child_workflow(self._launcher, message)

    def _emit(self, kind: str, **members: Any) -> None:
        self.driver.emit(self, kind, members)


class Run(WorkflowRun):
    """A run that the host starts: the root of its tree.

    Args:
        options: of the run.
        source_name: name of the source in stacks.
        share: what it may use of its tenant's.
        run_id: its name in events; left out, a new one.
        answerer: answers its requests in place of the options' handlers.
        journal: keeps all that happens to the run, before it has effects.
        past: of a run that is gone on with; `execute` is given what it was begun with.
        hibernation: when it falls asleep; None for never.
        guide: knows what another run was answered, whose answers this one reuses.
    """

    def __init__(
        self,
        options: RunOptions,
        source_name: str,
        share: Share | None = None,
        *,
        run_id: str | None = None,
        answerer: Answerer | None = None,
        journal: Journal | None = None,
        past: Past | None = None,
        hibernation: Hibernation | None = None,
        guide: Guide | None = None,
    ) -> None:
        share = share or Share()
        driver = Driver(options, share, answerer, journal, past, hibernation, guide)
        launcher = share.launcher or options.launcher
        super().__init__(driver, run_id or new_run_id(), "", source_name, options, launcher)
        if past is not None:
            self.bounded.relative_deadline = max(0.0, options.timeout_seconds - past.active_seconds)

    def tell_of_waking(self) -> None:
        """Tell the listener that the run goes on, where it was asleep."""
        past = self.driver.past
        if past is not None and past.slept_seconds is not None:
            self._emit("awake", slept_seconds=past.slept_seconds)

    def tell_of_sleep(self, wake_at: str | None, seconds: float | None) -> None:
        """Tell the listener that the run has fallen asleep."""
        self.driver.telling.is_silent = False
        self._emit("asleep", wake_at=wake_at, seconds=seconds)

    @property
    def is_behind(self) -> bool:
        """Whether a child of its was not yet where one before it had been: what ended it is of this life."""
        return self.failed_behind or is_behind(self)

    @property
    def cpu_seconds(self) -> float:
        """CPU of what has ended: children, and whatever else is charged to the run."""
        return self.driver.allowance.cpu_seconds

"""Runs and forks of them on one store, with an agent that counts whom it is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

from flowcage.host import AgentAnswer, AgentCall, RequestRejected, RunOptions
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.records import RunRecord
from flowcage.host.durable.reuse.terms import Terms
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.outcome.report import Outcome
from flowcage.host.resume.kept import take_up
from flowcage.host.resume.new.begin import begin
from flowcage.host.resume.reuse.forks import fork_of
from flowcage.host.resume.reuse.trial import Explanation, Trial
from flowcage.host.run.options import Caller
from flowcage.protocol.messages import Json, WorkflowRequest

from ..host.children import Launcher

KID = """const first = await agent('read ' + args.n);
const rest = await parallel([1, 2].map((i) => () => agent('look at ' + i + ' of ' + first)));
export default {first, rest};"""


class Forks:
    """One store.

    Attributes:
        asked: prompts, in order; `answered` are those that had an answer.
        fails: prompts that are refused.
        kid: source of the child workflow.
        on_call: is told of each call before it is answered.
    """

    def __init__(self, path: Path, **store: Any) -> None:
        self.store = SqliteStore.open(path, durability="relaxed", options=StoreOptions(**store))
        self.launcher = Launcher()
        self.asked: list[str] = []
        self.answered: list[str] = []
        self.fails: set[str] = set()
        self.kid = KID
        self.on_call: Callable[[AgentCall], None] = lambda _call: None

    async def agent(self, call: AgentCall) -> AgentAnswer:
        self.asked.append(call.prompt)
        self.on_call(call)
        await trio.lowlevel.checkpoint()
        if call.prompt in self.fails:
            raise RequestRejected("busy")
        self.answered.append(call.prompt)
        return AgentAnswer(f"<{len(self.asked)} {call.prompt}>", tokens=10)

    async def workflow(self, caller: Caller, request: WorkflowRequest) -> Json:
        return await caller.run_child(self.kid, "kid.js", request.args)

    def options(self, **more: Any) -> RunOptions:
        given: dict[str, Any] = {"budget_tokens": 1000, **more}
        return RunOptions(agent=self.agent, workflow=self.workflow, launcher=self.launcher, **given)

    async def run(self, name: str, source: str, **more: Any) -> Outcome:
        options = self.options(**more)
        kept = await begin(self.store, name, source, "w.js", {}, options, tenant="t")
        return await kept.execute(kept.run(options))

    async def fork(
        self, name: str, of: str, source: str | None = None, terms: Terms | None = None, **more: Any
    ) -> Outcome:
        modules = more.get("modules")
        fork = await fork_of(self.store, of, terms or Terms(), source=source, modules=modules, tenant="t")
        options = fork.options(self.options(**more))
        given = (fork.source, fork.source_name, fork.args, options)
        kept = await begin(self.store, name, *given, tenant="t", fork=fork)
        return await kept.execute(kept.run(options))

    async def resume(self, name: str) -> Outcome:
        kept = await take_up(self.store, name)
        return await kept.execute(kept.run(self.options()))

    async def explain(self, of: str, source: str | None = None, **more: Any) -> Explanation:
        fork = await fork_of(self.store, of, Terms(), source=source)
        trial = Trial(fork, self.options(**more))
        await trial.execute()
        return trial.explanation

    async def record(self, name: str) -> RunRecord:
        return await self.store.load(name)

    def newly_asked(self) -> list[str]:
        """Prompts since this was called last."""
        asked, self.asked = self.asked, []
        return asked


def on_store(
    path: Path, work: Callable[[Forks], Awaitable[None]], *, in_host: bool = False, **store: Any
) -> None:
    """Do something with a store; no process is left. A host has launchers of its own."""
    forks = Forks(path / "runs.db", **store)

    async def main() -> None:
        try:
            await work(forks)
        finally:
            await forks.store.aclose()

    trio.run(main)
    if not in_host:
        forks.launcher.assert_nothing_left()

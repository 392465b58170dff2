"""One life of a run that is struck: the workflow, its agents, and the places at which something is killed."""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import trio

from flowcage.host import AgentAnswer, AgentCall, RequestRejected, RunOptions
from flowcage.host.agents.errors import ShareTooSmall
from flowcage.host.agents.programs.command import command_agent
from flowcage.host.agents.schema.checker import Checker
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.outcome.errors import RunError
from flowcage.host.outcome.verdict import RESUMABLE
from flowcage.host.process.launch.launcher import Spawned
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.process.launch.zygote import Zygote
from flowcage.host.resume import kept as kept_runs
from flowcage.host.resume.keeper import Keeper
from flowcage.host.resume.kept import take_up
from flowcage.host.resume.new.begin import begin
from flowcage.host.run.driver import Driver
from flowcage.host.run.naps.naps import Napping
from flowcage.host.run.options import Caller
from flowcage.host.run.past.hibernation import Hibernation
from flowcage.host.run.run import WorkflowRun
from flowcage.protocol.messages import Json, WorkflowRequest

RUN = "run"
SOURCE = """phase('one');
const order = [];
const note = async (name, options) => {
  const got = await agent(name, options); order.push(name); return got;
};
await agent('n1');
const first = await parallel(['a', 'bb', 'ccc'].map((name) => () => note(name)));
const raced = await Promise.race([agent('r1'), agent('r22'), SW.extra.sleep(1)]);
await SW.extra.sleep(1);
const flaky = await note('flaky', {retry: {maxAttempts: 3, backoffMs: 1}});
const program = await note('program', {retry: {maxAttempts: 9, backoffMs: 1}});
await agent('n2');
const kids = await parallel(['x', 'y'].map((name) => () => workflow('kid', {name})));
const shaped = await note('shaped', {schema: {type: 'object'}});
const formed = await note('formed', {schema: {propertyNames: {pattern: '^f'}}});
for (let i = 0; i < 3; i++) order.push(await agent(`s${i} after ${order} ${budget.spent()}`));
const busy = await agent('busy').catch((error) => error.message);
const more = [];
await agent('n3');
for (let i = 0; i < 9; i++) more.push(await agent(`more ${i}`).catch((error) => error.message));
log('done', budget.spent());
export default {first, raced, flaky, program, kids, shaped, formed, order, busy, more,
  spent: budget.spent()};"""
KID = """const since = budget.spent();
const got = await parallel([1, 2].map((n) => () => agent(args.name + n)));
export default [got, await agent(`${args.name} of ${got} since ${since}`)];"""
BUDGET = 606  # it is spent while the workflow asks for more

# Where something is killed. Those of a given input come before it is taken, by the input's name.
POINTS = (
    *("opened", "compiled", "drained", "turn", "answered", "heard", "refused", "due", "remembered", "ended"),
    *("flush", "before-kept", "kept", "asked", "answering", "told", "launched", "before-end"),
    *("before-begin", "before-commit", "after-commit", "before-acknowledge"),
    *("claimed", "caught-up", "checking"),
    *("nap", "napped", "woken", "brought-back"),
)
NAPS = Hibernation(idle_seconds=1_000, cpu_factor=0, nap_seconds=0)
NAP_S = 5  # an agent waits so long for one at most


class Strike(NamedTuple):
    """What is killed, and where: the nth time that a life comes by there; 0 for never."""

    victim: str
    point: str
    nth: int


class _Life:
    def __init__(self, folder: Path, number: int, strike: Strike, seed: int) -> None:
        self.folder = folder
        self.strike = strike
        self.rng = random.Random(seed)
        self._struck = folder / f"struck-{number}"
        self._notes = os.open(folder / "notes", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self._number = number
        self._counts: Counter[str] = Counter()
        self._children: list[int] = []
        self.zygote: Zygote | None = None
        self._agent_dies = False
        self.naps = strike.point in ("nap", "napped", "woken", "brought-back") or self.rng.random() < 0.1
        self._napped = trio.Event()

    def at(self, point: str) -> None:
        """The life comes by a place."""
        if point == "napped":  # the children are gone
            self._napped.set()
            self._napped = trio.Event()
        self._counts[point] += 1
        if point == self.strike.point and self._counts[point] == self.strike.nth:
            self._strike()

    def _strike(self) -> None:
        victim = self.strike.victim
        if victim == "agent":
            self._agent_dies = True  # the next one
            return
        pids = [os.getpid()] if victim == "host" else self._alive(victim)
        if pids:
            self._struck.touch()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def _alive(self, victim: str) -> list[int]:
        """Children of this process that are no zombies."""
        pids = self._children
        if victim == "zygote":
            current = None if self.zygote is None else self.zygote._current
            pids = [] if current is None else [current._session]
        alive = {each.pid for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE}
        return [pid for pid in pids if pid in alive]

    def note(self, *words: Json) -> None:
        """Write down what has happened; it survives the host."""
        os.write(self._notes, json.dumps([self._number, *words]).encode() + b"\n")

    # ---- handlers ----------------------------------------------------------------------------

    async def agent(self, call: AgentCall) -> AgentAnswer:
        key, tokens = call.idempotency_key, len(call.prompt)
        self.note("ask", key, call.interrupted, call.handle)
        self.at("asked")
        if call.prompt[0] in "as" and call.handle is None:
            await call.remember(f"session of {key}")
        for _ in range(self.rng.randrange(4)):
            await trio.lowlevel.checkpoint()
        if call.prompt == "program":
            await self._program(call)
        if call.prompt[0] == "n" and self.naps:
            with trio.move_on_after(NAP_S):
                await self._napped.wait()
        self.at("answering")
        if call.prompt == "busy" or (call.prompt == "flaky" and call.attempt < 3):
            self.note("refuse", key, 0)
            raise RequestRejected("busy")
        value: Json = f"<{call.prompt}>"
        if call.prompt == "shaped" and call.problem is not None:
            value = {"shaped": 1}
        if call.prompt == "formed":
            value = {"formed": 1}
        self.note("answer", key, tokens)
        return AgentAnswer(value, tokens=tokens)

    async def _program(self, call: AgentCall) -> None:
        dies = self._agent_dies and not call.is_held  # one that is held to a share is not started
        self._agent_dies &= not dies
        if dies:
            self._struck.touch()
        argv = ["sh", "-c", "kill -9 $$" if dies else "cat >/dev/null; echo done"]
        try:
            await command_agent(argv, timeout_s=60)(call)
        except ShareTooSmall:
            self.note("short", call.idempotency_key)
            raise
        except RequestRejected:
            self.note("refuse", call.idempotency_key, 0)
            raise

    async def workflow(self, caller: Caller, request: WorkflowRequest) -> Json:
        assert isinstance(request.args, dict)
        return await caller.run_child(KID, "kid.js", request.args)

    async def launch(self, launcher: Spawn | Zygote, *given: Any) -> Spawned:
        spawned = await launcher.launch(*given)
        self._children.append(spawned.pid)
        self.at("launched")
        return spawned

    # ---- places ------------------------------------------------------------------------------

    def watch(self) -> None:
        """Come by the places of `POINTS`, in this process."""
        record = Keeper.record

        def recorded(keeper: Keeper, now: float, given: Any) -> None:
            name = type(given).__name__.lower()
            self.at("drained" if name == "said" else name)
            record(keeper, now, given)

        Keeper.record = recorded  # type: ignore[assignment, method-assign]
        self._before(Keeper, "_flushed", "flush")
        self._before(Driver, "go_on", "caught-up")
        self._before(WorkflowRun, "tell", "told", after=True)
        self._before(Napping, "begin", "nap")
        self._before(Napping, "end", "brought-back", after=True)
        self._around(Napping, "until_woken", "napped", "woken")
        self._around(Checker, "problem", "checking", "")
        self._around(Keeper, "kept", "before-kept", "kept")
        self._around(kept_runs.KeptRun, "_end", "before-end", "")

    def _before(self, owner: type, name: str, point: str, *, after: bool = False) -> None:
        old = getattr(owner, name)

        def new(*given: Any) -> Any:
            if not after:
                self.at(point)
            found = old(*given)
            if after:
                self.at(point)
            return found

        setattr(owner, name, new)

    def _around(self, owner: type, name: str, before: str, after: str) -> None:
        old: Callable[..., Awaitable[Any]] = getattr(owner, name)

        async def new(*given: Any, **more: Any) -> Any:
            self.at(before)
            found = await old(*given, **more)
            self.at(after)
            return found

        setattr(owner, name, new)


class _Launcher:
    def __init__(self, life: _Life, launcher: Spawn | Zygote) -> None:
        self.launch = partial(life.launch, launcher)
        self.distrust = launcher.distrust


def live(folder: Path, number: int, strike: Strike, seed: int) -> int:
    """One life. Its exit status: 0 where the run has completed, 3 where it can be gone on with."""
    life = _Life(folder, number, strike, seed)
    life.watch()
    return trio.run(_live, life)


async def _live(life: _Life) -> int:
    zygote = life.zygote = Zygote() if life.strike.victim == "zygote" or life.rng.random() < 0.2 else None
    store = SqliteStore.open(life.folder / "runs.db", StoreOptions(fault=life.at), durability="relaxed")
    given = RunOptions(
        agent=life.agent,
        workflow=life.workflow,
        launcher=_Launcher(life, zygote or Spawn()),
        timeout_seconds=100,
        budget_tokens=BUDGET,
        max_agents=2,
    )
    try:
        return await _carry_out(store, given, life)
    finally:
        await store.aclose()
        if zygote is not None:
            await zygote.aclose()


async def _carry_out(store: SqliteStore, given: RunOptions, life: _Life) -> int:
    if not await store.runs():
        kept = await begin(store, RUN, SOURCE, "w.js", {}, given)
    else:
        kept = await take_up(store, RUN)
    life.at("claimed")
    try:
        outcome = await kept.execute(kept.run(given, hibernation=NAPS if life.naps else None))
    except RunError as error:
        if error.verdict not in RESUMABLE:
            raise
        return 3
    life.note("result", outcome.result, outcome.report.usage.tokens)
    return 0

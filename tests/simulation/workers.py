"""A worker as the store sees it: takes runs into free slots, writes their entries, leaves or ends them.

It may be killed, be stopped and continued, or lose its connection, which the server notices later or not at
all. What it wants to write meanwhile waits, and is written when it is back, whoever has the run by then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from flowcage.host.durable.errors import Fenced, UnknownRun
from flowcage.host.durable.queue.records import Taken, TurnLimits, Wanted, WorkerInfo
from flowcage.host.durable.records import EncodedEntry, Ending
from flowcage.host.durable.sql.life import FallAsleep, Leave
from flowcage.host.durable.sql.queue.accounts import Charge, Describe
from flowcage.host.durable.sql.queue.take import Take
from flowcage.host.durable.sql.rows import encoded_ending
from flowcage.host.durable.sql.write import Write
from flowcage.host.durable.sql.writes import Append
from tests.simulation.events import Events
from tests.simulation.ground import Ground
from tests.simulation.scripts import Script
from tests.simulation.truth import Truth

_ENTRY = EncodedEntry(0.0, b"x" * 60)
_COMPLETED = encoded_ending(Ending("completed"))
_FIRST_LOOK_MS = 10
_COMING_BACK_MS = 5_000


class World(Protocol):
    """What a worker is in."""

    events: Events
    ground: Ground
    truth: Truth
    refused: int

    def limits(self, tenant: str) -> TurnLimits: ...

    def script(self, run_id: str) -> Script: ...

    def is_ended(self, run_id: str) -> None: ...

    def waits_for_a_person(self, run_id: str, request: str, takes_ms: int) -> None: ...

    def news(self) -> None: ...


@dataclass(eq=False, slots=True)
class Life:
    """A run in a worker."""

    run_id: str
    epoch: int
    tenant: str
    script: Script
    seq: int = 0


class Worker:
    """One process after the other, on one machine.

    Args:
        number: of the machine.
        pools, slots, marks: as a worker is started with.
        poll_ms: between two looks without news.
        skew_ms: of the machine's clock.

    Attributes:
        owner: the process' name in the store.
        is_up: whether there is a process.
        is_cut: whether it does not reach the store.
        is_lost: whether the server has given its session up.
    """

    def __init__(
        self,
        world: World,
        number: int,
        pools: tuple[str, ...],
        slots: int,
        marks: tuple[str, ...],
        poll_ms: int,
        skew_ms: int = 0,
    ) -> None:
        self._world = world
        self._number = number
        self._pools, self._slots, self.marks = pools, slots, marks
        self._poll_ms, self._skew_ms = poll_ms, skew_ms
        self._starts = 0
        self._lives: dict[tuple[str, int], Life] = {}  # one that was lost goes on until it learns of it
        self._waiting: list[Callable[[], None]] = []  # for the connection
        self.owner = ""
        self.is_up = self.is_cut = self.is_lost = False
        self._has_one_underway = self._is_late = False
        self._judges_from = 0

    @property
    def is_idle(self) -> bool:
        """Whether it would take something."""
        return self.is_up and not self.is_cut and len(self._lives) < self._slots

    @property
    def may_judge(self) -> bool:
        """Whether it may take others for dead: it has its own lock, and has had it for some seconds."""
        has_lock = self.is_up and not self.is_cut and not self.is_lost
        return has_lock and self._world.events.now >= self._judges_from

    @property
    def info(self) -> WorkerInfo:
        """What it tells of itself."""
        return WorkerInfo(self.owner, self._pools, self._slots, self.marks[0], "1", self.marks)

    # ---- what befalls it ---------------------------------------------------------------------

    def start(self) -> None:
        """A new process."""
        self._starts += 1
        self.owner = f"w{self._number}-{self._starts}"
        self.is_up, self.is_cut, self.is_lost = True, False, False
        self._world.ground.join(self.owner, self._world.events.now)
        self._world.ground.write(self.owner, self._world.events.now, Describe(self.info))
        self._after(_FIRST_LOOK_MS, self._poll)

    def dies(self, notices_ms: int) -> None:
        """The process ends at once; the server notices that later."""
        owner, self.is_up = self.owner, False
        self._lives, self._waiting = {}, []
        self._world.events.after(notices_ms, lambda: self._world.ground.sessions.discard(owner))

    def is_cut_off(self, *, has_one_underway: bool = False) -> None:
        """It reaches the store no more, or is stopped.

        Args:
            has_one_underway: whether its next write is committed all the same, which it does not learn yet.
        """
        self.is_cut, self._has_one_underway = True, has_one_underway

    def loses_session(self) -> None:
        """The server gives up the connection that has its lock; it may reach the server by others."""
        self.is_lost = True
        self._world.ground.sessions.discard(self.owner)

    def is_back(self) -> None:
        """It is connected again, or continued: what waited is written."""
        if self.is_lost:
            self._judges_from = self._world.events.now + _COMING_BACK_MS
        self.is_cut = self.is_lost = False
        self._world.ground.sessions.add(self.owner)
        waiting, self._waiting = self._waiting, []
        self._is_late = True
        for act in waiting:
            if self.is_up:
                act()
        self._is_late = False
        self._after(0, self.look)

    def _after(self, milliseconds: float, happens: Callable[[], None]) -> None:
        """Let something happen in this process, if it is there by then."""
        start = self._starts

        def if_there() -> None:
            if self.is_up and self._starts == start:
                happens()

        self._world.events.after(milliseconds, if_there)

    def _connected(self, act: Callable[[], None]) -> None:
        """Act at the store, as soon as it is reached."""
        if self.is_cut and not self._has_one_underway:
            self._waiting.append(act)
            return
        self._has_one_underway = False
        act()

    def _write(self, write: Write[Any]) -> Any:
        world = self._world
        value = world.ground.write(self.owner, world.events.now + self._skew_ms, write)
        if world.ground.told:
            world.news()
        return value

    # ---- taking ------------------------------------------------------------------------------

    def _poll(self) -> None:
        self.look()
        self._after(self._poll_ms, self._poll)

    def look(self) -> None:
        """Take what there are free slots for."""
        if not self.is_idle:
            return
        world = self._world
        wanted = Wanted(self._slots - len(self._lives), self._pools, self.marks, world.limits)
        taken: list[Taken] = self._write(Take(wanted))
        for each in taken:
            args = (each.run_id, each.epoch, self.owner, self._pools, self.marks, world.events.now)
            world.truth.taken(*args)
        for each in taken:
            self._begin(Life(each.run_id, each.epoch, each.tenant, world.script(each.run_id)))

    def _begin(self, life: Life) -> None:
        if not self.is_up:  # another of those that were taken with it has ended the process
            return
        ((life.seq,),) = self._world.ground.ask("SELECT entries FROM runs WHERE run_id = ?", life.run_id)
        self._lives[life.run_id, life.epoch] = life
        self._go_on(life)

    def _go_on(self, life: Life) -> None:
        """Begin, or ask again what was asked, or take in what has slept or was answered from outside."""
        if life.seq == life.script.poisoned_at:
            self._poisoned()
            return
        if life.seq == 2 * len(life.script.steps):  # it died between its last answer and its end
            self._connected(partial(self._end, life))
            return
        step = life.script.steps[life.seq // 2]
        if life.seq % 2 == 0:
            self._append(life, 1, partial(self._ask, life))
        elif step.kind == "agent" or not self._is_over(life, step.kind):
            self._ask(life)
        else:
            self._answered(life)

    def _is_over(self, life: Life, kind: str) -> bool:
        if kind == "sleep":  # it was woken: its time has come
            return True
        sql = "SELECT 1 FROM answers WHERE run_id = ? AND request = ? AND data IS NOT NULL"
        return bool(self._world.ground.ask(sql, life.run_id, str(life.seq // 2)))

    # ---- a life ------------------------------------------------------------------------------

    def _append(self, life: Life, count: int, then: Callable[[], None]) -> None:
        self._connected(partial(self._append_now, life, count, then))

    def _append_now(self, life: Life, count: int, then: Callable[[], None]) -> None:
        is_answer = life.seq % 2 == 1 and life.script.steps[life.seq // 2].kind == "person"
        took = [str(life.seq // 2)] if is_answer else []
        if not self._try(life, Append(life.run_id, life.epoch, life.seq, [_ENTRY] * count, took)):
            return
        self._world.truth.appended(life.run_id, self.owner, life.epoch, life.seq, count)
        life.seq += count
        self._connected(then)

    def _try(self, life: Life, write: Write[Any]) -> bool:
        """Whether a write was made: if the run is another's, this worker is done with it."""
        try:
            self._write(write)
        except (Fenced, UnknownRun):
            self._world.refused += 1
            self._forget(life)
            return False
        return True

    def _forget(self, life: Life) -> None:
        if self._lives.pop((life.run_id, life.epoch), None) is not None:
            self._after(0, self.look)

    def _ask(self, life: Life) -> None:
        if life.seq == life.script.poisoned_at:
            self._poisoned()
            return
        step = life.script.steps[life.seq // 2]
        if step.kind == "agent":
            whose = (life.run_id, self.owner, life.epoch, life.seq)
            self._world.truth.asked(*whose, is_late=self._is_late)
            self._after(step.takes_ms, partial(self._answered, life))
            return
        if step.kind == "person":
            self._world.waits_for_a_person(life.run_id, str(life.seq // 2), step.takes_ms)
        self._connected(partial(self._sleep, life, step.takes_ms if step.kind == "sleep" else None))

    def _poisoned(self) -> None:
        self.dies(notices_ms=0)
        self._world.events.after(1_000, self.start)

    def _sleep(self, life: Life, takes_ms: int | None) -> None:
        world = self._world
        wake_at = None if takes_ms is None else world.events.now + takes_ms
        write = FallAsleep(life.run_id, life.epoch, wake_at)
        if not self._try(life, write):
            return
        if not write.value:
            world.truth.wrote(life.run_id, self.owner, life.epoch)
            self._answered(life)
            return
        world.truth.left(life.run_id, self.owner, life.epoch, world.events.now + (takes_ms or 0))
        self._forget(life)

    def _answered(self, life: Life) -> None:
        if (life.run_id, life.epoch) not in self._lives:
            return
        is_last = life.seq // 2 + 1 == len(life.script.steps)
        then = partial(self._end, life) if is_last else partial(self._ask, life)
        self._append(life, 1 if is_last else 2, then)

    def _end(self, life: Life) -> None:
        write = Leave(life.run_id, life.epoch, "ended", "completed", _COMPLETED)
        if not self._try(life, write):
            return
        world = self._world
        world.truth.ends(life.run_id, self.owner, life.epoch, "completed")
        self._write(Charge(life.tenant, life.script.cpu_seconds, life.script.cost_usd))
        bill = world.truth.bill(life.tenant, world.events.now)
        bill.cpu_seconds += life.script.cpu_seconds
        bill.cost_usd += life.script.cost_usd
        world.is_ended(life.run_id)
        self._forget(life)

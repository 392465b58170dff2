"""A run that only waits for the clock needs no process: when that is worth it, and how the run is left.

To wake a run its workflow is carried out again from its journal, which costs the CPU that it has used by now.
So a run falls asleep only where the wait that is left is long, and long beside that.

A run that waits for agents at work cannot be left, but its children can be ended meanwhile (`naps`): to bring
them back costs the same, and how long they will have nothing to do is not known. So it must have been long by
then.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

import trio

from flowcage.host.outcome.errors import RunError
from flowcage.host.process.allowance import Allowance
from flowcage.host.run.arguments import require_type
from flowcage.host.run.core.fold import Core
from flowcage.host.run.core.rest import rests_until, waits_for_handlers
from flowcage.host.run.naps.naps import Napping
from flowcage.host.run.node import Node
from flowcage.host.run.past.past import Past


class Hibernation(NamedTuple):
    """When a run of a store falls asleep.

    Attributes:
        idle_seconds: how long nothing must have happened to it.
        min_wait_seconds: how long it must have to wait then, at least.
        cpu_factor: and how many times as long as the CPU that its children have used.
        nap_seconds: how long nothing must have happened to a run whose agents are at work, until its children
            are ended; `cpu_factor` holds here, too. None for never.
    """

    idle_seconds: float = 5.0
    min_wait_seconds: float = 10.0
    cpu_factor: float = 100.0
    nap_seconds: float | None = 5.0


DEFAULT = Hibernation()
# Of a host that is being drained: what another one brings back is not charged to this one.
AT_ONCE = Hibernation(0.0, 1.0, 0.0, None)
# Between two looks at a run that cannot fall asleep, however short `idle_seconds` is.
_SHORTEST_PAUSE_SECONDS = 0.1


class FallsAsleep(RunError):
    """The children of a run are ended although it is not over; whoever keeps it puts it to sleep.

    Attributes:
        until: when the first of its waits is over, on the core's clock.
    """

    child_alive = True

    def __init__(self, until: float) -> None:
        super().__init__("the run falls asleep")
        self.until = until


class Resting(Protocol):
    """What is asked of the run; a driver has it."""

    core: Core
    past: Past | None
    allowance: Allowance
    nodes: dict[str, Node]
    napping: Napping
    fed_at: float

    @property
    def seconds(self) -> float: ...

    @property
    def asks_handler(self) -> bool: ...

    def alarm(self, at: float, callback: Callable[[], None]) -> None: ...

    def fall_asleep(self, until: float) -> None: ...


class Idleness:
    """Looks, in a run that waits, whether it may fall asleep or nap, and has it do so.

    Args:
        policy: when it may; None for never.
        run: that waits.
    """

    def __init__(self, policy: Hibernation | None, run: Resting) -> None:
        self._policy = policy
        self._run = run
        self._is_looking = False

    def begin(self) -> None:
        """The run waits for something: look from now on."""
        if self._policy is not None and not self._is_looking:
            self._is_looking = True
            self._run.alarm(trio.current_time() + _pause(self._policy), self._look)

    def hasten(self) -> None:
        """Have the run fall asleep as soon as it only waits, if it ever may."""
        if self._policy is not None:
            self._policy = AT_ONCE
            if self._is_looking:
                self._run.alarm(trio.current_time(), self._look)

    def _look(self) -> None:
        policy = self._policy
        assert policy is not None
        again, now = self._run.fed_at + _pause(policy), trio.current_time()
        if again <= now:
            until, idle = self._rests_until(), now - self._run.fed_at
            if until is None or idle < policy.idle_seconds:
                self._nap(policy, idle)
            elif self._is_worth_it(policy, until - self._run.seconds):
                self._run.fall_asleep(until)
                return
            again = now + max(_pause(policy), _SHORTEST_PAUSE_SECONDS)
        self._run.alarm(again, self._look)

    def _nap(self, policy: Hibernation, idle: float) -> None:
        """End the children of a run whose handlers are at work, if that is worth it."""
        run = self._run
        if policy.nap_seconds is None or (run.past is not None and run.past.behind):
            return
        enough = max(policy.nap_seconds, policy.cpu_factor * run.allowance.used_cpu_seconds)
        if idle >= enough and waits_for_handlers(run.core.tree):
            run.napping.begin(run.core.tree, run.nodes)

    def _rests_until(self) -> float | None:
        """When the first of its waits is over; None where something goes on, or is not done again yet."""
        past = self._run.past
        is_busy = self._run.asks_handler or (past is not None and past.behind)
        return None if is_busy else rests_until(self._run.core.tree)

    def _is_worth_it(self, policy: Hibernation, left: float) -> bool:
        enough = max(policy.min_wait_seconds, policy.cpu_factor * self._run.allowance.used_cpu_seconds)
        return left >= enough


def _pause(policy: Hibernation) -> float:
    if policy.nap_seconds is None:
        return policy.idle_seconds
    return min(policy.idle_seconds, policy.nap_seconds)


def require_hibernation(given: object) -> None:
    """Check a policy.

    Raises:
        TypeError, ValueError: it is none, or one of its numbers is impossible.
    """
    require_type("hibernation", given, Hibernation)
    assert isinstance(given, Hibernation)
    for name, value in given._asdict().items():
        if name == "nap_seconds" and value is None:
            continue
        if type(value) not in (int, float) or not 0 <= value < math.inf:
            raise ValueError(f"hibernation: {name} must be a finite number, 0 or more, not {value!r}")

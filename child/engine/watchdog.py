"""The watchdog: the clock that stops JavaScript, by the CPU of a step and of the run, and a step's wall time.

Who calls it: `Runtime.must_stop`, each time the engine polls (every 10,000 branches or calls);
`Realm.run_jobs`, between jobs; the parser of a workflow's source, through `Bounds`; and the sandbox after
each call into the engine that can have dropped an interruption. A step is one message that compiles or runs
JavaScript, or settles a request; it is the block of `step`. Natives that never poll are not stopped here, but
by the host's clock and RLIMIT_CPU.

A step is charged the CPU time of this process, not the wall time: on a busy machine an honest step takes
longer by the wall, but no more CPU. The wall bound, `STEP_WALL_FACTOR` times as long, ends a step that gets
hardly any CPU.

Invariants, with their tests in `tests/child/test_watchdog.py` where there is one:

- The first limit that is reached stays: JavaScript can swallow the engine's interruption in a promise, but
  every later `expired` and `check` reports it again (`test_a_watchdog_that_has_tripped_stays_tripped` in
  test_engine.py).
- Between two steps nothing expires: code of the child runs there and must not be cut short. `expired` tests
  this first; behind the other tests, a watchdog that has tripped would stop the code that reports the
  failure.
- What passes between two steps is charged to neither (`test_what_passed_between_two_steps_is_not_charged`).
- The process's CPU is read only when a limit could be reached. It is a system call, and the wall clock is
  not. One thread cannot use more CPU than wall time, so `_next_reading` can compute the earliest moment
  (`test_a_loop_is_asked_about_by_the_wall_clock_and_its_cpu_is_read_when_it_could_be_used_up`).
- By the same rule a step that begins shortly after a reading needs none of its own: its CPU at the start is
  known to within the wall time that has passed. Where that is more than a thousandth of the step's limit, the
  CPU is read. So a step may get that thousandth too much, and never too little
  (`test_steps_in_quick_succession_share_a_reading_and_none_is_cut_short`). `cpu_seconds` is exact: it is
  compared with readings only.
- `cpu_seconds` counts from the watchdog's construction. `Realm.adopt` builds a new one after a fork, where
  the CPU time of the process begins at 0 again.
"""

from __future__ import annotations

from math import inf
from time import monotonic, process_time

from flowcage.child.engine.errors import Interrupted
from flowcage.protocol.errors import TIMEOUT
from flowcage.protocol.limits import STEP_WALL_FACTOR


class Watchdog:
    """The limits of one run's time.

    Args:
        step_timeout_ms: CPU time for one step, in milliseconds; `STEP_WALL_FACTOR` times as much wall time
            ends the step, too.
        cpu_seconds: CPU time of this process from now on, in seconds.
    """

    def __init__(self, step_timeout_ms: int, cpu_seconds: int) -> None:
        self._step_timeout_ms = step_timeout_ms
        self._cpu_seconds = cpu_seconds
        self._used, self._read_at = process_time(), monotonic()
        self._cpu_end = self._used + cpu_seconds
        self._step_cpu_end = 0.0
        self._step_wall_end = 0.0
        # When the CPU is read next. Between steps never; at once where a limit was reached.
        self._due_at = inf
        self._tripped: Interrupted | None = None
        self._step = _Step(self)

    def step(self) -> _Step:
        """Charge what runs inside the block, with a fresh allowance for the step; blocks are not nested."""
        return self._step

    def begin_step(self) -> None:
        """Begin what `step` is the block of."""
        now, limit = monotonic(), self._step_timeout_ms / 1000
        if now - self._read_at > limit / 1000:
            self._used, self._read_at = process_time(), now
        most = self._used + now - self._read_at
        self._step_cpu_end = most + limit
        self._step_wall_end = now + STEP_WALL_FACTOR * limit
        self._due_at = self._next_reading(most, now)

    def end_step(self) -> None:
        """End it."""
        self._due_at = inf

    def expired(self) -> bool:
        """Whether a limit was reached, in this step or an earlier one; False outside of a step."""
        return monotonic() >= self._due_at and self._is_over()

    def check(self) -> None:
        """Raise `Interrupted` where `expired`."""
        if monotonic() >= self._due_at and self._is_over():
            assert self._tripped is not None
            raise self._tripped

    def _is_over(self) -> bool:
        if self._tripped is None:
            self._used, self._read_at = process_time(), monotonic()
            self._tripped = self._limit_reached(self._used, self._read_at)
            self._due_at = self._next_reading(self._used, self._read_at)
        return self._tripped is not None

    def _next_reading(self, used: float, now: float) -> float:
        if self._tripped is not None:
            return -inf
        # The moment at which the first of the limits could be reached, if all time until then were CPU time.
        return min(now + self._step_cpu_end - used, now + self._cpu_end - used, self._step_wall_end)

    def _limit_reached(self, used: float, now: float) -> Interrupted | None:
        limit = f"stepTimeoutMs ({self._step_timeout_ms} ms)"
        if used >= self._step_cpu_end:
            return Interrupted(TIMEOUT, f"a step used more CPU than {limit}")
        if used >= self._cpu_end:
            return Interrupted(TIMEOUT, f"the run used more CPU than cpuSeconds ({self._cpu_seconds} s)")
        if now >= self._step_wall_end:
            return Interrupted(
                TIMEOUT, f"a step took longer than {STEP_WALL_FACTOR} times {limit} by the wall clock"
            )
        return None


class _Step:
    """The block of one step. There is one object, because a step is begun for each message."""

    __slots__ = ("_watchdog",)

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog

    def __enter__(self) -> None:
        self._watchdog.begin_step()

    def __exit__(self, *_: object) -> None:
        self._watchdog.end_step()

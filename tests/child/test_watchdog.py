"""When a step is over: by CPU, however busy the machine is, and by the wall clock in the end."""

from __future__ import annotations

import pytest

from flowcage.child.engine import watchdog as clocks
from flowcage.child.engine.errors import Interrupted
from flowcage.child.engine.watchdog import Watchdog
from flowcage.protocol.limits import STEP_WALL_FACTOR

from .child_process import ChildProcess, Refused

STEP_MS = 1000


class Clocks:
    """Both clocks, set by hand; counts the readings of the one that is a system call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.cpu, self.cpu_readings = 5000.0, 7.0, 0
        monkeypatch.setattr(clocks, "monotonic", lambda: self.wall)
        monkeypatch.setattr(clocks, "process_time", self._read_cpu)

    def _read_cpu(self) -> float:
        self.cpu_readings += 1
        return self.cpu

    def pass_by(self, seconds: float, share: float = 1.0) -> None:
        """Let time pass in which this process has a share of a core."""
        self.wall += seconds
        self.cpu += seconds * share


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


@pytest.mark.parametrize(
    ("share", "seconds", "limit"),
    [
        (1.0, 1.0, "a step used more CPU than stepTimeoutMs"),
        (0.5, 2.0, "a step used more CPU than stepTimeoutMs"),
        (0.3, 1 / 0.3, "a step used more CPU than stepTimeoutMs"),
        (0.05, 10.0, f"a step took longer than {STEP_WALL_FACTOR} times stepTimeoutMs"),
        (0.0, 10.0, f"a step took longer than {STEP_WALL_FACTOR} times stepTimeoutMs"),
    ],
)
def test_a_step_ends_when_its_cpu_is_used_up_and_at_last_by_the_wall(
    hands: Clocks, share: float, seconds: float, limit: str
) -> None:
    watchdog = Watchdog(STEP_MS, cpu_seconds=60)
    with watchdog.step():
        passed = 0.0
        while passed + 0.05 < seconds:
            hands.pass_by(0.05, share)
            passed += 0.05
            assert not watchdog.expired(), passed
        hands.pass_by(0.1, share)
        with pytest.raises(Interrupted, match=limit):
            watchdog.check()


def test_the_cpu_of_all_steps_together_is_bounded_too(hands: Clocks) -> None:
    watchdog = Watchdog(STEP_MS, cpu_seconds=2)
    for _ in range(2):
        with watchdog.step():
            hands.pass_by(0.9)
            assert not watchdog.expired()
        hands.pass_by(100, share=0.0)  # it waits for its host
    with watchdog.step():
        hands.pass_by(0.3)
        with pytest.raises(Interrupted, match="cpuSeconds"):
            watchdog.check()


def test_what_passed_between_two_steps_is_not_charged(hands: Clocks) -> None:
    watchdog = Watchdog(STEP_MS, cpu_seconds=60)
    for _ in range(5):
        with watchdog.step():
            hands.pass_by(0.9)
            watchdog.check()
        hands.pass_by(0.9)
        assert not watchdog.expired()


def test_a_loop_is_asked_about_by_the_wall_clock_and_its_cpu_is_read_when_it_could_be_used_up(
    hands: Clocks,
) -> None:
    watchdog = Watchdog(STEP_MS, cpu_seconds=60)
    with watchdog.step():
        before = hands.cpu_readings
        for _ in range(10_000):
            hands.pass_by(0.00009)
            assert not watchdog.expired()
        assert hands.cpu_readings == before


def test_steps_in_quick_succession_share_a_reading_and_none_is_cut_short(hands: Clocks) -> None:
    watchdog = Watchdog(STEP_MS, cpu_seconds=60)
    before = hands.cpu_readings
    for _ in range(1_000):
        with watchdog.step():
            hands.pass_by(0.00002)
            assert not watchdog.expired()
        hands.pass_by(0.00002)
    assert hands.cpu_readings - before < 50
    with watchdog.step():
        hands.pass_by(STEP_MS / 1000 - 0.00001)
        assert not watchdog.expired()
        hands.pass_by(0.00001 + STEP_MS / 1_000_000)
        assert watchdog.expired()


def test_a_step_of_a_process_that_waited_is_not_charged_for_the_wait(hands: Clocks) -> None:
    watchdog = Watchdog(STEP_MS, cpu_seconds=60)
    hands.pass_by(0.9 * STEP_MS / 1_000_000, share=0.0)  # so short that nothing is read
    with watchdog.step():
        hands.pass_by(STEP_MS / 1000)
        assert not watchdog.expired()
        hands.pass_by(STEP_MS / 1_000_000)
        assert watchdog.expired()


@pytest.mark.parametrize("method", ["start", "check"])
@pytest.mark.parametrize(
    "source",
    [
        "export default 1;" + "[1, 2, 3];\n" * 9000,
        "return 1;" + "[1, 2, 3];\n" * 9000,
        "[1, 2, 3];\n" * 9000 + "export default (;",
    ],
    ids=["module", "script", "syntax error"],
)
def test_compiling_that_takes_longer_than_a_step_is_a_timeout(
    child: ChildProcess, source: str, method: str
) -> None:
    child.initialize(stepTimeoutMs=1)
    with pytest.raises(Refused) as caught:
        child.request(method, source=source)
    assert caught.value.kind == "timeout"
    assert "stepTimeoutMs (1 ms)" in caught.value.message


def test_a_start_that_took_too_long_is_a_failed_run(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=1)
    with pytest.raises(Refused):
        child.start("export default 1;" + "[1, 2, 3];\n" * 9000)
    assert child.failure().kind == "timeout"

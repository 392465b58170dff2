"""Memory: what a run is charged, when one more fits, and what the machine tells."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from flowcage.host.process import machine_memory
from flowcage.host.tenants.memory_budget import MemoryBudget
from flowcage.protocol.limits import MIB


class Readings:
    """Figures that a test sets."""

    def __init__(self) -> None:
        self.available = 1_000 * MIB
        self.private: dict[int, int] = {}
        self.failing = False

    def read_available(self) -> int:
        if self.failing:
            raise OSError("no descriptor is left")
        return self.available

    def read_private(self, pid: int) -> int:
        if self.failing:
            raise OSError("no descriptor is left")
        return self.private.get(pid, 0)

    def budget(self, budget_mib: int = 100, floor_mib: int = 0) -> MemoryBudget:
        return MemoryBudget(
            budget_mib * MIB,
            floor_mib * MIB,
            4 * MIB,
            available=self.read_available,
            private=self.read_private,
        )


def sample(memory: MemoryBudget) -> None:
    for _ in memory.sample():
        pass


def fill(memory: MemoryBudget) -> int:
    """Admit runs until there is no more room."""
    count = 0
    while memory.has_room():
        memory.admit()
        count += 1
    return count


def test_runs_are_admitted_while_their_expected_sizes_fit_the_budget() -> None:
    assert fill(Readings().budget(budget_mib=41)) == 10


def test_runs_are_admitted_while_the_machine_keeps_its_floor() -> None:
    readings = Readings()
    readings.available = 60 * MIB
    memory = readings.budget(floor_mib=40)
    assert fill(memory) == 5
    sample(memory)  # those five have not touched their memory yet
    assert fill(memory) == 5
    readings.available = 43 * MIB
    sample(memory)
    assert not memory.has_room()


def test_a_run_that_ends_before_it_was_seen_gives_back_what_it_took() -> None:
    readings = Readings()
    memory = readings.budget()
    charge = memory.admit()
    assert memory.available_bytes == readings.available - 4 * MIB
    memory.release(charge)
    assert (memory.available_bytes, memory.charged_bytes) == (readings.available, 0)


def test_a_run_that_ends_after_it_was_seen_is_believed_gone_only_by_the_next_reading() -> None:
    readings = Readings()
    memory = readings.budget()
    charge = memory.admit()
    readings.available -= 10 * MIB
    sample(memory)
    memory.release(charge)
    assert memory.available_bytes == readings.available


def test_a_run_is_charged_what_it_measures_once_that_is_more_than_expected() -> None:
    readings = Readings()
    memory = readings.budget()
    charge = memory.admit()
    with charge.process(7):
        for private, charged in ((MIB, 4), (30 * MIB, 30), (6 * MIB, 6)):
            readings.private[7] = private
            sample(memory)
            assert memory.charged_bytes == charge.bytes == charged * MIB
    assert memory.charged_bytes == 4 * MIB


def test_a_run_with_child_workflows_is_charged_all_its_processes() -> None:
    readings = Readings()
    memory = readings.budget()
    charge = memory.admit()
    readings.private = {7: 10 * MIB, 8: 20 * MIB}
    with charge.process(7):
        with charge.process(8):
            sample(memory)
            assert memory.charged_bytes == 30 * MIB
        assert memory.charged_bytes == 10 * MIB
    memory.release(charge)
    assert memory.charged_bytes == 0


def test_a_run_released_while_its_process_is_still_measured_is_charged_nothing() -> None:
    readings = Readings()
    memory = readings.budget()
    charge = memory.admit()
    readings.private[7] = 30 * MIB
    with charge.process(7):
        sample(memory)
        memory.release(charge)
        assert memory.charged_bytes == 0
    assert memory.charged_bytes == 0


def test_pages_shared_with_a_zygote_are_not_charged_to_each_fork() -> None:
    readings = Readings()
    memory = readings.budget()
    charge = memory.admit()
    with charge.process(7, inherited_bytes=12 * MIB):
        readings.private[7] = 12 * MIB
        sample(memory)
        assert memory.charged_bytes == 4 * MIB
        readings.private[7] = 22 * MIB
        sample(memory)
        assert memory.charged_bytes == 14 * MIB


def test_when_nothing_can_be_read_the_last_figures_stand() -> None:
    readings = Readings()
    memory = readings.budget()
    charge = memory.admit()
    readings.private[7] = 30 * MIB
    with charge.process(7):
        sample(memory)
        before = (memory.charged_bytes, memory.available_bytes)
        readings.failing = True
        sample(memory)
        assert (memory.charged_bytes, memory.available_bytes) == before


def test_measuring_a_thousand_runs_pauses_for_other_tasks_and_survives_what_ends_meanwhile() -> None:
    readings = Readings()
    memory = readings.budget(budget_mib=10_000)
    charges = [memory.admit() for _ in range(1_000)]
    pauses = 0
    for _ in memory.sample():
        pauses += 1
        memory.release(charges.pop())
    assert pauses == 10
    assert memory.charged_bytes == 990 * 4 * MIB


@pytest.mark.parametrize(
    ("sizes", "named"),
    [
        ({"budget_bytes": MIB}, "budget_bytes"),
        ({"floor_bytes": -1}, "floor_bytes"),
        ({"expected_run_bytes": 0}, "expected_run_bytes"),
    ],
)
def test_an_absurd_size_is_refused_by_its_name(sizes: dict[str, int], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        MemoryBudget(**sizes)  # type: ignore[arg-type]


def test_by_default_the_budget_and_the_floor_come_from_the_machine() -> None:
    memory = MemoryBudget()
    total = machine_memory.total_bytes()
    assert 0 < total <= psutil.virtual_memory().total
    assert memory.budget_bytes == total * 3 // 4
    assert memory.floor_bytes == total // 20
    assert 0 < memory.available_bytes <= total


def test_a_real_process_is_measured_and_one_that_is_gone_holds_nothing() -> None:
    hold = "held = b'x' * (50 << 20); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        assert 50 * MIB <= machine_memory.private_bytes(process.pid) < 80 * MIB
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert machine_memory.private_bytes(process.pid) == 0  # a zombie
    assert machine_memory.private_bytes(process.pid) == 0


@pytest.fixture
def cgroups(tmp_path: Path) -> tuple[Path, Path]:
    """A cgroup of 100 MiB inside one of 80 MiB inside one without a limit."""
    root, own = tmp_path / "cgroup", tmp_path / "own"
    inner = root / "slice" / "service"
    inner.mkdir(parents=True)
    (root / "memory.max").write_text("max\n")
    (inner.parent / "memory.max").write_text(f"{80 * MIB}\n")
    (inner.parent / "memory.current").write_text(f"{50 * MIB}\n")
    (inner.parent / "memory.stat").write_text(f"anon 5\ninactive_file {10 * MIB}\nactive_file 7\n")
    (inner / "memory.max").write_text(f"{100 * MIB}\n")
    (inner / "memory.current").write_text(f"{MIB}\n")
    own.write_text("4:memory:/elsewhere\n0::/slice/service\n")
    return root, own


def test_the_tightest_cgroup_bounds_what_there_is(cgroups: tuple[Path, Path]) -> None:
    assert machine_memory.total_bytes(*cgroups) == 80 * MIB


def test_page_cache_of_a_cgroup_counts_as_available(cgroups: tuple[Path, Path]) -> None:
    assert machine_memory.available_bytes(*cgroups) == 40 * MIB


def test_without_cgroups_the_machine_alone_counts(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert machine_memory.total_bytes(nowhere, nowhere) == psutil.virtual_memory().total

"""The goals, beside what bench/host.py has measured: ratios of one session where they can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tables.interpreters import Interpreter
from tables.markdown import Measured, table
from tables.rows import REQUESTS_AT_ONCE, RUNS_AT_ONCE

# The rows below are measured by other scripts, which print whether they are reached.
ELSEWHERE = [
    ["kill: deadline to reaped, p99", "under 20 ms for each attack", "`bench/kill.py`", ""],
    ["compute beside quickjs-ng", "at most 1.05 times", "`bench/compute.py`", ""],
    ["soak of 50,000 runs", "0 wrong, 0 left, memory within 2 %", "`bench/many/soak.py`", ""],
    ["exec to the answer to `initialize`", "at most 30 ms", "`bench/spawn.py`", ""],
]


class Goal(NamedTuple):
    """A goal: what is compared, its limit, that on 3.11 where it differs, and what the figure consists of."""

    name: str
    figure: Callable[[Measured, str], float | None]
    limit: float
    limit_on_311: float | None = None
    is_least: bool = False
    made_of: str = ""


def _ratio(row: str, peer: str, *, inverse: bool = False) -> Callable[[Measured, str], float | None]:
    def figure(measured: Measured, python: str) -> float | None:
        own, other = measured.find(row, python, "host"), measured.find(row, python, peer)
        if own is None or other is None:
            return None
        return other.median() / own.median() if inverse else own.median() / other.median()

    return figure


def _own(row: str) -> Callable[[Measured, str], float | None]:
    def figure(measured: Measured, python: str) -> float | None:
        record = measured.find(row, python, "host")
        return record.median() if record else None

    return figure


def _growth(first: str, last: str) -> Callable[[Measured, str], float | None]:
    def figure(measured: Measured, python: str) -> float | None:
        ends = [measured.find(row, python, "host") for row in (first, last)]
        sums = [each.median("host") + each.median("children") for each in ends if each]
        return sums[1] / sums[0] if len(sums) == 2 else None

    return figure


_TRIVIAL, _STEADY = "a trivial run", "runs a second, steady"
_FEW, _MOST = REQUESTS_AT_ONCE[1], REQUESTS_AT_ONCE[-1]
_STARTED = "runs a second, start and end included"
# Why a goal is missed: what the figure consists of, as bench/parts.py measures it.
_OF_A_RUN = "fork, page faults and Python of the child; trio in the host"
_OF_A_TRIP = "Python of host and child, with cold caches; two turns of trio"
_OF_MEMORY = "pages that hold reference counts"
GOALS = [
    Goal("trivial run / monty's", _ratio(_TRIVIAL, "monty"), 0.75, 0.85, made_of=_OF_A_RUN),
    Goal(
        "node's / trivial run", _ratio(_TRIVIAL, "node", inverse=True), 30, is_least=True, made_of=_OF_A_RUN
    ),
    Goal("deno's / trivial run", _ratio(_TRIVIAL, "deno", inverse=True), 7, is_least=True, made_of=_OF_A_RUN),
    Goal(
        "runs a second with the start / monty's",
        _ratio(_STARTED, "monty"),
        1.1,
        1.0,
        is_least=True,
        made_of=_OF_A_RUN,
    ),
    Goal(
        "runs a second, steady / monty's",
        _ratio(_STEADY, "monty"),
        1.2,
        1.0,
        is_least=True,
        made_of=_OF_A_RUN,
    ),
    Goal(
        "round trip on one core / monty's",
        _ratio("round trip on 1 core", "monty"),
        0.95,
        0.85,
        made_of=_OF_A_TRIP,
    ),
    Goal(
        "round trip on two cores / monty's",
        _ratio("round trip on 2 cores", "monty"),
        0.75,
        0.75,
        made_of=_OF_A_TRIP,
    ),
    Goal("memory (PSS) of 50 waiting, MiB", _own("memory (PSS) of 50 waiting"), 0.9, 1.3, made_of=_OF_MEMORY),
    Goal(
        "memory (PSS) of 1,000 waiting, MiB",
        _own("memory (PSS) of 1,000 waiting"),
        0.65,
        1.3,
        made_of=_OF_MEMORY,
    ),
    Goal(
        "CPU of a run, all processes, ms", _own("CPU of a run, all processes"), 1.85, 2.3, made_of=_OF_A_RUN
    ),
    Goal(
        f"CPU a run, {RUNS_AT_ONCE[-1]:,} at once / {RUNS_AT_ONCE[0]} at once",
        _growth(f"{RUNS_AT_ONCE[0]} runs at once", f"{RUNS_AT_ONCE[-1]:,} runs at once"),
        1.5,
    ),
    Goal(
        f"CPU a request, {_MOST:,} outstanding / {_FEW}",
        _growth(f"{_FEW} requests outstanding", f"{_MOST:,} requests outstanding"),
        1.5,
    ),
]


def goals(measured: Measured, interpreter: Interpreter) -> str:
    """The table of goals for one interpreter, without those that were not measured."""
    rows = []
    for goal in GOALS:
        if (figure := goal.figure(measured, interpreter.version)) is None:
            continue
        is_311 = interpreter.version.startswith("3.11.")
        limit = goal.limit_on_311 if is_311 and goal.limit_on_311 is not None else goal.limit
        reached = figure >= limit if goal.is_least else figure <= limit
        bound = f"{'at least' if goal.is_least else 'at most'} {limit:g}"
        rows.append(
            [goal.name, bound, f"{figure:.2f}", "yes" if reached else "no", "" if reached else goal.made_of]
        )
    return table(
        ["goal", "bound", f"CPython {interpreter.version}", "reached", "why not"],
        rows + [[*each, ""] for each in ELSEWHERE],
    )

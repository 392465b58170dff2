"""What bench/host.py measures: rows, in groups whose contenders live at the same time."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

CORES = len(os.sched_getaffinity(0))
AT_ONCE = 4 * CORES
TRIPS = 900
RUNS_AT_ONCE = (10, 100, 300, 1000)
REQUESTS_AT_ONCE = (10, 100, 1000, 10_000)
# Contenders that are the same for each Python.
PER_MACHINE = ("node", "deno")


class Row(NamedTuple):
    """One figure.

    Attributes:
        name, unit: as in the table.
        contenders: who can be asked.
        question: for `side.serve`.
        share: of the rounds, where a batch takes long.
    """

    name: str
    unit: str
    contenders: tuple[str, ...]
    question: dict[str, Any]
    share: float = 1.0

    def rounds(self, rounds: int) -> int:
        """How many batches are measured."""
        return max(1, round(rounds * self.share))


class Group(NamedTuple):
    """Rows, the contenders of all, and the cores that they are bound to."""

    name: str
    contenders: tuple[str, ...]
    rows: list[Row]
    cores: int = CORES


_ALL = ("host", "zygote", "exec", "node", "deno", "monty")
_SLOW = ("node", "deno")
_BOTH = ("host", "monty")


def _question(method: str, **arguments: Any) -> dict[str, Any]:
    return {"do": method, **arguments}


GROUPS = [
    Group(
        "trivial runs",
        _ALL,
        [
            Row("a trivial run", "ms", _ALL, _question("latency", count=5, pause=0.03)),
            Row("CPU of a run, all processes", "ms", _BOTH, _question("cost", count=100)),
            Row("CPU of a run, all processes", "ms", _SLOW, _question("cost", count=5)),
            Row("runs a second, steady", "runs", _BOTH, _question("rate", count=240, at_once=AT_ONCE)),
            Row("runs a second, steady", "runs", _SLOW, _question("rate", count=20, at_once=CORES)),
            Row(
                "runs a second, start and end included",
                "runs",
                _BOTH,
                _question("rate_with_start", count=480, at_once=AT_ONCE),
                0.5,
            ),
        ],
    ),
    *(
        Group(
            f"round trips on {cores} core{'s' * (cores > 1)}",
            ("host", "monty", "ping-pong"),
            [
                Row(
                    f"round trip on {cores} core{'s' * (cores > 1)}",
                    "µs",
                    ("host", "monty", "ping-pong"),
                    _question("round_trip", count=TRIPS),
                )
            ],
            cores,
        )
        for cores in (1, 2)
    ),
    Group(
        "memory",
        ("host", "node", "deno", "monty"),
        [
            Row(
                "memory (PSS) of 50 waiting",
                "MiB",
                ("host", "node", "deno", "monty"),
                _question("memory", count=50),
                0,
            ),
            Row("memory (PSS) of 1,000 waiting", "MiB", ("host",), _question("memory", count=1000), 0),
        ],
    ),
    Group(
        "scaling",
        ("host",),
        [
            *(
                Row(f"{count:,} runs at once", "ms", ("host",), _question("waiting", count=count), 0.2)
                for count in RUNS_AT_ONCE
            ),
            *(
                Row(
                    f"{count:,} requests outstanding",
                    "µs",
                    ("host",),
                    _question("outstanding", count=count),
                    0.3,
                )
                for count in REQUESTS_AT_ONCE
            ),
        ],
    ),
]

"""Runs whose host, child, zygote or agent is killed at a place that is chosen by name, until they are done.

    python -m tests.resume.kills FOLDER KILLS SEED

Each life of a run is a fork of this process, which has everything loaded. What must hold after each life is
in `kills_judged`. Prints as JSON how often each place was hit, by victim, and the faults.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import trio

from . import kills_judged
from .kills_lives import POINTS, Strike, live

VICTIMS = ("host",) * 12 + ("child",) * 5 + ("zygote", "agent")
NTHS = (1, 1, 1, 1, 2, 2, 3, 5)
MOST_LIVES = 40  # of one run; the last is not struck
DEADLINE_S = 120


class Counts(NamedTuple):
    """What has happened.

    Attributes:
        kills: by victim and place.
        faults: what did not hold.
    """

    kills: Counter[str]
    faults: list[str]


def main(folder: Path, most: int, seed: int, *, mutate: Callable[[], None] = lambda: None) -> Counts:
    """Kill so often.

    Args:
        folder: of the stores.
        most: kills, or a few more.
        seed: of where they are.
        mutate: breaks the code of each life.
    """
    rng, counts, number = random.Random(seed), Counts(Counter(), []), 0
    points: list[str] = []
    while counts.kills.total() < most and not counts.faults:
        place = folder / f"run-{number}"
        place.mkdir()
        try:
            to_the_end(place, rng, points, counts.kills, mutate)
        except Exception as fault:
            counts.faults.append(f"seed {seed}, run {number}: {fault!r}\n{traceback.format_exc()[-1_500:]}")
        number += 1
    return counts


def to_the_end(
    folder: Path, rng: random.Random, points: list[str], kills: Counter[str], mutate: Callable[[], None]
) -> None:
    """Lives of one run, until it is done."""
    judge = kills_judged.Judge(folder)
    for number in range(1, MOST_LIVES + 1):
        if not points:
            points += rng.sample(POINTS, len(POINTS))
        strike = Strike(rng.choice(VICTIMS), points.pop(), rng.choice(NTHS))
        if number == MOST_LIVES:
            strike = strike._replace(nth=0)
        ended = forked(folder, number, strike, rng.randrange(2**32), mutate)
        if (folder / f"struck-{number}").exists():
            kills[f"{strike.victim} {strike.point}"] += 1
        if trio.run(judge.is_done, number, ended):
            return
    raise AssertionError("the run does not come to an end")


def forked(folder: Path, number: int, strike: Strike, seed: int, mutate: Callable[[], None]) -> int:
    """One life in a process of its own. How that ended: an exit status, negative for a signal."""
    if (child := os.fork()) == 0:
        status = 99
        try:
            signal.alarm(DEADLINE_S)
            with (folder / f"stderr-{number}").open("w") as stderr:
                os.dup2(stderr.fileno(), 2)
            mutate()
            status = live(folder, number, strike, seed)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    done = main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps(done._asdict()))

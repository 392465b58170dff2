"""The host's time in Python by room, from a profile of each call by cProfile."""

from __future__ import annotations

import cProfile
import pstats
import re
from collections import Counter
from functools import partial
from typing import Any

import trio
from profiles.workloads import WORKLOADS
from tables.markdown import table

_COUNTS = {"runs": 300, "trips": 3_000}
# The first that a file's path has is its room.
_ROOMS = (
    ("trio", re.compile(r"site-packages/(trio|outcome|attr|sortedcontainers|sniffio)|<attrs")),
    ("codec and contract", re.compile(r"flowcage/protocol/|process/(typed|codec|replies)")),
    ("core of the run", re.compile(r"flowcage/host/run/core")),
    ("driver and conversation", re.compile(r"flowcage/host/run/")),
    ("launchers, reserve", re.compile(r"process/launch")),
    ("channel, child, reaping", re.compile(r"flowcage/host/process/")),
    ("tenants, scheduler", re.compile(r"flowcage/host/tenants")),
    ("agents, events, outcome", re.compile(r"flowcage/host/")),
)
_BESIDES, _SYSTEM_CALLS = "Python's own library, the agent", "system calls"
_NO_PYTHON = re.compile(r"posix\.|getrusage|' of '(select\.|_socket\.)")


def rooms_of_the_host(count: int = 0) -> str:
    """A Markdown table: calls and shares, of a trivial run and of a round trip."""
    found = {name: _shares(name, count or _COUNTS[name]) for name in WORKLOADS}
    trips, _ = found["trips"]
    rooms = sorted({room for _, calls in found.values() for room in calls}, key=lambda room: -trips[room])
    rows = []
    for room in rooms:
        cells = []
        for times, calls in found.values():
            share = f"{times[room] / times.total():.0%}" if times[room] else ""
            cells += [share, f"{calls[room]:.0f}"]
        rows.append([room, *cells])
    rows.append(["in all", *(cell for _, calls in found.values() for cell in ("", f"{calls.total():.0f}"))])
    return table(["the host by room", "a run", "calls", "a round trip", "calls"], rows)


def _shares(name: str, count: int) -> tuple[Counter[str], Counter[str]]:
    """Seconds and calls of one of them by room; of system calls no seconds, since some wait."""
    profile = cProfile.Profile()
    mark = partial(_switch, profile)
    trio.run(WORKLOADS[name], count, mark)
    times, calls = Counter[str](), Counter[str]()
    statistics: Any = pstats.Stats(profile)
    for function, (_, number, own, _, callers) in statistics.stats.items():
        if function[0] != "~":
            _count(times, calls, _room(function[0]), own, number / count)
        elif _NO_PYTHON.search(function[2]):
            calls[_SYSTEM_CALLS] += number / count
        else:
            for caller, (_, part, part_own, _) in callers.items():
                _count(times, calls, _room(caller[0]), part_own, part / count)
    return times, calls


def _switch(profile: cProfile.Profile, begins: bool) -> None:
    if begins:
        profile.enable()
    else:
        profile.disable()


def _count(times: Counter[str], calls: Counter[str], room: str, seconds: float, number: float) -> None:
    times[room] += seconds  # type: ignore[assignment]  # a Counter may have any numbers
    calls[room] += number  # type: ignore[assignment]


def _room(path: str) -> str:
    return next((room for room, paths in _ROOMS if paths.search(path)), _BESIDES)

"""The child's own work, in one process and without a pipe: a run up to its first request, and a round trip.

python bench/child.py [batches]

By the messages that a host sends: those of the first version; `run` and `advance` the usual way; and with the
short cut. Times are CPU, minima of batches. The last columns are of a fork of this process that carries out
the run and waits: page faults, and the memory that it does not share. Where objects can be immortal, they
are. The fork has no cage, and is not a zygote's: its figures are to be compared with each other.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from flowcage.child import immortal
from flowcage.child.cage.highwater import HighWater
from flowcage.child.sandbox.realm import Realm
from flowcage.child.session import Session
from flowcage.protocol import envelope
from flowcage.protocol.limits import Limits
from flowcage.protocol.version import PROTOCOL_VERSION

RUNS = 20
TRIPS = 300
WAITING = "export default await agent('hello')"
LOOP = "for (;;) await agent('hello')"
BUDGET = {"total": None, "spent": 12}

Lines = Callable[[str], bytes]


class Way(NamedTuple):
    """How a host speaks: the lines of a run with a source, and those that answer a request."""

    name: str
    begin: Lines
    answer: Lines
    short_cut: bool


def start(source: str) -> bytes:
    """A run, in two lines that are written at once."""
    asked = {"source": source, "sourceName": "workflow.js", "budget": BUDGET}
    return envelope.request(1, "start", asked) + envelope.request(2, "drain", {})


def resolve(identifier: str) -> bytes:
    """An answer, in two lines that are written at once."""
    settlement = {"id": identifier, "resolution": {"type": "ok", "value": "hello", "budget": BUDGET}}
    return envelope.request(3, "resolve", settlement) + envelope.request(4, "drain", {})


def run(source: str) -> bytes:
    """A run, in one line."""
    return envelope.request(1, "run", {"source": source, "describe": True, "budget": BUDGET})


def advance(identifier: str) -> bytes:
    """An answer, in one line."""
    settlement = {"id": identifier, "resolution": {"type": "ok", "value": "hello", "budget": BUDGET}}
    return envelope.request(3, "advance", {"turns": [[settlement]]})


WAYS = [
    Way("start, resolve and drain", start, resolve, False),
    Way("run and advance", run, advance, False),
    Way("with the short cut", run, advance, True),
]


def new_session(short_cut: bool) -> Session:
    """One that stands behind `initialize`, with a realm."""
    session = Session.initialized(Limits(), HighWater(), Realm(Limits(), HighWater()), PROTOCOL_VERSION)
    session.takes_short_cuts = short_cut
    return session


def hear(session: Session, data: bytes) -> bytes:
    """What a session answers. Raises RuntimeError for an error."""
    answers = b"".join([reply.data for reply in session.receive(data)])
    if b'"error"' in answers or not answers:
        raise RuntimeError(answers)
    return answers


def time_runs(way: Way) -> float:
    """Seconds of CPU of a run, the mean of one batch."""
    sessions, data = [new_session(way.short_cut) for _ in range(RUNS)], way.begin(WAITING)
    began = time.process_time()
    for session in sessions:
        hear(session, data)
    return (time.process_time() - began) / RUNS


def time_round_trips(way: Way) -> float:
    """Seconds of CPU of a round trip, the mean of one batch."""
    session = new_session(way.short_cut)
    hear(session, way.begin(LOOP))
    answers = [way.answer(str(number)) for number in range(1, TRIPS + 1)]
    began = time.process_time()
    for answer in answers:
        hear(session, answer)
    return (time.process_time() - began) / TRIPS


def forked(way: Way) -> tuple[int, int]:
    """Page faults of a fork that has carried out a run, and KiB that it does not share."""
    session, data = new_session(way.short_cut), way.begin(WAITING)
    gc.collect()
    gc.freeze()
    if immortal.is_possible():
        for _ in immortal.immortalise():
            pass
    reading, writing = os.pipe()
    if os.fork() == 0:
        faults = partial(resource.getrusage, resource.RUSAGE_SELF)
        before = faults().ru_minflt
        hear(session, data)
        came = faults().ru_minflt - before
        with open("/proc/self/smaps_rollup", encoding="ascii") as file:
            private = sum(int(line.split()[1]) for line in file if line.startswith("Private_Dirty"))
        os.write(writing, b"%d %d" % (came, private))
        os._exit(0)
    os.wait()
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        came, private = map(int, pipe.read().split())
    return came, private


def main() -> None:
    """Print the table."""
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    rows = []
    for way in WAYS:
        gc.disable()
        begin = min(time_runs(way) for _ in range(batches))
        trip = min(time_round_trips(way) for _ in range(batches))
        rows.append((way.name, begin, trip))
    print(f"{'':<28}{'a run, µs':>12}{'a trip, µs':>12}{'faults':>8}{'KiB':>8}")
    for way, (name, begin, trip) in zip(WAYS, rows, strict=True):
        faults, private = forked(way)
        print(f"{name:<28}{begin * 1e6:>12.0f}{trip * 1e6:>12.1f}{faults:>8}{private:>8}", flush=True)


if __name__ == "__main__":
    main()

"""The clock of a server, as a host counts it on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from flowcage.host.durable.postgres.clock import ServerClock


class Times:
    """A server whose answers take their time, by a clock that a test moves.

    Attributes:
        counted: seconds of the host's own clock.
        server: milliseconds of the server's.
        way_seconds: how long an answer takes, half of it before the server looks.
        asked: how often it was.
    """

    def __init__(self) -> None:
        self.counted, self.server, self.way_seconds, self.asked = 100.0, 5_000_000, 0.0, 0

    def passes(self, seconds: float) -> None:
        self.counted += seconds
        self.server += round(seconds * 1000)

    def execute(self, _sql: str, _params: Sequence[Any] = ()) -> Any:
        self.asked += 1
        self.passes(self.way_seconds / 2)
        self._told = self.server
        self.passes(self.way_seconds / 2)
        return self

    def fetchone(self) -> tuple[int]:
        return (self._told,)


def made() -> tuple[Times, Any, ServerClock]:
    times = Times()
    db: Any = times
    return times, db, ServerClock(db, lambda: times.counted)


def test_it_counts_on_between_questions() -> None:
    times, _, clock = made()
    assert clock() == times.server
    times.passes(3_600)
    assert clock() == times.server
    assert times.asked == 1


def test_the_way_of_an_answer_is_taken_off() -> None:
    times, db, clock = made()
    times.passes(11)
    times.way_seconds = 0.4
    clock.refresh(db)
    assert clock() == times.server


@pytest.mark.parametrize(
    ("seconds", "way_seconds", "is_followed"),
    [(9, 0.0, False), (11, 0.0, True), (11, 0.5, True), (11, 0.6, False)],
)
def test_a_server_that_is_set_is_followed(seconds: float, way_seconds: float, is_followed: bool) -> None:
    """After some seconds; not by an answer of which it is unknown when it was right."""
    times, db, clock = made()
    times.passes(seconds)
    times.server -= 50_000
    times.way_seconds = way_seconds
    clock.refresh(db)
    assert clock() == times.server + (0 if is_followed else 50_000)

"""When somebody is told that a store takes nothing."""

from __future__ import annotations

from flowcage.host.durable.sql.committing.telling import Telling


def test_what_lasts_is_told_once_and_so_is_its_end() -> None:
    told: list[str | None] = []
    telling = Telling(told.append)

    telling.is_over()
    telling.has_lasted(1.9, "busy")
    telling.is_over()
    assert told == []

    for seconds in (0.1, 2.1, 300.0):
        telling.has_lasted(seconds, "disk full")
    assert told == ["disk full"]

    telling.is_over()
    telling.is_over()
    assert told == ["disk full", None]

    telling.has_lasted(2.1, "again")
    assert told == ["disk full", None, "again"]


def test_nobody_need_listen() -> None:
    telling = Telling(None)
    telling.has_lasted(3.0, "disk full")
    telling.is_over()

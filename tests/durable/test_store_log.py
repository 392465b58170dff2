"""What a log has of a store that takes nothing for a while, or any more."""

from __future__ import annotations

import pytest

from flowcage.host.durable.sql.committing.telling import Telling


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    records = [record for record in caplog.records if record.name == "flowcage.store"]
    return [(record.levelname, record.getMessage()) for record in records]


@pytest.mark.parametrize("tells_somebody", [True, False])
def test_trouble_that_lasts_is_told_once_and_its_end_too(
    caplog: pytest.LogCaptureFixture, tells_somebody: bool
) -> None:
    caplog.set_level("INFO", logger="flowcage")
    heard: list[str | None] = []
    telling = Telling(heard.append if tells_somebody else None)
    telling.has_lasted(0.5, "the disk is full")
    assert told(caplog) == []
    for seconds in (2.5, 3.5):
        telling.has_lasted(seconds, "the disk is full\nDETAIL: (key)=(secret)")
    telling.is_over()
    telling.is_over()
    assert told(caplog) == [
        ("WARNING", "the store cannot be written, and runs wait for it: the disk is full"),
        ("INFO", "the store can be written again"),
    ]
    assert heard == (["the disk is full\nDETAIL: (key)=(secret)", None] if tells_somebody else [])


def test_a_store_that_takes_nothing_any_more_is_an_error_once(caplog: pytest.LogCaptureFixture) -> None:
    telling = Telling(None)
    telling.is_broken("another host has it")
    telling.is_broken("it was closed")
    assert told(caplog) == [("ERROR", "the store takes nothing any more: another host has it")]

"""What workers tell of themselves, as a stranger or a later version may have written it."""

from __future__ import annotations

import json

import pytest

from flowcage.host.durable.queue.records import WorkerInfo
from flowcage.host.durable.sql.queue.views import info_of

INFO = WorkerInfo("w", ("", "gpu"), 4, "m", "1.0", ("m",), True)


def test_what_a_later_version_tells_besides_is_left_out() -> None:
    assert info_of(json.dumps({**INFO._asdict(), "later": 1})) == INFO


@pytest.mark.parametrize(
    "text",
    [
        *("not json", "[]", "{}", "null", "NaN", "[" * 100_000),
        *(json.dumps({**INFO._asdict(), name: False}) for name in ("name", "pools", "slots")),
        *(json.dumps({**INFO._asdict(), name: 5}) for name in ("mark", "marks", "version", "is_draining")),
        json.dumps({**INFO._asdict(), "pools": [1]}),
    ],
)
def test_what_is_damaged_is_none(text: str) -> None:
    assert info_of(text) is None

"""``options.retry`` and ``options.timeoutMs``, which any workflow may set to anything."""

from __future__ import annotations

import math
from typing import Any

import pytest

from flowcage.host.run.core.agents.terms import Terms, terms_of

LONGEST = 60_000
ATTEMPTS = "options.retry.maxAttempts must be a number from 1 to 10"


@pytest.mark.parametrize(
    ("options", "attempts", "backoff_ms", "timeout_ms"),
    [
        ({}, 1, 0, math.inf),
        ({"retry": None, "timeoutMs": None}, 1, 0, math.inf),
        ({"retry": {}}, 1, 0, math.inf),
        ({"retry": {"backoffMs": 5}}, 1, 5, math.inf),
        ({"retry": {"maxAttempts": 10, "backoffMs": LONGEST}, "timeoutMs": LONGEST}, 10, LONGEST, LONGEST),
        ({"retry": {"maxAttempts": 3.0, "backoffMs": 0.5}, "timeoutMs": 1.5}, 3, 0.5, 1.5),
    ],
)
def test_terms_are_read(options: Any, attempts: int, backoff_ms: float, timeout_ms: float) -> None:
    assert terms_of(options, LONGEST) == Terms(attempts, backoff_ms, timeout_ms, LONGEST)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"retry": 3}, "options.retry must be an object"),
        ({"retry": [3]}, "options.retry must be an object"),
        ({"retry": {"attempts": 3}}, "options.retry has no member 'attempts'"),
        ({"retry": {"maxAttempts": 0}}, f"{ATTEMPTS}, not 0"),
        ({"retry": {"maxAttempts": 11}}, f"{ATTEMPTS}, not 11"),
        ({"retry": {"maxAttempts": 2.5}}, "options.retry.maxAttempts must be a whole number, not 2.5"),
        (
            {"retry": {"maxAttempts": "3"}},
            f"{ATTEMPTS}, not a str",
        ),
        (
            {"retry": {"maxAttempts": True}},
            f"{ATTEMPTS}, not True",
        ),
        ({"retry": {"backoffMs": -1}}, "options.retry.backoffMs must be a number from 0 to"),
        ({"retry": {"backoffMs": 1e300}}, "options.retry.backoffMs must be a number from 0 to"),
        ({"retry": {"backoffMs": math.nan}}, "options.retry.backoffMs must be a number from 0 to"),
        ({"timeoutMs": 0}, "options.timeoutMs must be a number from 1 to"),
        ({"timeoutMs": {}}, "options.timeoutMs must be a number from 1 to"),
    ],
)
def test_terms_that_make_no_sense_are_refused_by_name(options: Any, said: str) -> None:
    with pytest.raises(ValueError, match="options") as caught:
        terms_of(options, LONGEST)
    assert str(caught.value).startswith(said)


def test_the_backoff_doubles_up_to_the_longest_wait() -> None:
    terms = Terms(max_attempts=10, backoff_ms=100, max_wait_ms=500)
    assert [terms.backoff_seconds(attempt) for attempt in (1, 2, 3, 4, 9)] == [0.1, 0.2, 0.4, 0.5, 0.5]

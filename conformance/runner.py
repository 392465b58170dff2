"""Runs checks, each against a subject of its own, and returns their findings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from typing import Generic, NamedTuple, TypeVar

from flowcage.conformance.check import Check, Deviation, LeftOut, Level, Subject

T = TypeVar("T")


class Finding(NamedTuple, Generic[Subject]):
    """The outcome of one check.

    Attributes:
        deviation: what was seen that the contract does not allow; empty where the check has passed.
        seconds: how long it took.
        left_out: why the subject need not be checked so; empty where it was.
    """

    check: Check[Subject]
    deviation: str
    seconds: float
    left_out: str = ""

    @property
    def passed(self) -> bool:
        """Whether there is no deviation, also where the check was left out."""
        return not self.deviation


def select(checks: Sequence[Check[T]], pattern: str | None, level: Level | None) -> list[Check[T]]:
    """The checks of at least this level whose id matches a shell pattern, or whose theme has this name."""
    chosen = [check for check in checks if level in (None, check.level) or check.level == Level.MUST]
    if pattern is None:
        return chosen
    return [check for check in chosen if fnmatchcase(check.id, pattern) or check.id.startswith(f"{pattern}/")]


def run_checks(
    checks: Sequence[Check[T]], attempt: Callable[[Check[T]], None], workers: int
) -> Iterator[Finding[T]]:
    """Run checks, `workers` at once, and yield their findings in the order of the checks.

    Args:
        attempt: runs a check against its subject; raises `Deviation`.
    """
    pool = ThreadPoolExecutor(workers)
    try:
        yield from pool.map(lambda check: _finding(check, attempt), checks)
    finally:  # also where the caller was interrupted: checks that have not begun are dropped
        pool.shutdown(cancel_futures=True)


def _finding(check: Check[T], attempt: Callable[[Check[T]], None]) -> Finding[T]:
    began, left_out = time.monotonic(), ""
    try:
        attempt(check)
    except Deviation as deviation:
        said = str(deviation)
    except LeftOut as reason:
        said, left_out = "", str(reason)
    except (LookupError, TypeError, AttributeError) as error:
        # The reply has another shape than the check reads.
        said = f"the reply is not of the expected shape: {type(error).__name__}: {error}"
    else:
        said = ""
    return Finding(check, said, time.monotonic() - began, left_out)

"""``flowcage conformance``: selects the checks, runs them against the subject, and writes the report."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flowcage.conformance import report
from flowcage.conformance.check import Check, Level
from flowcage.conformance.hosts import HostSubject, NotAHost
from flowcage.conformance.on_child import CHILD_CHECKS
from flowcage.conformance.on_host import HOST_CHECKS
from flowcage.conformance.orphans import orphans_reaped
from flowcage.conformance.process import CannotStart
from flowcage.conformance.runner import Finding, run_checks, select
from flowcage.conformance.subject import ChildSubject, NotAChild

# For one exchange with a child, and for a whole run of a host: its own timeouts should come first.
CHILD_SECONDS, HOST_SECONDS = 10.0, 30.0
MAX_WORKERS = 4


class Unusable(Exception):
    """Nothing can be checked: wrong usage, no such program, or one that does not speak the protocol."""


class Request(NamedTuple):
    """The options of the command; `timeout` in seconds."""

    child: str | None
    host: str | None
    only: str | None
    level: Level | None
    timeout: float | None
    junit: Path | None


def listing(request: Request) -> str:
    """The selected checks, one on a line; those of both sides where the request names neither.

    Raises:
        Unusable: the pattern matches no check.
    """
    both = request.child is None and request.host is None
    checks: list[Check[Any]] = []
    if both or request.child is not None:
        checks += CHILD_CHECKS.checks
    if both or request.host is not None:
        checks += HOST_CHECKS.checks
    return report.listing(_selected(checks, request))


def check_conformance(request: Request, say: Callable[[str], None], safe: Callable[[str], str]) -> bool:
    """Run the selected checks, and report each finding as soon as it is there.

    Args:
        say: writes a part of the report.
        safe: makes text of the subject safe for the terminal or file that `say` writes to.

    Returns:
        Whether all checks have passed.

    Raises:
        Unusable: nothing could be checked, or the JUnit file cannot be written.
    """
    findings: list[Finding[Any]] = []
    with orphans_reaped():
        try:
            for finding in _findings(request):
                findings.append(finding)
                say(report.one_finding(finding, safe))
        except CannotStart as error:
            raise Unusable(f"the command cannot be started: {error}") from None
        except NotAChild as error:
            raise Unusable(f"this is not a flowcage child: {error}") from None
        except NotAHost as error:
            raise Unusable(f"this is not a flowcage host: {error}") from None
    say(report.summary(findings))
    if request.junit is not None:
        _write(findings, request)
    return all(finding.passed for finding in findings)


def _findings(request: Request) -> Iterator[Finding[Any]]:
    workers = min(MAX_WORKERS, os.cpu_count() or 1)
    if (request.child is None) == (request.host is None):
        raise Unusable("give either --child CMD or --host CMD")
    if request.child is not None:
        child = ChildSubject(_words("--child", request.child), request.timeout or CHILD_SECONDS)
        checks = _selected(CHILD_CHECKS.checks, request)
        child.require_child()
        return run_checks(checks, child.attempt, workers)
    assert request.host is not None
    host = HostSubject(_words("--host", request.host), request.timeout or HOST_SECONDS)
    host_checks = _selected(HOST_CHECKS.checks, request)
    host.require_host()
    return run_checks(host_checks, host.attempt, workers)


def _selected(checks: Sequence[Check[Any]], request: Request) -> list[Check[Any]]:
    chosen = select(checks, request.only, request.level)
    if not chosen:
        raise Unusable(f"no check is called {request.only}; --list shows them all")
    return chosen


def _words(option: str, command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise Unusable(f"{option}: {error}") from None
    if not words:
        raise Unusable(f"{option} is empty; expected a command: a program and its arguments")
    return words


def _write(findings: list[Finding[Any]], request: Request) -> None:
    assert request.junit is not None
    suite = "flowcage.conformance.child" if request.child is not None else "flowcage.conformance.host"
    try:
        report.write_junit(findings, request.junit, suite)
    except OSError as error:
        raise Unusable(f"--junit {request.junit}: cannot be written: {error.strerror}") from None

"""``flowcage conformance``: selects the checks, runs them against the subject, and writes the report."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from flowcage.conformance import report
from flowcage.conformance.check import Check, Level, Unfit
from flowcage.conformance.hosts import HostSubject
from flowcage.conformance.on_child import CHILD_CHECKS
from flowcage.conformance.on_client import CLIENT_CHECKS, FAKE_HOST
from flowcage.conformance.on_host import HOST_CHECKS
from flowcage.conformance.on_service import SERVICE_CHECKS
from flowcage.conformance.orphans import orphans_reaped
from flowcage.conformance.process import CannotStart
from flowcage.conformance.runner import Finding, run_checks, select
from flowcage.conformance.service.subject import ServiceSubject
from flowcage.conformance.subject import ChildSubject

# For one exchange with a child or a service, and for a whole run of a host or a client: its own timeouts
# should come first.
CHILD_SECONDS, HOST_SECONDS = 10.0, 30.0
MAX_WORKERS = 4


class Unusable(Exception):
    """Nothing can be checked: wrong usage, no such program, or one that does not speak the protocol."""


class Kind(NamedTuple):
    """A kind of subject: its checks, what it is in a sentence, and what runs them against a command.

    Attributes:
        subject: of a command and a timeout in seconds: has `require`, which raises `Unfit`, and `attempt`.
    """

    checks: Sequence[Check[Any]]
    noun: str
    seconds: float
    subject: Callable[[list[str], float], Any]


KINDS = {
    "child": Kind(CHILD_CHECKS.checks, "a flowcage child", CHILD_SECONDS, ChildSubject),
    "host": Kind(HOST_CHECKS.checks, "a flowcage host", HOST_SECONDS, HostSubject),
    "service": Kind(SERVICE_CHECKS.checks, "a host of the host protocol", CHILD_SECONDS, ServiceSubject),
    "client": Kind(
        CLIENT_CHECKS.checks,
        "a client of the host protocol",
        HOST_SECONDS,
        partial(HostSubject, playing=FAKE_HOST),
    ),
}


class Request(NamedTuple):
    """The options of the command: the commands by kind of subject, and how to check; `timeout` in seconds."""

    child: str | None
    host: str | None
    service: str | None
    client: str | None
    only: str | None
    level: Level | None
    timeout: float | None
    junit: Path | None


def listing(request: Request) -> str:
    """The selected checks, one on a line; those of every kind where the request names none.

    Raises:
        Unusable: the pattern matches no check.
    """
    chosen = _given(request) or KINDS
    checks = [check for name in chosen for check in KINDS[name].checks]
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
        except Unfit as error:
            raise Unusable(f"this is not {_kind(request)[1].noun}: {error}") from None
    say(report.summary(findings))
    if request.junit is not None:
        _write(findings, request)
    return all(finding.passed for finding in findings)


def _findings(request: Request) -> Iterator[Finding[Any]]:
    name, kind = _kind(request)
    subject = kind.subject(_words(f"--{name}", _given(request)[name]), request.timeout or kind.seconds)
    checks = _selected(kind.checks, request)
    subject.require()
    return run_checks(checks, subject.attempt, min(MAX_WORKERS, os.cpu_count() or 1))


def _given(request: Request) -> dict[str, str]:
    """The commands that the request has, by kind of subject."""
    options = request._asdict()
    return {name: options[name] for name in KINDS if options[name] is not None}


def _kind(request: Request) -> tuple[str, Kind]:
    given = list(_given(request))
    if len(given) != 1:
        raise Unusable(f"give one of {', '.join(f'--{name} CMD' for name in KINDS)}")
    return given[0], KINDS[given[0]]


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
    try:
        report.write_junit(findings, request.junit, f"flowcage.conformance.{_kind(request)[0]}")
    except OSError as error:
        raise Unusable(f"--junit {request.junit}: cannot be written: {error.strerror}") from None

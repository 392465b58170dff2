"""Checks, and the registry that a decorator enters each of them into."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

Subject = TypeVar("Subject")
# A decorator that registers a check and returns the function unchanged.
Entering: TypeAlias = Callable[[Callable[[Subject], None]], Callable[[Subject], None]]


class Level(StrEnum):
    """How binding a sentence of the contract is (RFC 2119)."""

    MUST = "MUST"
    SHOULD = "SHOULD"


class Deviation(Exception):
    """The subject does not keep the contract; the text says what was seen."""


class Unfit(Exception):
    """The command is no subject of the kind that was asked for; the text says what was seen."""


class LeftOut(Exception):
    """The check is about what the subject need not have and does not have; the text says what."""


class Check(NamedTuple, Generic[Subject]):
    """One sentence of the contract and the function that checks it.

    Attributes:
        id: ``theme/`` and the name of `run` with hyphens. It never changes: reports and docs refer to it.
        says: the sentence.
        section: where the contract has it: ``FILE: HEADING`` in the documentation.
        run: the function; it raises `Deviation`.
        needs: the scenario that a host is run with; empty for checks of a child.
    """

    id: str
    says: str
    section: str
    level: Level
    run: Callable[[Subject], None]
    needs: str = ""


class Registry(Generic[Subject]):
    """Checks of one kind of subject, in the order of their definition."""

    def __init__(self) -> None:
        self.checks: list[Check[Subject]] = []

    def theme(self, name: str, section: str) -> Theme[Subject]:
        """A theme, whose decorators register the checks of one file."""
        return Theme(self, name, section)

    def add(self, check: Check[Subject]) -> None:
        """Register a check.

        Raises:
            ValueError: another check has its id.
        """
        if any(check.id == other.id for other in self.checks):
            raise ValueError(f"two checks are called {check.id}")
        self.checks.append(check)


class Theme(Generic[Subject]):
    """The checks of one file: they share the first part of their ids, and the section that they quote."""

    def __init__(self, registry: Registry[Subject], name: str, section: str) -> None:
        self._registry = registry
        self._name = name
        self._section = section

    def must(self, says: str, needs: str = "", *, id: str = "") -> Entering[Subject]:
        """Register the decorated function as a check of level MUST.

        Args:
            says: the sentence of the contract.
            needs: the scenario, for checks of a host.
            id: the second part of the id, where that is not the function's name with hyphens.
        """
        return self._entering(Level.MUST, says, needs, id)

    def should(self, says: str, needs: str = "", *, id: str = "") -> Entering[Subject]:
        """Register the decorated function as a check of level SHOULD; arguments as for `must`."""
        return self._entering(Level.SHOULD, says, needs, id)

    def _entering(self, level: Level, says: str, needs: str, id: str) -> Entering[Subject]:
        def enter(run: Callable[[Subject], None]) -> Callable[[Subject], None]:
            name = id or run.__name__.rstrip("_").replace("_", "-")
            if not name:
                raise ValueError(f"a check of {self._name} has no name: {says}")
            self._registry.add(Check(f"{self._name}/{name}", says, self._section, level, run, needs))
            return run

        return enter


class Shared(Generic[Subject]):
    """Checks that belong to more than one registry: in each, in a theme of its own."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, Callable[[Subject], None]]] = []

    def must(self, says: str) -> Entering[Subject]:
        """Note the decorated function as a check of level MUST; arguments as for `Theme.must`."""

        def enter(run: Callable[[Subject], None]) -> Callable[[Subject], None]:
            self._entries.append((says, run))
            return run

        return enter

    def register(self, theme: Theme[Any], prepare: Callable[[Any], object] = lambda _subject: None) -> None:
        """Register all checks in a theme, whose subjects must be those of these checks.

        Args:
            prepare: is called with the subject before each.
        """
        for says, run in self._entries:
            theme.must(says)(_after(prepare, run))


def _after(prepare: Callable[[Any], object], run: Callable[[Any], None]) -> Callable[[Any], None]:
    @wraps(run)
    def prepared(subject: Any) -> None:
        prepare(subject)
        run(subject)

    return prepared


def expect(what: str, seen: Any, expected: Any) -> None:
    """Compare two JSON values, as `same`.

    Args:
        what: names the value in the report.

    Raises:
        Deviation: they differ.
    """
    if not same(seen, expected):
        raise Deviation(f"{what}: expected {shown(expected)}, saw {shown(seen)}")


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; numbers by value, booleans only to booleans."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def shown(value: Any, most: int = 300) -> str:
    """A value as a report quotes it: on one line, of at most `most` characters."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"

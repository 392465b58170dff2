"""What a check is, and the registry that each check enters by its decorator."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

Subject = TypeVar("Subject")
# What a decorator of checks is: it gives the function back.
Entering: TypeAlias = Callable[[Callable[[Subject], None]], Callable[[Subject], None]]


class Level(StrEnum):
    """How binding the sentence is (RFC 2119)."""

    MUST = "MUST"
    SHOULD = "SHOULD"


class Deviation(Exception):
    """The subject did something else than the contract says; the text tells what was seen."""


class Check(NamedTuple, Generic[Subject]):
    """One sentence of the contract and the function that tries it.

    Attributes:
        id: for ever: ``theme/`` and the name of `run` with hyphens.
        says: what the contract says, one sentence.
        section: where it says so: ``FILE: HEADING`` in the documentation.
        run: raises `Deviation`.
        needs: what `run` needs besides the subject: the name of a host's scenario.
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
        """Decorators for the checks of one file."""
        return Theme(self, name, section)

    def add(self, check: Check[Subject]) -> None:
        """Enter a check; its id must be new."""
        if any(check.id == other.id for other in self.checks):
            raise ValueError(f"two checks are called {check.id}")
        self.checks.append(check)


class Theme(Generic[Subject]):
    """What the checks of one file share: the first part of their ids, and the section they quote."""

    def __init__(self, registry: Registry[Subject], name: str, section: str) -> None:
        self._registry = registry
        self._name = name
        self._section = section

    def must(self, says: str, needs: str = "", *, id: str = "") -> Entering[Subject]:
        """Enter the decorated function as a check of level MUST.

        Args:
            id: where the function's name with hyphens cannot be it.
        """
        return self._entering(Level.MUST, says, needs, id)

    def should(self, says: str, needs: str = "", *, id: str = "") -> Entering[Subject]:
        """Enter the decorated function as a check of level SHOULD; arguments as `must`."""
        return self._entering(Level.SHOULD, says, needs, id)

    def _entering(self, level: Level, says: str, needs: str, id: str) -> Entering[Subject]:
        def enter(run: Callable[[Subject], None]) -> Callable[[Subject], None]:
            name = id or run.__name__.rstrip("_").replace("_", "-")
            if not name:
                raise ValueError(f"a check of {self._name} has no name: {says}")
            self._registry.add(Check(f"{self._name}/{name}", says, self._section, level, run, needs))
            return run

        return enter


def expect(what: str, seen: Any, expected: Any) -> None:
    """Compare as JSON does: true is not 1.

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
    """A value as a report quotes it: short, and on one line."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"

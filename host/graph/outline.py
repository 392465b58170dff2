"""The outline of a workflow's source, as its child tells it.

The child has read a stranger's source, and may be in the stranger's hands: what it tells is held to the form
that docs/protocol.md gives, and its texts are as hostile as the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

MAX_ITEMS = 2_000
MAX_TEXT = 1_000
_CALLS = ("agent", "workflow", "ask", "sleep", "exec", "function")
_BLOCKS = ("parallel", "pipeline", "stage", "each", "loop", "branch", "function")
_MAX_NUMBER = 2**31


class BadOutline(ValueError):
    """What was told is no outline."""


class Call(NamedTuple):
    """One place where the source asks for something.

    Attributes:
        kind: ``agent``, ``workflow``, ``ask``, ``sleep``, ``exec``; or ``function``, which is one of the
            source that does so.
        line, column: where, from 1.
        within: what it stands in, from the outermost on: numbers of blocks.
        says: what is known of its arguments, by name.
    """

    kind: str
    line: int
    column: int
    within: tuple[int, ...]
    says: Mapping[str, str]


class Block(NamedTuple):
    """Something that calls stand in.

    Attributes:
        kind: ``parallel``, ``pipeline``, ``stage``, ``each``, ``loop``, ``branch`` or ``function``.
        line, column: where, from 1.
        text: the condition or what is gone through; "" where there is none.
        name: of a function; "" for none.
        arm: of a branch; "" for none.
        times: how often, where the source says it.
        stage: number of a stage, from 1; 0 for none.
        depends: whether answers may decide how often, or whether at all.
        leaves: whether a loop may end early.
    """

    kind: str
    line: int
    column: int
    text: str
    name: str
    arm: str
    times: int | None
    stage: int
    depends: bool
    leaves: bool


class Phase(NamedTuple):
    """A phase of `meta`, or one that is entered; its title may be a pattern."""

    title: str
    declared: bool
    line: int | None


class Outline(NamedTuple):
    """All of it; `truncated` where the source has more."""

    calls: tuple[Call, ...] = ()
    blocks: tuple[Block, ...] = ()
    phases: tuple[Phase, ...] = ()
    truncated: bool = False


def read(told: Any) -> Outline:
    """Read an outline.

    Raises:
        BadOutline: it has another form.
    """
    if not isinstance(told, dict):
        raise BadOutline("an outline must be an object")
    blocks = tuple(_block(each) for each in _list(told, "blocks"))
    return Outline(
        tuple(_call(each, len(blocks)) for each in _list(told, "calls")),
        blocks,
        tuple(_phase(each) for each in _list(told, "phases")),
        told.get("truncated") is True,
    )


def _call(told: dict[str, Any], blocks: int) -> Call:
    within = told.get("within", [])
    if not isinstance(within, list) or len(within) > MAX_ITEMS:
        raise BadOutline("`within` must be a list of numbers of blocks")
    if not all(type(number) is int and 0 <= number < blocks for number in within):
        raise BadOutline("`within` must have numbers of blocks")
    says = {name: value[:MAX_TEXT] for name, value in told.items() if isinstance(value, str)}
    kind = _choice(told, _CALLS)
    return Call(kind, _place(told, "line"), _place(told, "column"), tuple(within), says)


def _block(told: dict[str, Any]) -> Block:
    times = None if told.get("count") is None else _number(told, "count", 0)
    return Block(
        _choice(told, _BLOCKS),
        _place(told, "line"),
        _place(told, "column"),
        _text(told, "text"),
        _text(told, "name"),
        _text(told, "arm"),
        times,
        _number(told, "stage", 0) if "stage" in told else 0,
        told.get("depends") is True,
        told.get("leaves") is True,
    )


def _phase(told: dict[str, Any]) -> Phase:
    line = _place(told, "line") if "line" in told else None
    return Phase(_text(told, "title"), told.get("declared") is True, line)


def _list(told: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = told.get(name)
    if not isinstance(found, list) or len(found) > MAX_ITEMS:
        raise BadOutline(f"`{name}` must be a list of at most {MAX_ITEMS:,} items")
    if not all(isinstance(each, dict) for each in found):
        raise BadOutline(f"`{name}` must be a list of objects")
    return found


def _choice(told: dict[str, Any], known: tuple[str, ...]) -> str:
    kind = told.get("kind")
    if not isinstance(kind, str) or kind not in known:
        raise BadOutline(f"`kind` must be one of {', '.join(known)}")
    return kind


def _place(told: dict[str, Any], name: str) -> int:
    return _number(told, name, 1)


def _number(told: dict[str, Any], name: str, least: int) -> int:
    number = told.get(name)
    if type(number) is not int or not least <= number <= _MAX_NUMBER:
        raise BadOutline(f"`{name}` must be a whole number of {least} or more")
    return number


def _text(told: dict[str, Any], name: str) -> str:
    text = told.get(name, "")
    if not isinstance(text, str):
        raise BadOutline(f"`{name}` must be text")
    return text[:MAX_TEXT]

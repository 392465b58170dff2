"""``export const meta``: checks that it is a literal, and that its phases have a shape that has an effect."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowcage._hints import Any, TypeAlias
from flowcage.child.sandbox.syntax_tree import Bounds, children, nodes, text_of, tree

TYPE_CHECKING = False  # what type checkers take for True, without importing typing
if TYPE_CHECKING:
    from tree_sitter import Node

_LITERALS = frozenset(
    {"string", "number", "true", "false", "null", "undefined", "template_string", "comment"}
)
_CONTAINERS = frozenset({"object", "array", "pair", "unary_expression", "parenthesized_expression"})
_KEYS = frozenset({"property_identifier", "string_fragment", "escape_sequence"})
_TEXTS = frozenset({"string", "template_string", "binary_expression", "parenthesized_expression"})
_MENTIONED = re.compile(rb"\bmeta\b")
_MAX_SHOWN = 40
_DEFAULTS = ("model", "provider")


Problem: TypeAlias = tuple[tuple[str | int, ...], str]


class InvalidMeta(Exception):
    """`meta` is not a literal, or has a wrong shape; `offset` is the byte of the source where."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def is_mentioned(source: bytes) -> bool:
    """Whether a source could export `meta`: a cheap test, to spare most sources the parse."""
    return b"export" in source and _MENTIONED.search(source) is not None


def refuse_computation(literal: bytes, start: int, bounds: Bounds) -> None:
    """Raise `InvalidMeta` where a value holds more than literals.

    Args:
        literal: the text of the value.
        start: the byte of the source where the value begins.
        bounds: what parsing may cost.
    """
    source = b"(" + literal + b")"
    for node in nodes(_value(source, bounds), bounds):
        if node.is_named and not _is_literal(node):
            shown = text_of(source, node).split("\n")[0]
            shown = shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}…"
            raise InvalidMeta(
                f"meta must be a literal, since it is read without running the workflow, and `{shown}` is "
                "computed; write the value itself",
                start - 1 + node.start_byte,
            )


def refuse_shape(meta: Any, literal: bytes, start: int, bounds: Bounds) -> None:
    """Raise `InvalidMeta` where `meta.phases` has a shape that would have no effect, or another than meant.

    Args:
        meta: the value, by JSON's rules.
        literal, start, bounds: as for `refuse_computation`.
    """
    if (problem := problem_in(meta)) is not None:
        source = b"(" + literal + b")"
        path, message = problem
        raise InvalidMeta(message, start - 1 + _locate(source, _value(source, bounds), path))


def problem_in(meta: Any) -> Problem | None:
    """The first thing that is wrong with the shape of `meta`. Members that the host does not read may be any.

    Returns:
        The keys and indices that lead to the wrong value, and a message; None where nothing is wrong.
    """
    if not isinstance(meta, dict):
        return (), f"meta must be an object, such as {{ name: 'review' }}, not {_kind(meta)}"
    phases = meta.get("phases")
    if phases is not None and not isinstance(phases, list):
        return ("phases",), f"meta.phases must be an array of {{ title: '…' }}, not {_kind(phases)}"
    for index, phase in enumerate(phases or ()):
        if isinstance(phase, str):  # a title alone
            continue
        place = f"meta.phases[{index}]"
        if not isinstance(phase, dict):
            return ("phases", index), f"{place} must be an object with a title, not {_kind(phase)}"
        if not isinstance(title := phase.get("title"), str):
            return ("phases", index, "title"), f"{place}.title must be a string{_but(title)}"
        for name in _DEFAULTS:
            if not isinstance(value := phase.get(name), str | None):
                return ("phases", index, name), f"{place}.{name} must be a string, not {_kind(value)}"
    return None


def _is_literal(node: Node) -> bool:
    if node.type == "binary_expression":  # long text is often written as a sum of strings
        operator, sides = node.child_by_field_name("operator"), ("left", "right")
        parts = [node.child_by_field_name(side) for side in sides]
        is_sum = operator is not None and operator.type == "+"
        return is_sum and all(part is not None and part.type in _TEXTS for part in parts)
    return node.type in _LITERALS or node.type in _CONTAINERS or node.type in _KEYS


def _value(source: bytes, bounds: Bounds) -> Node:
    value: Node | None = tree(source, bounds)
    for _ in ("the statement", "our parentheses", "what is in them"):
        value = value.named_child(0) if value is not None else None
    assert value is not None
    return value


def _locate(source: bytes, value: Node, path: tuple[str | int, ...]) -> int:
    """The byte where the value at `path` begins; where it is missing, that of what should hold it."""
    for step in path:
        found = None
        for index, child in enumerate(_items(value)):
            if isinstance(step, int) and index == step:
                found = child
            elif isinstance(step, str) and child.type == "pair" and _key(source, child) == step:
                found = child.child_by_field_name("value")  # of two, the later one counts
        if found is None:
            break
        value = found
    return value.start_byte


def _items(value: Node) -> Iterator[Node]:
    while value.type == "parenthesized_expression" and (inner := value.named_child(0)) is not None:
        value = inner
    return (child for child in children(value) if child.is_named and child.type != "comment")


def _key(source: bytes, pair: Node) -> str:
    key = pair.child_by_field_name("key")
    return "" if key is None else text_of(source, key).strip("'\"")


def _but(value: Any) -> str:
    return "; it is missing" if value is None else f", not {_kind(value)}"


def _kind(value: Any) -> str:
    names: dict[type, str] = {str: "a string", bool: "a boolean", list: "an array", dict: "an object"}
    return names.get(type(value), "a number")

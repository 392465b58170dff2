"""Loops that ask agents for ever."""

from __future__ import annotations

from collections.abc import Iterator

from flowcage.child.sandbox.lint.subject import Found, Subject
from flowcage.child.sandbox.reading.syntax import Syntax, bare

_COMPARED = frozenset({"<", ">", "<=", ">="})
_LEAVING = frozenset({"throw_statement", "break_statement", "return_statement"})
# What is in a loop, as bits.
_ASKS, _SWALLOWS, _IS_BOUND, _LEAVES = 1, 2, 4, 8


def endless(subject: Subject) -> Iterator[Found]:
    """A loop without a bound, that goes on also where an agent has no answer."""
    inside: dict[int, int] = {}
    for node in reversed(subject.tree.nodes):  # what is in a node comes before it
        bits = inside.pop(id(node), 0)
        if _is_endless(subject, node) and bits & _ASKS and bits & _SWALLOWS and not bits & _IS_BOUND:
            yield Found(
                "endless_loop",
                node,
                "this loop goes on for as long as an agent fails",
                "count its turns, or ask budget.remaining()",
            )
        bits |= _own(subject, node, bits)
        if node.parent is not None:
            inside[id(node.parent)] = inside.get(id(node.parent), 0) | bits


def _is_endless(subject: Subject, loop: Syntax) -> bool:
    if loop.type not in ("for_statement", "while_statement", "do_statement"):
        return False
    condition = bare(loop["condition"])
    if condition is None or condition.type in ("empty_statement", ";"):
        return loop.type == "for_statement"
    return condition.type == "true" or subject.tree.text(condition) in ("1", ";")


def _own(subject: Subject, node: Syntax, inside: int) -> int:
    match node.type:
        case "call_expression":
            return _ASKS if subject.calls.helper(node) == "agent" else 0
        case "catch_clause":
            return 0 if inside & _LEAVES else _SWALLOWS
        case "property_identifier":
            return _SWALLOWS if subject.tree.text(node) == "catch" else 0
        case "binary_expression":
            operator = node["operator"]
            return _IS_BOUND if operator is not None and operator.type in _COMPARED else 0
        case "identifier":
            return _IS_BOUND if subject.tree.text(node) == "budget" else 0
    return _LEAVES if node.type in _LEAVING else 0

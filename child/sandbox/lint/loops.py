"""Loops that ask agents for ever."""

from __future__ import annotations

from collections.abc import Iterator

from flowcage.child.sandbox.lint.subject import Found, Subject
from flowcage.child.sandbox.reading.syntax import Syntax, bare

_COMPARED = frozenset({"<", ">", "<=", ">="})


def endless(subject: Subject) -> Iterator[Found]:
    """A loop without a bound, that goes on also where an agent has no answer."""
    for loop in subject.tree.of("for_statement", "while_statement", "do_statement"):
        if not _is_endless(subject, loop):
            continue
        inside = list(loop.inside())
        asks = any(subject.calls.helper(node) == "agent" for node in inside)
        swallows = any(_swallows(subject, node) for node in inside)
        if asks and swallows and not any(_is_bound(subject, node) for node in inside):
            yield Found(
                "endless_loop",
                loop,
                "this loop goes on for as long as an agent fails",
                "count its turns, or ask budget.remaining()",
            )


def _is_endless(subject: Subject, loop: Syntax) -> bool:
    condition = bare(loop["condition"])
    if condition is None or condition.type in ("empty_statement", ";"):
        return loop.type == "for_statement"
    return condition.type == "true" or subject.tree.text(condition) in ("1", ";")


def _swallows(subject: Subject, node: Syntax) -> bool:
    if node.type == "catch_clause":
        return not any(
            each.type in ("throw_statement", "break_statement", "return_statement") for each in node.inside()
        )
    return node.type == "property_identifier" and subject.tree.text(node) == "catch"


def _is_bound(subject: Subject, node: Syntax) -> bool:
    if node.type == "binary_expression":
        operator = node["operator"]
        return operator is not None and operator.type in _COMPARED
    return node.type == "identifier" and subject.tree.text(node) == "budget"

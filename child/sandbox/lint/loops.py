"""Loops that ask agents for ever."""

from __future__ import annotations

from collections.abc import Iterator

from flowcage.child.sandbox.lint.subject import Found, Subject
from flowcage.child.sandbox.reading.scopes import Binding
from flowcage.child.sandbox.reading.syntax import Syntax, bare

_COMPARED = frozenset({"<", ">", "<=", ">="})
_LEAVING = frozenset({"throw_statement", "break_statement", "return_statement"})
_MOST_NAMES = 5
_MOST_LOOKED_AT = 100_000  # nodes of one source
# What is in a loop, as bits.
_ASKS, _SWALLOWS, _IS_BOUND, _LEAVES = 1, 2, 4, 8


def endless(subject: Subject) -> Iterator[Found]:
    """A loop without a bound, that goes on also where an agent has no answer."""
    inside: dict[int, int] = {}
    exits = _Exits(subject)
    for node in reversed(subject.tree.nodes):  # what is in a node comes before it
        bits = inside.pop(id(node), 0)
        is_told = _is_endless(subject, node) and bits & _ASKS and bits & _SWALLOWS and not bits & _IS_BOUND
        if is_told and not exits.is_left(node):
            yield Found(
                "endless_loop",
                node,
                "this loop goes on for as long as an agent fails",
                "count its turns, or ask budget.remaining()",
            )
        bits |= _own(subject, node, bits)
        if node.parent is not None:
            inside[id(node.parent)] = inside.get(id(node.parent), 0) | bits


class _Exits:
    """Tells which loops are left by a condition that no answer of an agent decides."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._left = _MOST_LOOKED_AT

    def is_left(self, loop: Syntax) -> bool:
        """Whether a loop has such a condition; True where that would take too long to find out."""
        for node in loop.inside():
            self._left -= 1
            if self._left < 0:
                return True
            condition = node["condition"] if node.type == "if_statement" else None
            if condition is not None and self._leaves(node) and not self._is_answer(condition):
                return True
        return False

    def _leaves(self, branch: Syntax) -> bool:
        parts = [branch["consequence"], branch["alternative"]]
        statements = [each for part in parts if part is not None for each in (part, *part.children)]
        statements += [each for part in parts if part is not None and part.type == "else_clause"
                       for each in part.inside()]  # fmt: skip
        return any(each.type in _LEAVING for each in statements)

    def _is_answer(self, node: Syntax, names: int = 0) -> bool:
        """Whether a value is made of what an agent answers, directly or by up to `_MOST_NAMES` names."""
        for each in node.inside():
            self._left -= 1
            if self._left < 0 or self._subject.calls.promised(each) is not None:
                return True
            binding = self._subject.scopes.of(each)
            if binding is not None and names < _MOST_NAMES and self._is_given(binding, names + 1):
                return True
        return False

    def _is_given(self, binding: Binding, names: int) -> bool:
        given = [binding.holder["value"]] if binding.holder.type == "variable_declarator" else []
        for change in binding.changes:
            top = next((each for each in change.above() if each.type == "assignment_expression"), None)
            given.append(top["right"] if top is not None else None)
        return any(value is not None and self._is_answer(value, names) for value in given)


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

"""Whether a run surely gets to a place of its source."""

from __future__ import annotations

from flowcage.child.sandbox.reading.calls import Calls, is_called_at_once
from flowcage.child.sandbox.reading.scopes import Scopes
from flowcage.child.sandbox.reading.syntax import FUNCTIONS, SourceTree, Syntax

# Nodes whose children are evaluated in some cases only, with the fields that always are.
_BRANCHES: dict[str, frozenset[str]] = {
    "if_statement": frozenset({"condition"}),
    "ternary_expression": frozenset({"condition"}),
    "while_statement": frozenset({"condition"}),
    "for_statement": frozenset({"initializer"}),
    "for_in_statement": frozenset({"right"}),
    "switch_statement": frozenset({"value"}),
    "catch_clause": frozenset(),
    "assignment_pattern": frozenset({"left"}),
    "object_assignment_pattern": frozenset({"left"}),
    "field_definition": frozenset(),
}
_LOGICAL = frozenset({"&&", "||", "??"})
_EXITS = frozenset({"return_statement", "throw_statement", "break_statement", "continue_statement"})
_MOST_CALLS = 20  # of one function, that are looked at
_MOST_FUNCTIONS = 100  # one calls the next, and each takes some of Python's stack


class Reach:
    """Tells it of one source."""

    def __init__(self, tree: SourceTree, scopes: Scopes, calls: Calls) -> None:
        self._tree, self._scopes, self._calls = tree, scopes, calls
        self._called: dict[int, bool] = {}
        self._exits = [(node, node.function) for node in tree.nodes if node.type in _EXITS]

    def is_sure(self, node: Syntax) -> bool:
        """Whether every run evaluates a node, and no ``try`` of the source catches what it throws."""
        below = node
        for holder in node.above():
            if _may_skip(holder, below):
                return False
            if holder.type in FUNCTIONS:
                return self._is_free_before(node, holder) and self._is_called(holder)
            below = holder
        return self._is_free_before(node, self._tree.root)

    def _is_free_before(self, node: Syntax, frame: Syntax) -> bool:
        """Whether nothing leaves the function, or the script, before a node."""
        function = frame if frame.type in FUNCTIONS else None
        return not any(
            frame.start <= each.start and each.end <= node.start and around is function
            for each, around in self._exits
        )

    def _is_called(self, function: Syntax) -> bool:
        """Whether every run calls a function; False while that is being found out."""
        if id(function) not in self._called:
            self._called[id(function)] = False
            if len(self._called) < _MOST_FUNCTIONS:
                self._called[id(function)] = self._is_surely_called(function)
        return self._called[id(function)]

    def _is_surely_called(self, function: Syntax) -> bool:
        if is_called_at_once(function) or self._calls.is_main(function):
            return self.is_sure(function)
        name = self._calls.name_of(function)
        binding = self._scopes.of(name)
        if binding is None or binding.value is None:
            return False
        used = (use.parent for use in binding.uses[:_MOST_CALLS] if use.field == "function")
        return any(self.is_sure(call) for call in used if call is not None)


def _may_skip(holder: Syntax, below: Syntax) -> bool:
    always = _BRANCHES.get(holder.type)
    if always is not None and below.field not in always:
        return True
    if holder.type == "binary_expression" and below.field == "right":
        operator = holder["operator"]
        return operator is not None and operator.type in _LOGICAL
    if holder.type == "try_statement" and below.field == "body":
        return holder["handler"] is not None
    return any(child.type == "optional_chain" for child in holder.children) and below.field != "object"

"""Whether a run surely gets to a place of its source."""

from __future__ import annotations

from flowcage.child.sandbox.reading.calls import Calls, is_called_at_once
from flowcage.child.sandbox.reading.scopes import Scopes
from flowcage.child.sandbox.reading.syntax import FUNCTIONS, SourceTree, Syntax, around

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
_LOGICAL = frozenset({"&&", "||", "??", "&&=", "||=", "??="})
_CHAINED = frozenset({"function", "object"})
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
            if _may_skip(holder, below) or self._may_catch(holder, below):
                return False
            if holder.type in FUNCTIONS:
                return self._is_free_before(node, holder) and self._is_called(holder)
            below = holder
        return self._is_free_before(node, self._tree.root)

    def is_awaited(self, call: Syntax) -> bool:
        """Whether what a call rejects with is thrown where it stands, and not kept for somebody to catch."""
        outer = around(call)
        parent = outer.parent
        if parent is None or parent.type == "await_expression":
            return parent is not None
        function = outer.function
        is_own = function is None or function.has("async") or self._calls.is_main(function)
        is_result = parent.type == "return_statement" or (parent is function and outer.field == "body")
        return is_result and is_own

    def _may_catch(self, holder: Syntax, below: Syntax) -> bool:
        """Whether a ``try`` catches what its body throws, or leaves by its ``finally`` in place of that."""
        if holder.type != "try_statement" or below.field != "body":
            return False
        last = holder["finalizer"]
        leaves = last is not None and any(last.start <= each.start < last.end for each, _ in self._exits)
        return leaves or holder["handler"] is not None

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
        if function.has("*"):  # runs when somebody asks for its values
            return False
        if self._calls.is_main(function):
            return self.is_sure(function)
        is_thrown = self.is_awaited if function.has("async") else None
        return any(
            self.is_sure(call) and (is_thrown is None or is_thrown(call)) for call in self._of(function)
        )

    def _of(self, function: Syntax) -> list[Syntax]:
        """The calls of a function: where it stands, or by its name."""
        if is_called_at_once(function):
            call = around(function).parent
            return [call] if call is not None else []
        binding = self._scopes.of(self._calls.name_of(function))
        if binding is None or binding.value is None:
            return []
        used = (use.parent for use in binding.uses[:_MOST_CALLS] if use.field == "function")
        return [call for call in used if call is not None]


def _may_skip(holder: Syntax, below: Syntax) -> bool:
    always = _BRANCHES.get(holder.type)
    if always is not None and below.field not in always:
        return True
    if below.field == "right" and holder.type in ("binary_expression", "augmented_assignment_expression"):
        operator = holder["operator"]
        return operator is not None and operator.type in _LOGICAL
    return below.field not in _CHAINED and _is_optional(holder)


def _is_optional(chain: Syntax) -> bool:
    """Whether a call or a member is left out where something before it in the chain is nothing."""
    step: Syntax | None = chain
    while step is not None and step.type in ("call_expression", "member_expression", "subscript_expression"):
        if step.has("optional_chain"):
            return True
        step = step["function"] or step["object"]
    return False

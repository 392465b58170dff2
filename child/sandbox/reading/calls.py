"""What a source calls: which of the helpers of a workflow, and whether a call gives a promise."""

from __future__ import annotations

from flowcage.child.sandbox.reading.scopes import Binding, Scopes
from flowcage.child.sandbox.reading.syntax import FUNCTIONS, SourceTree, Syntax, around, bare

GLOBAL_HELPERS = frozenset({"agent", "workflow", "parallel", "pipeline", "phase", "log"})
# By the text of the callee, and by the specifier and name of an import.
_BY_PATH = {"SW.extra.sleep": "sleep", "SW.extra.ask": "ask", "SW.sandbox.exec": "exec"}
_BY_IMPORT = {
    ("workflow:extra", "sleep"): "sleep",
    ("workflow:extra", "ask"): "ask",
    ("workflow:sandbox", "exec"): "exec",
}
_PROMISING = frozenset({"agent", "workflow", "parallel", "pipeline", "sleep", "ask", "exec"})
_OF_PROMISE = frozenset({"all", "allSettled", "any", "race"})
_ON_PROMISE = frozenset({"then", "catch", "finally"})


class Calls:
    """The calls of a source.

    Args:
        tree: the source.
        scopes: its names.

    Attributes:
        all: the nodes of calls, in the order of the text.
    """

    def __init__(self, tree: SourceTree, scopes: Scopes) -> None:
        self._tree, self._scopes = tree, scopes
        self.all = [node for node in tree.of("call_expression") if node["function"] is not None]
        self._main = _main_function(tree)

    def of(self, *helpers: str) -> list[tuple[Syntax, list[Syntax]]]:
        """The calls of some helpers, with their arguments."""
        return [(call, arguments(call)) for call in self.all if self.helper(call) in helpers]

    def helper(self, call: Syntax | None) -> str | None:
        """The helper that a call calls; None for any other function, and for what is no call."""
        callee = bare(call["function"]) if call is not None and call.type == "call_expression" else None
        return None if callee is None else self.named(callee)

    def named(self, callee: Syntax) -> str | None:
        """The helper that an expression stands for."""
        if callee.type == "member_expression":
            return self._member(callee)
        if callee.type != "identifier":
            return None
        binding, name = self._scopes.of(callee), self._tree.text(callee)
        if binding is None:
            return name if name in GLOBAL_HELPERS else None
        return self._bound(binding)

    def promised(self, node: Syntax | None) -> str | None:
        """How to call the function that an expression calls for a promise, such as ``agent()``; else None."""
        node = bare(node)
        if node is None or node.type != "call_expression":
            return None
        helper, callee = self.helper(node), bare(node["function"])
        if helper is not None:
            return f"{helper}()" if helper in _PROMISING else None
        if callee is not None and callee.type == "member_expression":
            return self._promised_by_member(callee)
        function = self.function_of(callee)
        is_async = function is not None and function.has("async") and not function.has("*")
        return f"{self._tree.text(callee)}()" if callee and is_async else None

    def function_of(self, callee: Syntax | None) -> Syntax | None:
        """The function of this source that an expression stands for, if that is sure."""
        callee = bare(callee)
        if callee is not None and callee.type == "identifier":
            binding = self._scopes.of(callee)
            callee = bare(binding.value) if binding is not None else None
        return callee if callee is not None and callee.type in FUNCTIONS else None

    def is_main(self, function: Syntax) -> bool:
        """Whether a function is the default export."""
        return function is self._main

    @staticmethod
    def name_of(function: Syntax) -> Syntax | None:
        """The name that a function is declared by, or that is declared as it."""
        if function.type.endswith("_declaration"):
            return function["name"]
        declarator = around(function).parent
        is_declared = declarator is not None and declarator.type == "variable_declarator"
        return declarator["name"] if declarator is not None and is_declared else None

    def _promised_by_member(self, callee: Syntax) -> str | None:
        subject, method = callee["object"], self._property(callee)
        if self._scopes.is_global(subject, "Promise") and method in _OF_PROMISE:
            return f"Promise.{method}()"
        return self.promised(subject) if method in _ON_PROMISE else None

    def _member(self, callee: Syntax) -> str | None:
        text = "".join(self._tree.text(callee).split())
        if text in _BY_PATH and self._scopes.is_global(_first(callee), "SW"):
            return _BY_PATH[text]
        binding = self._scopes.of(callee["object"])
        name = self._property(callee)
        return name if binding and self._is_context(binding) and name in GLOBAL_HELPERS else None

    def _property(self, member: Syntax) -> str:
        return "" if (name := member["property"]) is None else self._tree.text(name)

    def _bound(self, binding: Binding) -> str | None:
        if binding.changes:
            return None
        if binding.kind == "import" and binding.holder.type == "import_specifier":
            return self._imported(binding.holder)
        if binding.kind == "parameter":
            return self._of_context(binding)
        value = bare(binding.value)
        is_named = value is not None and value.type == "member_expression"
        return self._member(value) if value is not None and is_named else None

    def _imported(self, specifier: Syntax) -> str | None:
        statement = next((each for each in specifier.above() if each.type == "import_statement"), None)
        module = self._tree.string(statement["source"]) if statement is not None else None
        name = specifier["name"]
        return _BY_IMPORT.get((module or "", self._tree.text(name))) if name is not None else None

    def _of_context(self, binding: Binding) -> str | None:
        """A helper of ``export default async (args, { agent }) => …``."""
        pattern = binding.node.parent
        if pattern is None or pattern.type != "object_pattern" or pattern is not self._context():
            return None
        return binding.name if binding.name in GLOBAL_HELPERS else None

    def _is_context(self, binding: Binding) -> bool:
        return binding.node is self._context() and not binding.changes

    def _context(self) -> Syntax | None:
        if self._main is None or (parameters := self._main["parameters"]) is None:
            return None
        return parameters.children[1] if len(parameters.children) > 1 else None


def arguments(call: Syntax) -> list[Syntax]:
    """The arguments of a call; none where it has a template in their place."""
    found = call["arguments"]
    return found.children if found is not None and found.type == "arguments" else []


def is_called_at_once(function: Syntax) -> bool:
    """Whether a function is called where it stands: ``(async () => …)()``."""
    outer = around(function)
    return outer.field == "function" and outer.parent is not None and outer.parent.type == "call_expression"


def _main_function(tree: SourceTree) -> Syntax | None:
    """The function that a module exports as its default."""
    for statement in tree.of("export_statement"):
        if statement.has("default"):
            found = bare(statement["value"] or statement["declaration"])
            return found if found is not None and found.type in FUNCTIONS else None
    return None


def _first(member: Syntax) -> Syntax:
    while member.type == "member_expression" and (inner := member["object"]) is not None:
        member = inner
    return member

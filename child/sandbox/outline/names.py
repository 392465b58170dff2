"""What names of a workflow's source stand for: constants, functions, imports, and what depends on answers.

Names are not told apart by their scopes: of two constants with one name none is known, and what one name
depends on, all of that name do. So an outline may call a loop dependent that is not, and never the other way
round where names are what the dependence goes through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flowcage._hints import NamedTuple
from flowcage.child.sandbox.outline.walk import nth, steps
from flowcage.child.sandbox.syntax_tree import Bounds, children, text_of

TYPE_CHECKING = False  # what type checkers take for True, without importing typing
if TYPE_CHECKING:
    from tree_sitter import Node

FUNCTIONS = frozenset(
    {
        "function_declaration",
        "function_expression",
        "generator_function",
        "generator_function_declaration",
        "arrow_function",
        "method_definition",
    }
)
_IDENTIFIERS = frozenset({"identifier", "shorthand_property_identifier"})
# Calls whose answers nobody knows before the run.
_ASKING = frozenset({"agent", "workflow", "ask", "exec"})
# Methods that put their arguments into what they are called on.
_FILLING = frozenset({"push", "unshift", "set", "add", "splice", "fill"})
_MODULES = {"workflow:extra": ("sleep", "ask"), "workflow:sandbox": ("exec",)}
# Values that one name may be found in at once.
_MAX_OPEN = 30
_MAX_LEVELS = 20  # of patterns within patterns
_GLOBALS = ("agent", "workflow", "parallel", "pipeline", "phase")


class Names(NamedTuple):
    """What was found.

    Attributes:
        constants: initializers of `const` declarations whose values are not changed later on.
        functions: names of functions by the bytes where they begin.
        globals: what a name means that is one of the workflow's globals, or was imported: such as ``agent``.
        owners: what the names mean whose members are globals, such as ``ctx``.
        dependent: names whose values depend on answers.
    """

    constants: dict[str, Node]
    functions: dict[int, str]
    globals: dict[str, str]
    owners: frozenset[str]
    dependent: frozenset[str]


class _Value:
    """An expression, and the names that get something of it."""

    __slots__ = ("end", "names", "targets")

    def __init__(self, targets: set[str], end: int) -> None:
        self.targets = targets
        self.end = end
        self.names: set[str] = set()


def names_of(source: bytes, root: Node, bounds: Bounds) -> Names:
    """Read the declarations and assignments of a source.

    Raises:
        Interrupted: the step's time is over.
    """
    reader = _Reader(source)
    for step in steps(root, bounds):
        if step.enters:
            reader.take(step.node)
    return reader.names()


class _Reader:
    def __init__(self, source: bytes) -> None:
        self._source = source
        self._constants: dict[str, Node | None] = {}
        self._changed: set[str] = set()
        self._functions: dict[int, str] = {}
        self._globals = {name: name for name in _GLOBALS}
        self._owners = {"ctx", "context"}
        self._open: list[_Value] = []
        self._values: list[_Value] = []

    def take(self, node: Node) -> None:
        """Take the next node."""
        while self._open and self._open[-1].end <= node.start_byte:
            self._open.pop()
        kind = node.type
        if kind in _IDENTIFIERS or (kind == "property_identifier" and self._text(node) in _ASKING):
            name = self._text(node)
            for value in self._open:
                value.names.add(name)
        elif kind in _READERS:
            _READERS[kind](self, node)
        elif kind in FUNCTIONS:
            self._function(node)

    def names(self) -> Names:
        found = {name: node for name, node in self._constants.items() if node is not None}
        constants = {name: node for name, node in found.items() if name not in self._changed}
        own = set(self._functions.values())
        known = {name: meant for name, meant in self._globals.items() if name not in own}
        return Names(constants, self._functions, known, frozenset(self._owners), self._dependent(known))

    def _dependent(self, known: dict[str, str]) -> frozenset[str]:
        users: dict[str, list[_Value]] = {}
        for value in self._values:
            for name in value.names:
                users.setdefault(name, []).append(value)
        left = [name for name, meant in known.items() if meant in _ASKING]
        found = set(left)
        while left:
            for value in users.pop(left.pop(), ()):
                left.extend(value.targets - found)
                found |= value.targets
        return frozenset(found)

    def _declare(self, node: Node) -> None:
        target, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if target is None or value is None:
            return
        self._gives(target, value)
        if target.type == "identifier":
            name = self._text(target)
            is_constant = (parent := node.parent) is not None and self._begins(parent, b"const")
            self._constants[name] = value if is_constant and name not in self._constants else None
            if value.type in FUNCTIONS:
                self._functions[value.start_byte] = name

    def _assign(self, node: Node) -> None:
        target, value = node.child_by_field_name("left"), node.child_by_field_name("right")
        if target is not None and value is not None:
            self._gives(target, value)
            if target.type == "identifier" and value.type in FUNCTIONS:
                self._functions[value.start_byte] = self._text(target)
            elif target.type != "identifier":  # a member is set: the rest is not what was written
                self._changed.update(self._names_in(target, 1))

    def _function(self, node: Node) -> None:
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name is None or body is None:
            return
        if node.type != "function_expression":
            self._functions[node.start_byte] = self._text(name)
            self._gives(name, body)

    def _pair(self, node: Node) -> None:
        key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
        if key is not None and value is not None and value.type in FUNCTIONS:
            self._functions[value.start_byte] = self._text(key).strip("'\"")

    def _call(self, node: Node) -> None:
        """What a call gives to its callbacks, and to what it is called on."""
        function, given = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is None or given is None:
            return
        owner, method = function.child_by_field_name("object"), function.child_by_field_name("property")
        if owner is not None and method is not None and self._text(method) in _FILLING:
            self._gives(owner, given)
            self._changed.update(self._names_in(owner, 1))
        first: Node | None = None
        for number, each in enumerate(child for child in children(given) if child.is_named):
            first = first or each
            taken = owner or (given if number > 1 else first if number else None)
            if taken is not None and each.type in FUNCTIONS and (to := _parameters(each)) is not None:
                self._gives(to, taken)

    def _import(self, node: Node) -> None:
        specifier = node.child_by_field_name("source")
        module = "" if specifier is None else self._text(specifier).strip("'\"")
        for clause in children(node) if module in _MODULES else ():
            for part in children(clause):
                if part.type in ("identifier", "namespace_import"):
                    self._owners.add(self._text(part).split()[-1])
                for each in children(part) if part.type == "named_imports" else ():
                    self._import_one(each, _MODULES[module])

    def _import_one(self, specifier: Node, exported: tuple[str, ...]) -> None:
        name = specifier.child_by_field_name("name")
        alias = specifier.child_by_field_name("alias") or name
        if name is not None and alias is not None:
            if (meant := self._text(name)) in exported:
                self._globals[self._text(alias)] = meant
            elif meant == "default":
                self._owners.add(self._text(alias))

    def _export(self, node: Node) -> None:
        """The second parameter of a default function has the globals as its members."""
        function = node.child_by_field_name("value") or node.child_by_field_name("declaration")
        parameters = None if function is None else function.child_by_field_name("parameters")
        if parameters is None or parameters.named_child_count < 2:
            return
        second = nth(parameters, 1)
        if second is not None and second.type == "identifier":
            self._owners.add(self._text(second))
        for name in self._names_in(second, 2) if second is not None else ():
            if name in ("sleep", "ask", "exec"):
                self._globals[name] = name

    def _gives(self, target: Node, value: Node) -> None:
        targets = set(self._names_in(target, _MAX_LEVELS))
        if targets and len(self._open) < _MAX_OPEN:
            opened = _Value(targets, value.end_byte)
            self._values.append(opened)
            place = len(self._open)
            while place and self._open[place - 1].end < opened.end:
                place -= 1
            self._open.insert(place, opened)  # the last one is that which ends first

    def _names_in(self, target: Node, levels: int) -> Iterator[str]:
        """The names that a pattern binds, or the one at the root of ``a.b[c]``."""
        while (owner := target.child_by_field_name("object")) is not None:
            target = owner
        if target.type in ("identifier", "shorthand_property_identifier_pattern"):
            yield self._text(target)
        elif levels and (target.type.endswith("pattern") or target.type == "formal_parameters"):
            for part in children(target):
                if part.is_named:
                    yield from self._names_in(part, levels - 1)

    def _begins(self, node: Node, word: bytes) -> bool:
        return self._source.startswith(word, node.start_byte)

    def _text(self, node: Node) -> str:
        return text_of(self._source, node)


_READERS: dict[str, Callable[[_Reader, Node], None]] = {
    "variable_declarator": _Reader._declare,
    "assignment_expression": _Reader._assign,
    "augmented_assignment_expression": _Reader._assign,
    "for_in_statement": _Reader._assign,
    "call_expression": _Reader._call,
    "import_statement": _Reader._import,
    "pair": _Reader._pair,
    "export_statement": _Reader._export,
}


def _parameters(function: Node) -> Node | None:
    return function.child_by_field_name("parameters") or function.child_by_field_name("parameter")

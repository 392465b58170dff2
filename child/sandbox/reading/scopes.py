"""Which declaration each name of a source refers to (ECMA-262, 8 and 9.1)."""

from __future__ import annotations

from flowcage.child.sandbox.reading.syntax import FUNCTIONS, SourceTree, Syntax

_SCOPES = FUNCTIONS | frozenset(
    {
        "program",
        "statement_block",
        "for_statement",
        "for_in_statement",
        "switch_body",
        "catch_clause",
        "class",
        "class_declaration",
        "class_static_block",
    }
)
_OF_VARS = FUNCTIONS | frozenset({"program", "class_static_block"})
_NAMES = frozenset({"identifier", "shorthand_property_identifier", "shorthand_property_identifier_pattern"})
_NAMED_OUTSIDE = frozenset({"function_declaration", "generator_function_declaration", "class_declaration"})
_NAMED_INSIDE = frozenset({"function_expression", "generator_function", "class"})
_DECLARED_BY_FIELD = {
    ("arrow_function", "parameter"): "parameter",
    ("catch_clause", "parameter"): "catch",
}
_WRITES = frozenset({"assignment_expression", "augmented_assignment_expression", "update_expression"})


class Binding:
    """A declared name.

    Attributes:
        kind: ``var``, ``let``, ``const``, ``function``, ``class``, ``parameter``, ``catch`` or ``import``.
        node: the name where it is declared.
        holder: the declarator, function, class or clause that declares it.
        uses: where it is read.
        changes: where it is assigned to, apart from its declaration.
    """

    __slots__ = ("changes", "holder", "kind", "name", "node", "uses")

    def __init__(self, name: str, kind: str, node: Syntax, holder: Syntax) -> None:
        self.name, self.kind, self.node, self.holder = name, kind, node, holder
        self.uses: list[Syntax] = []
        self.changes: list[Syntax] = []

    @property
    def value(self) -> Syntax | None:
        """What the name always stands for: its initializer, function or class; None where that may change."""
        if self.changes or self.kind not in ("var", "let", "const", "function", "class"):
            return None
        if self.holder.type != "variable_declarator":
            return self.holder if self.kind in ("function", "class") else None
        return self.holder["value"] if self.holder["name"] is self.node else None


class Scope:
    """The names that are declared in one place; `parent` has those around it."""

    __slots__ = ("bindings", "node", "parent")

    def __init__(self, node: Syntax, parent: Scope | None) -> None:
        self.node, self.parent = node, parent
        self.bindings: dict[str, Binding] = {}

    def find(self, name: str) -> Binding | None:
        """The binding of a name, here or around."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bindings:
                return scope.bindings[name]
            scope = scope.parent
        return None


class Scopes:
    """The bindings of a source.

    Attributes:
        bindings: all of them, in the order of the text.
        free: names that are read and that nothing declares.
        free_changes: names that are assigned to and that nothing declares.
    """

    def __init__(self, tree: SourceTree) -> None:
        self._tree = tree
        self._inside: dict[int, Scope] = {}
        self._referred: dict[int, Binding] = {}
        self.bindings: list[Binding] = []
        self.free: list[Syntax] = []
        self.free_changes: list[Syntax] = []
        references = []
        for node in tree.nodes:
            outer = None if node.parent is None else self._inside[id(node.parent)]
            self._inside[id(node)] = Scope(node, outer) if outer is None or _opens(node) else outer
            if node.type in _NAMES and (role := _role(node)) != "none":
                if isinstance(role, str):
                    references.append((node, role))
                else:
                    self._declare(node, *role)
        for node, role in references:
            self._refer(node, role)

    def of(self, node: Syntax | None) -> Binding | None:
        """The binding that a name refers to, or declares; None for a global, and for what is no name."""
        return None if node is None else self._referred.get(id(node))

    def is_global(self, node: Syntax | None, name: str) -> bool:
        """Whether a node is this name and refers to the global object's."""
        return (
            node is not None
            and node.type == "identifier"
            and id(node) not in self._referred
            and self._tree.text(node) == name
        )

    def _declare(self, node: Syntax, kind: str, holder: Syntax) -> None:
        scope = self._place(node, kind, holder)
        name = self._tree.text(node)
        binding = scope.bindings.get(name)
        if binding is None:
            binding = scope.bindings[name] = Binding(name, kind, node, holder)
            self.bindings.append(binding)
        else:  # `var` twice, or a function over another
            binding.changes.append(node)
        self._referred[id(node)] = binding

    def _place(self, node: Syntax, kind: str, holder: Syntax) -> Scope:
        is_outside = holder.type in _NAMED_OUTSIDE and holder["name"] is node
        held = holder.parent if is_outside else holder
        assert held is not None
        scope = self._inside[id(held)]
        while kind == "var" and scope.node.type not in _OF_VARS and scope.parent is not None:
            scope = scope.parent
        return scope

    def _refer(self, node: Syntax, role: str) -> None:
        binding = self._inside[id(node)].find(self._tree.text(node))
        if binding is None:
            (self.free_changes if role == "write" else self.free).append(node)
            return
        self._referred[id(node)] = binding
        (binding.changes if role == "write" else binding.uses).append(node)


def _opens(node: Syntax) -> bool:
    is_body = node.type == "statement_block" and node.parent is not None and node.parent.type in FUNCTIONS
    return node.type in _SCOPES and not is_body


def _role(node: Syntax) -> str | tuple[str, Syntax]:
    """What a name does: ``read``, ``write``, ``none``; or the kind and the holder of what it declares."""
    top = _pattern_of(node)
    holder = top.parent
    if holder is None:
        return "none"
    if (declared := _declared(top, holder)) is not None:
        return declared
    if holder.type == "import_specifier":
        return "none"  # the name in the other module
    if holder.type == "export_specifier":
        statement = holder.parent.parent if holder.parent is not None else None
        is_other = top.field == "alias" or (statement is not None and statement["source"] is not None)
        return "none" if is_other else "read"
    if holder.type == "for_in_statement" and top.field == "left":
        return "write"
    return "write" if holder.type in _WRITES and top.field in ("left", "argument") else "read"


def _declared(top: Syntax, holder: Syntax) -> tuple[str, Syntax] | None:
    kind = _DECLARED_BY_FIELD.get((holder.type, top.field or ""))
    if kind is not None:
        return kind, holder
    match holder.type:
        case "variable_declarator" if top.field == "name":
            return _keyword(holder.parent), holder
        case "formal_parameters" if holder.parent is not None:
            return "parameter", holder.parent
        case "for_in_statement" if top.field == "left" and holder["kind"] is not None:
            return _keyword(holder), holder
        case "import_clause" | "namespace_import":
            return "import", holder
        case "import_specifier" if top.field == "alias" or holder["alias"] is None:
            return "import", holder
    if top.field == "name" and holder.type in _NAMED_OUTSIDE | _NAMED_INSIDE:
        return ("class" if holder.type.startswith("class") else "function"), holder
    return None


def _keyword(declaration: Syntax | None) -> str:
    words = ("const", "let", "var")
    return next((word for word in words if declaration is not None and declaration.has(word)), "let")


def _pattern_of(node: Syntax) -> Syntax:
    """The outermost pattern that a name is bound by; the node itself where it is in none."""
    top = node
    while (parent := top.parent) is not None:
        is_part = (
            parent.type in ("object_pattern", "array_pattern", "rest_pattern")
            or (parent.type == "pair_pattern" and top.field == "value")
            or (parent.type in ("assignment_pattern", "object_assignment_pattern") and top.field == "left")
        )
        if not is_part:
            return top
        top = parent
    return top

"""Finds parts of a workflow's source by a JavaScript grammar: imports, exports, returns, `meta`.

The grammar only locates. Which dialect a source is, and whether it is correct, the engine decides
(`program`), because a grammar that recovers from errors can misread hostile text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowcage._hints import NamedTuple, TypeAlias
from flowcage.child.sandbox.syntax_tree import Bounds, SourceTooLarge, children, nodes, text_of, tree

TYPE_CHECKING = False  # what type checkers take for True, without importing typing
if TYPE_CHECKING:
    from tree_sitter import Node

# The tree of dense code of this size takes 60 MiB.
MAX_PARSED_BYTES = 1 << 20

_FUNCTIONS = frozenset(
    {
        "function_declaration",
        "function_expression",
        "generator_function",
        "generator_function_declaration",
        "arrow_function",
        "method_definition",
        "class_static_block",
    }
)
_LISTS = frozenset({"lexical_declaration", "variable_declaration"})
_DECLARATIONS = _LISTS | frozenset(
    {
        "function_declaration",
        "generator_function_declaration",
        "class_declaration",
    }
)
# Nodes that can hold a return statement outside of functions. ERROR is where the grammar has failed to parse.
_HOLD_STATEMENTS = frozenset(
    {
        "program",
        "statement_block",
        "if_statement",
        "else_clause",
        "for_statement",
        "for_in_statement",
        "while_statement",
        "do_statement",
        "try_statement",
        "catch_clause",
        "finally_clause",
        "switch_statement",
        "switch_body",
        "switch_case",
        "switch_default",
        "labeled_statement",
        "ERROR",
    }
)
DYNAMIC_IMPORT = re.compile(rb"\bimport\s*\(")


# The specifier of an import: its text without quotes, None where it is computed; and the byte where it
# begins.
Import: TypeAlias = tuple[str | None, int]


class Parts(NamedTuple):
    """What the grammar found, as byte ranges of the source.

    Attributes:
        imports: import declarations at the top level.
        exports: the ``export`` keyword before declarations at the top level.
        returns: where the keyword of each return outside any function begins.
        meta: the initializer of ``export const meta``.
        other_exports: where each export begins that is not of a declaration, such as ``export default``.
        exported: the names that are exported; None where the tree has an error.
        own_exports: those of them that come from no other module.
        reexports: exports from other modules.
        specifiers: those of import declarations and of reexports.
        dynamic_imports: the first arguments of ``import()`` calls, anywhere.
        unawaited_call: the name of an async function of the source, where the last call statement at the top
            level calls it without ``await``.
    """

    imports: list[tuple[int, int]]
    exports: list[tuple[int, int]]
    returns: list[int]
    meta: tuple[int, int] | None
    other_exports: list[int]
    exported: list[str] | None
    own_exports: list[str]
    reexports: list[tuple[int, int]]
    specifiers: list[Import]
    dynamic_imports: list[Import]
    unawaited_call: str | None

    @property
    def first_export(self) -> int | None:
        """Where the first export begins, after that of `meta` if there is another."""
        starts = sorted([*(start for start, _ in self.exports), *self.other_exports])
        meta = self.meta[0] if self.meta is not None else 0
        return next((start for start in starts if start > meta), starts[0] if starts else None)


def parse(source: bytes, bounds: Bounds) -> Parts:
    """Find the parts of a workflow's source.

    Raises:
        SourceTooLarge: the source is longer than `MAX_PARSED_BYTES`, or its tree larger than memory allows.
        Interrupted: the step's time is over.
    """
    if len(source) > MAX_PARSED_BYTES:
        raise SourceTooLarge(
            f"a script, or a source whose meta is read, may have {MAX_PARSED_BYTES} bytes, "
            f"not {len(source)}; an ES module may be longer"
        )
    root = tree(source, bounds)
    parts = _top_level(source, root)
    parts.returns.extend(
        node.start_byte for node in nodes(root, bounds, _HOLD_STATEMENTS) if node.type == "return_statement"
    )
    if DYNAMIC_IMPORT.search(source):
        found = (_dynamic_import(source, node) for node in nodes(root, bounds))
        parts.dynamic_imports.extend(each for each in found if each is not None)
    return parts


def _top_level(source: bytes, root: Node) -> Parts:
    exported: list[str] | None = None if root.has_error else []
    parts = Parts(
        [], [], [], _meta(source, root), [], exported, [], [], [], [], _unawaited_call(source, root)
    )
    for node in children(root):
        if node.type == "import_statement":
            parts.imports.append((node.start_byte, node.end_byte))
        elif node.type == "export_statement":
            keyword, second = node.child(0), node.child(1)
            assert keyword is not None
            if second is not None and second.type in _DECLARATIONS:
                parts.exports.append((keyword.start_byte, keyword.end_byte))
            else:
                parts.other_exports.append(keyword.start_byte)
            if exported is not None:
                names = list(_exported(source, node))
                exported.extend(names)
                parts.own_exports.extend(names if node.child_by_field_name("source") is None else ())
        if (specifier := node.child_by_field_name("source")) is not None:
            parts.specifiers.append(_import(source, specifier))
            if node.type == "export_statement":
                parts.reexports.append((node.start_byte, node.end_byte))
    return parts


def _exported(source: bytes, statement: Node) -> Iterator[str]:
    declaration = statement.child_by_field_name("declaration")
    for node in children(statement):
        if node.type == "default":
            yield "default"
            return
        if node.type == "export_clause":
            for each in (child for child in children(node) if child.type == "export_specifier"):
                named = each.child_by_field_name("alias") or each.child_by_field_name("name")
                yield "" if named is None else text_of(source, named).strip("'\"")
    if declaration is not None:
        for node in children(declaration) if declaration.type in _LISTS else (declaration,):
            if node.is_named and node.type != "comment":
                yield _name(source, node)


def _import(source: bytes, specifier: Node) -> Import:
    text = text_of(source, specifier)[1:-1] if specifier.type == "string" else None
    return text, specifier.start_byte


def _dynamic_import(source: bytes, call: Node) -> Import | None:
    function = call.child_by_field_name("function") if call.type == "call_expression" else None
    arguments = call.child_by_field_name("arguments") if function and function.type == "import" else None
    first = arguments.named_child(0) if arguments is not None else None
    return None if first is None else _import(source, first)


def _meta(source: bytes, root: Node) -> tuple[int, int] | None:
    for statement in children(root):
        is_export = statement.type == "export_statement"
        declaration = statement.child_by_field_name("declaration") if is_export else None
        for declarator in children(declaration) if declaration is not None else ():
            value = declarator.child_by_field_name("value")
            if value is not None and _name(source, declarator) == "meta":
                return value.start_byte, value.end_byte
    return None


def _unawaited_call(source: bytes, root: Node) -> str | None:
    async_functions: set[str] = set()
    called = None
    for statement in children(root):
        if statement.type in _DECLARATIONS:
            for each in children(statement) if statement.type in _LISTS else (statement,):
                if _is_async(each):
                    async_functions.add(_name(source, each))
        elif statement.type == "expression_statement":
            call = statement.named_child(0)
            if call is not None and call.type == "call_expression":
                called = call.child_by_field_name("function")
    name = text_of(source, called) if called is not None and called.type == "identifier" else None
    return name if name in async_functions else None


def _name(source: bytes, node: Node) -> str:
    name = node.child_by_field_name("name")
    return "" if name is None else text_of(source, name)


def _is_async(declaration: Node) -> bool:
    function = declaration if declaration.type in _FUNCTIONS else declaration.child_by_field_name("value")
    first = function.child(0) if function is not None and function.type in _FUNCTIONS else None
    return first is not None and first.type == "async"

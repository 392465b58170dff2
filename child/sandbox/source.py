"""Workflow source text: which dialect it is, and where its parts are.

A module is compiled as it is. A script (top-level ``return``, the form most workflows in the wild have) is
laid inside an async function; tree-sitter's JavaScript grammar says where its imports, its ``export`` and
its returns are. Every replacement keeps length and line breaks, so positions stay the author's.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import NamedTuple

from tree_sitter import Language, Node, Parser

BOM = b"\xef\xbb\xbf"
# tree-sitter does not survive a failed allocation, and hostile text costs it up to 1.5 kB of memory a byte;
# this much fits the address space that the cage leaves.
MAX_PARSED_BYTES = 128 * 1024

_LINE_ENDS = frozenset("\n\r\u2028\u2029")
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
_DECLARATIONS = frozenset(
    {
        "lexical_declaration",
        "variable_declaration",
        "function_declaration",
        "generator_function_declaration",
        "class_declaration",
    }
)
_LITERALS = frozenset(
    {"string", "number", "true", "false", "null", "undefined", "template_string", "comment"}
)
_CONTAINERS = frozenset({"object", "array", "pair", "unary_expression", "parenthesized_expression"})
_KEYS = frozenset({"property_identifier", "string_fragment", "escape_sequence"})


class Parts(NamedTuple):
    """What the grammar found, as byte ranges of the source.

    Attributes:
        imports: import declarations at the top level.
        exports: the ``export`` keyword of declarations at the top level.
        returns: where the keyword of each return outside any function begins.
        meta: the literal that ``export const meta`` is given.
        other_exports: where an export begins that is no declaration, ``export default`` above all.
        exports_only_meta: whether that is the only export there is.
    """

    imports: list[tuple[int, int]]
    exports: list[tuple[int, int]]
    returns: list[int]
    meta: tuple[int, int] | None
    other_exports: list[int]
    exports_only_meta: bool


class NotLiteral(Exception):
    """`meta` computes something; `offset` is the byte where."""

    def __init__(self, offset: int) -> None:
        super().__init__("meta must be a literal: it is read without running the workflow")
        self.offset = offset


class SourceTooLarge(Exception):
    """The source is longer than the grammar is asked to read."""


def clean(source: str) -> bytes:
    """UTF-8 without a byte-order mark, a hashbang (ECMA-262, 12.5) made a comment."""
    encoded = source.encode("utf-8", "surrogatepass").removeprefix(BOM)
    return b"//" + encoded[2:] if encoded.startswith(b"#!") else encoded


def parse(source: bytes) -> Parts:
    """Find the parts of a workflow's source.

    Raises:
        SourceTooLarge: more than `MAX_PARSED_BYTES`.
    """
    if len(source) > MAX_PARSED_BYTES:
        raise SourceTooLarge(
            f"a script, or a source whose meta is read, may have {MAX_PARSED_BYTES} bytes, "
            f"not {len(source)}; an ES module may be longer"
        )
    root = _PARSER.parse(source).root_node
    meta = _meta(root)
    statements = [node for node in root.children if node.type == "export_statement"]
    only_meta = meta is not None and len(statements) == 1
    parts = Parts([], [], list(_returns(root)), meta, [], only_meta)
    for node in root.children:
        if node.type == "import_statement":
            parts.imports.append((node.start_byte, node.end_byte))
        elif node.type == "export_statement":
            keyword, second = node.children[0], node.children[1]
            if second.type in _DECLARATIONS:
                parts.exports.append((keyword.start_byte, keyword.end_byte))
            else:
                parts.other_exports.append(keyword.start_byte)
    return parts


def meta_literal(source: bytes, parts: Parts) -> bytes | None:
    """The text of the `meta` literal.

    Raises:
        NotLiteral: it holds more than literals.
    """
    if parts.meta is None:
        return None
    start, end = parts.meta
    value = _PARSER.parse(b"(" + source[start:end] + b")").root_node
    _refuse_computation(value, start - 1)
    return source[start:end]


def as_check(source: bytes, parts: Parts) -> bytes:
    """A module that compiles exactly if the script's text is closed in itself.

    Returns outside functions become throws, which take the same expressions and need no wrapper, or zeros
    where no expression follows; what compiles like this cannot close the one that `as_function` adds.
    """
    text = bytearray(source)
    for start in parts.returns:
        text[start : start + 6] = _instead_of_return(source[start + 6 :].decode("utf-8", "replace"))
    return bytes(text)


def as_function(source: bytes, parts: Parts) -> tuple[bytes, int]:
    """The script as a module that default-exports it as an async function.

    Returns:
        The text, and the number of its first line such that the author's lines keep theirs.
    """
    text = bytearray(source)
    for start, end in parts.imports + parts.exports:
        text[start:end] = _blank(source[start:end])
    hoisted = b"".join(source[start:end] + b"\n" for start, end in parts.imports)
    # Two line breaks at least: the engine takes a first line of 0 to mean that none was given.
    head = hoisted + b"\nexport default async () => {\n"
    return head + bytes(text) + b"\n};", 1 - head.count(b"\n")


def position(source: bytes, offset: int) -> tuple[int, int]:
    """Line and column of a byte, both from 1, columns in characters."""
    before = source[:offset]
    column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
    return before.count(b"\n") + 1, column


def _blank(text: bytes) -> bytes:
    return bytes(byte if byte in b"\r\n" else 0x20 for byte in text)


def _instead_of_return(rest: str) -> bytes:
    """Six bytes that stand for ``return`` before `rest`, and end where it ends (ECMA-262, 12.10.1).

    The grammar is not asked whether a value follows: it and the engine must not disagree on that.
    """
    place = 0
    while place < len(rest):
        if rest.startswith("/*", place) and (end := rest.find("*/", place)) >= 0:
            if not _LINE_ENDS.isdisjoint(rest[place:end]):
                return b"0;    "
            place = end + 2
        elif rest[place] in _LINE_ENDS or rest[place] == "}" or rest.startswith("//", place):
            return b"0;    "
        elif rest[place] == ";":
            return b"0     "
        elif rest[place].isspace() or rest[place] == "\ufeff":
            place += 1
        else:
            return b"throw "
    return b"0;    "


def _returns(root: Node) -> Iterator[int]:
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type == "return_statement":
            yield node.start_byte
        stack.extend(child for child in node.children if child.type not in _FUNCTIONS)


def _meta(root: Node) -> tuple[int, int] | None:
    for statement in root.children:
        declaration = statement.child_by_field_name("declaration")
        if statement.type != "export_statement" or declaration is None:
            continue
        for declarator in declaration.named_children:
            name, value = (declarator.child_by_field_name(field) for field in ("name", "value"))
            if name is not None and value is not None and name.text == b"meta":
                return value.start_byte, value.end_byte
    return None


def _refuse_computation(root: Node, offset: int) -> None:
    stack = [root.named_children[0].named_children[0]]
    while stack:
        node = stack.pop()
        if node.type in _CONTAINERS or (node.type == "template_string" and node.named_children):
            stack.extend(node.named_children)
        elif node.type not in _LITERALS and node.type not in _KEYS:
            raise NotLiteral(offset + node.start_byte)


def _load_parser() -> Parser:
    # The grammar is one extension module, but its package imports importlib.resources to read files that
    # we do not use: 10 ms of every child's start-up. So the extension is loaded without the package.
    package = find_spec("tree_sitter_javascript")
    locations = package.submodule_search_locations if package else None
    spec = PathFinder.find_spec("tree_sitter_javascript._binding", locations)
    if spec is None or spec.loader is None:
        raise ImportError("tree-sitter-javascript is not installed")
    binding = module_from_spec(spec)
    spec.loader.exec_module(binding)
    return Parser(Language(binding.language()))


_PARSER = _load_parser()

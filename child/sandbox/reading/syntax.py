"""The syntax tree of a source as plain nodes, in the order of the text."""

from __future__ import annotations

from collections.abc import Iterator

from flowcage.child.sandbox.reading.awaits import with_awaits
from flowcage.child.sandbox.syntax_tree import Bounds, SourceTooLarge, tree

TYPE_CHECKING = False  # what type checkers take for True, without importing typing
if TYPE_CHECKING:
    from tree_sitter import TreeCursor

# A node takes some 300 bytes, and a rule a microsecond for each.
MAX_NODES = 150_000
MAX_DEPTH = 500
_STEPS_PER_CHECK = 4096
_LEFT_OUT = frozenset({*"(){}[],;.:'\"`", "${", "comment", "hash_bang_line", "html_comment"})
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
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


class Syntax:
    """A node: its type and field in the grammar, its bytes, the node that holds it, and those in it.

    `function` is the innermost function around it; None at the top level. Punctuation and comments are left
    out; operators and keywords are nodes.
    """

    __slots__ = ("children", "end", "field", "function", "parent", "start", "type")

    def __init__(self, type: str, field: str | None, start: int, end: int, parent: Syntax | None) -> None:
        self.type, self.field, self.start, self.end, self.parent = type, field, start, end, parent
        self.children: list[Syntax] = []
        is_inside = parent is not None and parent.type in FUNCTIONS
        self.function: Syntax | None = (
            parent if is_inside else parent.function if parent is not None else None
        )

    def __getitem__(self, field: str) -> Syntax | None:
        """The first child with this field."""
        return next((child for child in self.children if child.field == field), None)

    def hold_itself(self, type: str) -> Syntax:
        """Become a node of another type whose only child is what this one was; return that."""
        inner = Syntax(self.type, None, self.start, self.end, self)
        inner.children = self.children
        for child in inner.children:
            child.parent = inner
        self.type, self.children = type, [inner]
        return inner

    def has(self, type: str) -> bool:
        """Whether a child has this type, such as ``async``."""
        return any(child.type == type for child in self.children)

    def above(self) -> Iterator[Syntax]:
        """The nodes that hold this one, from the inside out."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def inside(self) -> Iterator[Syntax]:
        """This node and all below it, in the order of the text."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))


class SourceTree:
    """A source and its nodes.

    Attributes:
        source: in UTF-8.
        nodes: all of them, in the order of the text, each before those in it.
        is_whole: whether the grammar has understood all of it.
    """

    def __init__(self, source: bytes, bounds: Bounds) -> None:
        self.source = source
        root = tree(source, bounds)
        self.is_whole = not root.has_error
        self.nodes = _plain(root.walk(), bounds)
        awaits = [node for node in self.nodes if node.type == "identifier" and self._is_await(node)]
        if awaits:
            self.nodes = with_awaits(self.root, awaits)

    @property
    def root(self) -> Syntax:
        return self.nodes[0]

    def text(self, node: Syntax) -> str:
        """The text of a node."""
        return self.source[node.start : node.end].decode("utf-8", "replace")

    def of(self, *types: str) -> Iterator[Syntax]:
        """The nodes of some types, in the order of the text."""
        return (node for node in self.nodes if node.type in types)

    def _is_await(self, node: Syntax) -> bool:
        return node.end - node.start == 5 and self.source[node.start : node.end] == b"await"

    def string(self, node: Syntax | None) -> str | None:
        """The value of a string, or of a template without parts that are computed; None for all else."""
        if node is None or node.type not in ("string", "template_string"):
            return None
        if any(child.type == "template_substitution" for child in node.children):
            return None
        text = self.text(node)[1:-1]
        return _unescaped(text) if "\\" in text else text


def bare(node: Syntax | None) -> Syntax | None:
    """A node without parentheses around it."""
    while node is not None and node.type == "parenthesized_expression" and node.children:
        node = node.children[0]
    return node


def around(node: Syntax) -> Syntax:
    """A node with the parentheses around it."""
    while node.parent is not None and node.parent.type == "parenthesized_expression":
        node = node.parent
    return node


def _plain(cursor: TreeCursor, bounds: Bounds) -> list[Syntax]:
    found: list[Syntax] = []
    parent: Syntax | None = None
    depth = 0
    while True:
        node = cursor.node
        assert node is not None
        here = Syntax(node.type, cursor.field_name, node.start_byte, node.end_byte, parent)
        is_kept = here.type not in _LEFT_OUT
        if is_kept:
            found.append(here)
            if parent is not None:
                parent.children.append(here)
            if len(found) % _STEPS_PER_CHECK == 0:
                bounds.check_time()
            if len(found) > MAX_NODES:
                raise SourceTooLarge("the source is too long to be read further")
            if cursor.goto_first_child():
                parent, depth = here, depth + 1
                if depth > MAX_DEPTH:
                    raise SourceTooLarge("the source is nested too deep to be read further")
                continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return found
            assert parent is not None
            parent, depth = parent.parent, depth - 1


def _unescaped(text: str) -> str | None:
    parts = iter(text)
    found = []
    for each in parts:
        if each == "\\":
            each = next(parts, "")
            if each in "xu123456789\r\n\u2028\u2029":
                return None
            each = _ESCAPES.get(each, each)
        found.append(each)
    return "".join(found)

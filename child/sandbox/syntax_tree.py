"""Parses JavaScript by tree-sitter, within bounds of time and memory.

The text is hostile, and tree-sitter aborts the process where an allocation fails. So a parse stops when it
has mapped as much memory as `Bounds` allows, and trees are walked with cursors, which take no memory for each
node.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec

from flowcage._hints import Any
from flowcage.child.engine.watchdog import Watchdog
from flowcage.protocol.limits import MIB

TYPE_CHECKING = False  # what type checkers take for True, without importing typing
if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Point

_MOST_BYTES = 256 * MIB  # most memory for one tree
# Source of this size needs no bound: the worst text costs a kilobyte for each byte, and `Bounds` allows 16
# MiB.
_SMALL_BYTES = 8 * 1024
_CHUNK_BYTES = 64 * 1024
# How often time and memory are checked: the parser calls back every few hundred bytes, and one step of a walk
# takes less than a microsecond.
_REPORTS_PER_CHECK = 16
_STEPS_PER_CHECK = 4096


class Bounds:
    """How much time and memory a parse may take.

    Args:
        watchdog: the clock of the step that parses.
        mapped_bytes: returns the memory that this process has mapped; 0 where it is unknown, and then only
            time and the length of the text are bounds.
        address_space_bytes: how much may be mapped in all (RLIMIT_AS).
    """

    def __init__(self, watchdog: Watchdog, mapped_bytes: Callable[[], int], address_space_bytes: int) -> None:
        self._watchdog = watchdog
        self._mapped_bytes = mapped_bytes
        self._address_space_bytes = address_space_bytes

    def begin(self) -> Callable[[], bool]:
        """Begin a parse.

        Returns:
            A function that returns whether the parse may go on. It may use half of the memory that is left:
            the rest is for the walk through the tree, and for an allocation that doubles.
        """
        mapped = self._mapped_bytes()
        left = (self._address_space_bytes or mapped + 2 * _MOST_BYTES) - mapped
        most = mapped + min(left // 2, _MOST_BYTES)
        return lambda: not self._watchdog.expired() and self._mapped_bytes() <= most

    def check_time(self) -> None:
        """Raise `Interrupted` if the time of the step is over."""
        self._watchdog.check()


class SourceTooLarge(Exception):
    """The source is longer than the grammar may read, or its tree larger than memory allows."""


def tree(source: bytes, bounds: Bounds) -> Node:
    """Parse a source.

    Returns:
        The root of its syntax tree.

    Raises:
        SourceTooLarge: there is not enough memory for it.
        Interrupted: the step's time is over.
    """
    # Some rules of the grammar take NUL for the end of the text. The engine has compiled the original.
    source = source.replace(b"\0", b"\x01")
    if len(source) <= _SMALL_BYTES:
        return _PARSER.parse(source).root_node

    def read(offset: int, _place: Point) -> bytes:
        return source[offset : offset + _CHUNK_BYTES]

    may_go_on = bounds.begin()
    try:
        return _PARSER.parse(read, progress_callback=_every(_REPORTS_PER_CHECK, may_go_on)).root_node
    except ValueError:  # the progress callback has stopped it
        _PARSER.reset()
        bounds.check_time()
        raise SourceTooLarge(
            "the source is too large, or nested too deep, to be parsed in addressSpaceBytes"
        ) from None


def nodes(top: Node, bounds: Bounds, opened: Collection[str] | None = None) -> Iterator[Node]:
    """`top` and the nodes below it, in the order of the text.

    Args:
        opened: the types of nodes whose children are visited; None visits all.

    Raises:
        Interrupted: the step's time is over.
    """
    cursor = top.walk()
    steps = 0
    while True:
        node = cursor.node
        assert node is not None
        yield node
        steps += 1
        if steps % _STEPS_PER_CHECK == 0:
            bounds.check_time()
        if (opened is None or node.type in opened) and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def children(node: Node) -> Iterator[Node]:
    """The children of a node, one at a time: `Node.children` would create all of them."""
    cursor = node.walk()
    more = cursor.goto_first_child()
    while more:
        child = cursor.node
        assert child is not None
        yield child
        more = cursor.goto_next_sibling()


def text_of(source: bytes, node: Node) -> str:
    """The text of a node; `Node.text` is None after a parse that read the source by callback."""
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _every(count: int, may_go_on: Callable[[], bool]) -> Callable[[int, bool], bool]:
    reports = 0

    def must_stop(_offset: int, _has_error: bool) -> bool:
        nonlocal reports
        reports += 1
        return reports % count == 0 and not may_go_on()

    return must_stop


def _extension(package: str) -> Any:
    """The extension module of a package, without the package's own code.

    That of tree_sitter imports `typing`, and that of the grammar importlib.resources, to read files that are
    not used here: 13 ms of each child's start.
    """
    found = find_spec(package)
    spec = PathFinder.find_spec(f"{package}._binding", found.submodule_search_locations if found else None)
    if spec is None or spec.loader is None:
        raise ImportError(f"{package} is not installed")
    binding = module_from_spec(spec)
    spec.loader.exec_module(binding)
    return binding


def _new_parser() -> Parser:
    library, grammar = _extension("tree_sitter"), _extension("tree_sitter_javascript")
    parser: Parser = library.Parser(library.Language(grammar.language()))
    return parser


_PARSER = _new_parser()

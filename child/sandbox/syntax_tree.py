"""tree-sitter's JavaScript grammar, and what asking it may cost.

It reads hostile text, and does not survive a failed allocation: then the whole child is gone. So a parse
stops when it has mapped as much as `Bounds` gives it, and the tree is walked with cursors, which take no
memory for a node.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec

from tree_sitter import Language, Node, Parser, Point

from flowcage.child.engine.watchdog import Watchdog
from flowcage.protocol.limits import MIB

_MOST_BYTES = 256 * MIB  # of a tree
# What cannot map 16 MiB (the least that `Bounds` gives) at the kilobyte a byte that the worst text costs.
_SMALL_BYTES = 8 * 1024
_CHUNK_BYTES = 64 * 1024
# The parser reports every few hundred bytes, and a walk step costs less than a microsecond.
_REPORTS_PER_CHECK = 16
_STEPS_PER_CHECK = 4096


class Bounds:
    """Asked from inside a parse.

    Args:
        watchdog: the clock of the step that parses.
        mapped_bytes: tells how much is mapped; 0 where it cannot, and then only the text's length is a bound.
        address_space_bytes: what may be mapped in all (RLIMIT_AS).
    """

    def __init__(self, watchdog: Watchdog, mapped_bytes: Callable[[], int], address_space_bytes: int) -> None:
        self._watchdog = watchdog
        self._mapped_bytes = mapped_bytes
        self._address_space_bytes = address_space_bytes

    def begin(self) -> Callable[[], bool]:
        """Begin to count.

        Returns:
            A function that tells whether a parse may go on: half of what was left stays, for the walk through
            the tree and for one allocation that doubles.
        """
        mapped = self._mapped_bytes()
        left = (self._address_space_bytes or mapped + 2 * _MOST_BYTES) - mapped
        most = mapped + min(left // 2, _MOST_BYTES)
        return lambda: not self._watchdog.expired() and self._mapped_bytes() <= most

    def check_time(self) -> None:
        """Raise `Interrupted` if the step's time is over."""
        self._watchdog.check()


class SourceTooLarge(Exception):
    """The source is longer than the grammar is asked to read, or its tree larger than there is room for."""


def tree(source: bytes, bounds: Bounds) -> Node:
    """The root of the syntax tree.

    Raises:
        SourceTooLarge: there is not enough memory for it.
        Interrupted: the step's time is over.
    """
    # A NUL is the end of the text to some of the grammar's rules; the engine has seen the real one.
    source = source.replace(b"\0", b"\x01")
    if len(source) <= _SMALL_BYTES:
        return _PARSER.parse(source).root_node

    def read(offset: int, _place: Point) -> bytes:
        return source[offset : offset + _CHUNK_BYTES]

    may_go_on = bounds.begin()
    try:
        return _PARSER.parse(read, progress_callback=_every(_REPORTS_PER_CHECK, may_go_on)).root_node
    except ValueError:  # it was told to stop
        _PARSER.reset()
        bounds.check_time()
        raise SourceTooLarge(
            "the source is too large, or nested too deep, to be parsed in addressSpaceBytes"
        ) from None


def nodes(top: Node, bounds: Bounds, opened: Collection[str] | None = None) -> Iterator[Node]:
    """`top` and all below it in the order of the text; with `opened`, only what is in nodes of these kinds.

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
    """The children of a node, one at a time: `Node.children` makes them all."""
    cursor = node.walk()
    more = cursor.goto_first_child()
    while more:
        child = cursor.node
        assert child is not None
        yield child
        more = cursor.goto_next_sibling()


def text_of(source: bytes, node: Node) -> str:
    """What the source has there. `Node.text` does not know it after a long parse."""
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _every(count: int, may_go_on: Callable[[], bool]) -> Callable[[int, bool], bool]:
    reports = 0

    def must_stop(_offset: int, _has_error: bool) -> bool:
        nonlocal reports
        reports += 1
        return reports % count == 0 and not may_go_on()

    return must_stop


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

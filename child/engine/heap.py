"""The engine's heap and its limit: a run whose heap is full ends before the engine sees an allocation fail.

quickjs-ng does not survive every allocation that fails: it collects garbage while it creates the error, when
objects are half changed; its compiler corrupts the allocator's lists; and it drops the error and throws null.
So once a heap comes near its limit, the engine's three allocating functions are replaced by ours ("watched"),
and a request that would pass the limit calls `Heap.on_full`, which does not return. The engine's C frames
stay on the stack as they are, and the session goes on above them (`flowcage.child.session`).

Our functions cost most of a microsecond a call, so a heap that is far from its limit keeps the engine's own.
`watch_if_near_limit` decides: when the engine polls its interrupt handler (every 10,000 branches or calls),
and when it collects garbage, which it does at the next object once the heap has grown by half; the object of
`add_gc_sentinel` makes that visible. Only a native that creates no objects can fill half of a large heap
between two such checks. The engine refuses that request itself, with an error that JavaScript can catch;
`Realm.heap_was_full` finds it by the peak of resident memory.

The functions are at the head of the engine's runtime (``JSMallocFunctions`` and ``JSMallocState`` in
quickjs.c). `Heap` raises `EngineUnavailable` where the counters there are not those that the engine reports.

Invariants, which `tests/child/test_heap.py` tries from outside:

- While a heap is watched the engine's own limit is off, so that only ours refuses.
- `on_full` is called while nothing is being allocated, so the allocator's counters are consistent.
- Before the compiler runs, a heap that its result may bring near the limit is watched (`is_room_scarce`).
- After `abandon` every request is granted and no garbage is collected: a collection would walk objects that
  are half changed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import PYFUNCTYPE, byref, c_size_t, c_uint32, c_void_p

from flowcage._hints import Any
from flowcage.child.engine import arenas, capi
from flowcage.child.engine.errors import EngineUnavailable
from flowcage.protocol.limits import MIB

# More than a run allocates between two checks, unless it does so in one native.
_LEAST_MARGIN = 64 * MIB
_UNLIMITED = 2**63
_PROBE = 123_456_789

_Allocate = PYFUNCTYPE(c_void_p, c_void_p, c_size_t)
_AllocateZeros = PYFUNCTYPE(c_void_p, c_void_p, c_size_t, c_size_t)
_Resize = PYFUNCTYPE(c_void_p, c_void_p, c_void_p, c_size_t)
_UsableSize = PYFUNCTYPE(c_size_t, c_void_p)


class _Head(ctypes.Structure):
    """The first fields of ``struct JSRuntime``: JSMallocFunctions, then JSMallocState."""

    _fields_ = [
        ("calloc", c_void_p),
        ("malloc", c_void_p),
        ("free", c_void_p),
        ("realloc", c_void_p),
        ("usable_size", c_void_p),
        ("count", c_size_t),
        ("size", c_size_t),
        ("limit", c_size_t),
        ("opaque", c_void_p),
    ]


class Heap:
    """The memory of one runtime.

    Args:
        library: from `capi.load`.
        runtime: address of the ``JSRuntime``.

    Attributes:
        on_full: called deep inside the engine where a request passes the limit. None, or where it returns:
            the request fails, and the engine handles that.
        has_refused: whether a request failed.
        is_watched: whether the functions of this module serve the engine's requests.
        limit: most bytes that may be allocated.

    Raises:
        EngineUnavailable: the fields of the runtime are not where they are expected.
    """

    def __init__(self, library: Any, runtime: int) -> None:
        self.on_full: Callable[[], None] | None = None
        self.has_refused = False
        self.is_watched = False
        self._library = library
        self._runtime = runtime
        self._head = _Head.from_address(runtime)
        self._refuse_other_layouts()
        self._head.opaque = runtime  # the argument of our functions; the engine's own do not read it
        self._own = self._head.calloc, self._head.malloc, self._head.realloc
        self._calloc = _AllocateZeros(self._head.calloc)
        self._malloc = _Allocate(self._head.malloc)
        self._realloc = _Resize(self._head.realloc)
        self._usable_size = _UsableSize(self._head.usable_size)
        self.limit = self._watch_above = _UNLIMITED
        self._unlimited = _Unlimited(self)
        self._lifted = self._limit_below = 0
        _heaps[runtime] = self

    def close(self) -> None:
        """Remove the heap of a runtime that was freed."""
        del _heaps[self._runtime]

    @property
    def size(self) -> int:
        """Allocated bytes, as the engine counts them."""
        return int(self._head.size)

    def limit_to(self, limit: int) -> None:
        """Set the limit, in bytes. A heap that is larger already fails at its next request."""
        self.limit = limit
        self._watch_above = limit - max(limit // 2, _LEAST_MARGIN)
        self._tell_engine()
        self.watch_if_near_limit()

    def unlimited(self) -> _Unlimited:
        """Lift the limit inside the block, for code of the prelude that needs little and must not fail."""
        return self._unlimited

    def lift_limit(self) -> None:
        """Begin what `unlimited` is the block of; such blocks may be nested."""
        if self._lifted == 0:
            self._limit_below, self.limit = self.limit, _UNLIMITED
            self._tell_engine()
        self._lifted += 1

    def restore_limit(self) -> None:
        """End it."""
        self._lifted -= 1
        if self._lifted == 0:
            self.limit = self._limit_below
            self._tell_engine()

    def abandon(self) -> None:
        """Grant every request and collect no garbage from here on: objects may be half changed for good."""
        self._library.JS_SetGCThreshold(self._runtime, -1)
        self.on_full = None
        self.limit = _UNLIMITED
        self._tell_engine()

    def watch_if_near_limit(self) -> None:
        """Watch the heap from here on if it has come near its limit; it stays watched."""
        if not self.is_watched and self._head.size > self._watch_above:
            self._watch(True)

    def is_room_scarce(self, size: int) -> bool:
        """Whether `size` bytes more would bring the heap near its limit, or it is there."""
        return self.is_watched or self._head.size + size > self._watch_above

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch the heap inside the block."""
        was_watched = self.is_watched
        self._watch(True)
        try:
            yield
        finally:
            self._watch(was_watched)
            self.watch_if_near_limit()

    def fill_holes(self) -> None:
        """Let what is allocated from here on lie side by side. What fills the holes is not counted."""
        head = self._head
        count, size = head.count, head.size
        arenas.fill_holes(self._library, self._runtime)
        head.count, head.size = count, size

    def _watch(self, watched: bool) -> None:
        self.is_watched = watched
        self._head.calloc, self._head.malloc, self._head.realloc = _WATCHED if watched else self._own
        self._tell_engine()

    def _tell_engine(self) -> None:
        self._head.limit = 0 if self.is_watched else self.limit  # what JS_SetMemoryLimit does

    def calloc(self, count: int, size: int) -> int:
        """Allocate zeroed memory, for the engine."""
        if self._head.size + count * size > self.limit:
            return self._full()
        return self._calloc(None, count, size) or self._full()

    def malloc(self, size: int) -> int:
        """Allocate memory, for the engine."""
        if self._head.size + size > self.limit:
            return self._full()
        return self._malloc(None, size) or self._full()

    def realloc(self, block: int, size: int) -> int:
        """Change the size of a block, for the engine."""
        # The usable size is asked for only where it decides, because that is one more call through ctypes.
        used = self._head.size
        if used + size > self.limit and used + size - self._usable_size(block) > self.limit:
            return self._full()
        return self._realloc(None, block, size) or self._full()

    def _full(self) -> int:
        self.has_refused = True
        if self.on_full is not None:
            self.on_full()
        return 0

    def _refuse_other_layouts(self) -> None:
        usage = capi.MemoryUsage()
        self._library.JS_SetMemoryLimit(self._runtime, _PROBE)
        self._library.JS_ComputeMemoryUsage(self._runtime, byref(usage))
        told = usage.malloc_count, usage.malloc_size, usage.malloc_limit
        head = self._head
        if told != (head.count, head.size, head.limit) or head.limit != _PROBE:
            raise EngineUnavailable(
                "the installed quickjs-ng has its allocator at another place than the releases that flowcage "
                f"was tested with; install quickjs-ng {capi.TESTED_VERSION}.x"
            )


class _Unlimited:
    """The block of `Heap.unlimited`."""

    __slots__ = ("_heap",)

    def __init__(self, heap: Heap) -> None:
        self._heap = heap

    def __enter__(self) -> None:
        self._heap.lift_limit()

    def __exit__(self, *_: object) -> None:
        self._heap.restore_limit()


_heaps: dict[int, Heap] = {}


def _calloc(runtime: int, count: int, size: int) -> int:
    return _heaps[runtime].calloc(count, size)


def _malloc(runtime: int, size: int) -> int:
    return _heaps[runtime].malloc(size)


def _realloc(runtime: int, block: int, size: int) -> int:
    return _heaps[runtime].realloc(block, size)


def _mark(runtime: int, _object: object, _mark_function: int) -> None:
    _heaps[runtime].watch_if_near_limit()


# Created on import, as all callbacks: the cage grants no executable memory later (`cage.code`).
_CALLBACKS = _AllocateZeros(_calloc), _Allocate(_malloc), _Resize(_realloc)
_WATCHED = tuple(ctypes.cast(callback, c_void_p).value for callback in _CALLBACKS)
_ON_MARK = capi.GarbageMark(_mark)
_SENTINEL = capi.ClassDefinition(b"Sentinel", None, _ON_MARK, None, None)


def add_gc_sentinel(library: Any, runtime: int) -> int:
    """Register a class whose objects make the garbage collector call `Heap.watch_if_near_limit`.

    Returns:
        The id of the class; one object of it in each context suffices.
    """
    identifier = c_uint32()
    library.JS_NewClassID(runtime, byref(identifier))
    library.JS_NewClass(runtime, identifier, byref(_SENTINEL))
    return int(identifier.value)

"""What a child writes to lies on few pages: its code is put side by side, and so is what it will allocate.

A child copies each page of the zygote's that it writes to. CPython writes to code as it runs: to the counters
of instructions that adapt themselves, and before 3.12 to the reference count. Code lies where it was loaded,
among that of all modules, most of which no child runs. And both allocators, CPython's for small objects and
the one of the C library, first use up the holes in the zygote's memory, which lie on as many pages.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType

from flowcage._hints import Any

# Of CPython's allocator (Objects/obmalloc.c): its blocks, and the pools that they come from.
_ALIGNMENT, _LARGEST_BLOCK = 16, 512
_POOL_BYTES, _POOL_HEADER_BYTES = 16 * 1024, 48
_ENOUGH = 4  # blocks in their order from the beginning of a pool: it is a fresh one
# Of the C library's: what fits no hole, and sizes of what is allocated in holes.
_LARGEST_HOLE = 100 * 1024
_SIZES = (65536, 32768, 16384, 8192, 4096, 2048, *range(1032, 23, -16))
# Bounds what is tried where an allocator is another one than expected.
_MOST_BLOCKS, _MOST_BYTES = 10_000, 4 * 1024 * 1024

_libc = ctypes.PyDLL(None)
_IS_GLIBC = hasattr(_libc, "malloc_trim")
_libc.malloc.argtypes, _libc.malloc.restype = (ctypes.c_size_t,), ctypes.c_size_t
_libc.free.argtypes, _libc.free.restype = (ctypes.c_size_t,), None
_kept: list[object] = []


def code_that_runs(work: Callable[[], object]) -> set[int]:
    """The addresses of the code objects that run during some work."""
    addresses: set[int] = set()

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call":
            addresses.add(id(frame.f_code))

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return addresses


def gather(addresses: set[int]) -> None:
    """Give the functions that have this code copies of it, which lie side by side where no holes are.

    The copies are not adapted to what they are used for: they have to run some times before a fork.
    """
    gc.unfreeze()  # `get_objects` leaves out what is frozen
    functions = [each for each in gc.get_objects() if type(each) is FunctionType]
    gc.freeze()
    copies: dict[int, CodeType] = {}
    for function in functions:
        if id(function.__code__) in addresses:
            _kept.append(function.__code__)  # else the next copy would lie where this was
            function.__code__ = _copy(function.__code__, addresses, copies)


def _copy(code: CodeType, addresses: set[int], copies: dict[int, CodeType]) -> CodeType:
    if id(code) not in copies:
        constants = [
            _copy(each, addresses, copies) if type(each) is CodeType and id(each) in addresses else each
            for each in code.co_consts
        ]
        copies[id(code)] = code.replace(co_consts=tuple(constants), co_code=code.co_code + _padding(code))
    return copies[id(code)]


def _padding(code: CodeType) -> bytes:
    """What follows the last instruction: small objects would lie apart, by their sizes."""
    lacking = max(0, _LARGEST_BLOCK + _ALIGNMENT - sys.getsizeof(code))
    return bytes(lacking // 2 * 2)  # opcodes 0, which are never reached


def fill_holes() -> None:
    """Allocate what is free between allocated blocks, for good: what is allocated later lies side by side."""
    for size in range(_ALIGNMENT, _LARGEST_BLOCK + 1, _ALIGNMENT):
        _fill_pools(size)
    if _IS_GLIBC:
        _libc.malloc_trim(0)  # else the holes' pages would stay in memory, too
        _fill_heap()


def _fill_pools(size: int) -> None:
    """Allocate blocks of one size, up to the first ones of a fresh pool."""
    before = in_order = 0
    for _ in range(_MOST_BLOCKS):
        block = _block(size)
        _kept.append(block)
        is_first = (id(block) - _POOL_HEADER_BYTES) % _POOL_BYTES == 0
        in_order = 1 if is_first else in_order + 1 if in_order and id(block) == before + size else 0
        if in_order == _ENOUGH:
            return
        before = id(block)


def _block(size: int) -> object:
    header = sys.getsizeof(b"")
    if size < header:
        return object() if size == _ALIGNMENT else float(len(_kept))
    return bytes(size - header)


def _fill_heap() -> None:
    """Allocate chunks of each size, from the largest one down, until one comes from the end of the heap."""
    malloc = _libc.malloc
    end = malloc(_LARGEST_HOLE)
    for size in _SIZES:
        for _ in range(_MOST_BYTES // size):
            if malloc(size) > end:
                break
    _libc.free(end)

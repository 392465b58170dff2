"""The holes in the engine's arenas, filled before a fork.

The engine takes blocks of up to 512 bytes from arenas of 4 KiB, one size an arena (``JSArena`` in quickjs.c).
What the prelude has freed lies in arenas all over the heap, and a fork would copy a page for each that it
fills.
"""

from __future__ import annotations

from ctypes import c_uint16

from flowcage._hints import Any

_SIZES = (*range(16, 128, 8), *range(128, 256, 16), *range(256, 513, 32))  # arena_block_sizes
_HEADER_BYTES = 8  # JSMallocBlockHeader, which begins with the number of the block in its arena
_LARGE = 0xFFFF  # of a block that is in none
_ENOUGH = 3  # blocks in their order from the beginning of an arena: it is a fresh one
_MOST_BLOCKS = 5_000


def fill_holes(library: Any, runtime: int) -> None:
    """Allocate blocks of each size, for good, up to the first ones of a fresh arena.

    `JS_FreeRuntime` frees all arenas, so these blocks, too.
    """
    for size in _SIZES:
        in_order = 0
        for _ in range(_MOST_BLOCKS):
            block = library.js_malloc_rt(runtime, size - _HEADER_BYTES)
            number = c_uint16.from_address(block - _HEADER_BYTES).value if block else _LARGE
            in_order = in_order + 1 if number == in_order else int(number == 0)
            if in_order == _ENOUGH or number == _LARGE:
                break

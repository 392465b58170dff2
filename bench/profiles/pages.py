"""What it costs a forked process to write to a page that it shares with its parent."""

from __future__ import annotations

import os
import time

PAGE_BYTES = 4096
PAGES = 4_000


def a_copied_page(pages: int = PAGES) -> str:
    """One line: microseconds for a page, the mean of so many."""
    memory = bytearray(pages * PAGE_BYTES)
    memory[::PAGE_BYTES] = b"x" * pages
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        began = time.perf_counter()
        memory[::PAGE_BYTES] = b"y" * pages
        os.write(writing, f"{(time.perf_counter() - began) / pages * 1e6:.2f}".encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return f"a page that is copied: {os.read(reading, 100).decode()} µs"

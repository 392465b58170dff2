"""What all contenders measure with."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio


async def timed(run: Callable[[], Awaitable[object]], pause: float) -> float:
    """Milliseconds of a call, after a pause in which a reserve of processes can be filled again."""
    await trio.sleep(pause)
    began = time.perf_counter()
    await run()
    return (time.perf_counter() - began) * 1000


def pss(pid: int) -> float:
    """MiB of a process, each shared page divided by the number of its processes (proc(5), smaps_rollup)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"no Pss of {pid}")

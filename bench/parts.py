"""Where the CPU of a trivial run and of a round trip goes, by process: page faults, Python, engine.

    python bench/parts.py [runs|trips|host|page] [count]

`runs` and `trips` sample the stacks of kernel and processes with perf(1), where it is there and may be used;
what is shared out is the CPU that the kernel has counted for each process without it. `host` is a cProfile of
the host, without its system calls: it makes each call in Python dearer, so what makes many is shown too high.
"""

from __future__ import annotations

import sys
from pathlib import Path

from profiles.by_room import rooms_of_the_host
from profiles.pages import a_copied_page
from profiles.sampled import sampled
from profiles.workloads import WORKLOADS


def main() -> None:
    """Print the tables that are asked for; without words, all."""
    words = sys.argv[1:]
    counts = [int(word) for word in words if word.isdigit()]
    asked = [word for word in words if not word.isdigit()] or ["runs", "trips", "host", "page"]
    parts = []
    for name in asked:
        if name == "host":
            parts.append(rooms_of_the_host(*counts))
        elif name == "page":
            parts.append(a_copied_page(*counts))
        elif name in WORKLOADS:
            parts.append(sampled(name, *counts))
        else:
            sys.exit(f"{Path(__file__).name}: {name!r} is none of runs, trips, host and page")
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()

"""An agent program that notes what it is asked, and sometimes kills the flowcage that asks.

    python killing_agent.py NOTES SEED KILLS

It kills at most KILLS times: before it answers; or some moment after, for which it asks who reads the named
pipe NOTES.kills, since whatever it starts ends with it.
"""

from __future__ import annotations

import fcntl
import os
import random
import signal
import sys


def kill(host: int) -> None:
    """Kill the flowcage that asked; if it is gone, the number may be that of another process."""
    try:
        with open(f"/proc/{host}/cmdline", "rb") as file:
            if b"/flowcage\0" in file.read():
                os.kill(host, signal.SIGKILL)
    except OSError:
        return


def host_of(supervisor: int) -> int:
    """The flowcage that has this supervisor of a program; 1 where it has ended."""
    with open(f"/proc/{supervisor}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def main(notes: str, seed: str, kills: int) -> None:
    host = host_of(os.getppid())
    prompt = sys.stdin.read()
    with open(notes, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        lines = file.read().splitlines()
        rng = random.Random(f"{seed}/{len(lines)}")
        killed = sum(line.startswith("kill ") for line in lines)
        kind = rng.choice(["before", "after", "after", "", ""]) if killed < kills else ""
        file.write(f"ask {prompt}\n")
        if kind:
            file.write(f"kill {kind}\n")
        file.flush()
    if kind == "before":
        kill(host)
    elif kind == "after":
        with open(f"{notes}.kills", "w") as pipe:
            pipe.write(f"{host} {rng.random() * 0.02}\n")
    print(f"<{prompt}>", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

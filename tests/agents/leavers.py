"""Programs that leave processes behind in each way there is, and a look at what of them lives.

Each writes its name to the named pipe in ``EVENTS``, once it has left. All that it starts has ``MARK`` in its
environment.
"""

from __future__ import annotations

import os
import select
from pathlib import Path

_TELL = 'echo {} > "$EVENTS"'
# `sh -c` with one of these; the program itself ends where there is no `wait`.
LEAVERS = {
    "stays": f"{_TELL.format('stays')}; exec sleep 1000",
    "child": f"sleep 1000 & {_TELL.format('child')}; wait",
    "deaf": f"trap '' HUP INT TERM QUIT; {_TELL.format('deaf')}; while :; do sleep 1000; done",
    "setsid": f"setsid sh -c '{_TELL.format('setsid')}; exec sleep 1000' & wait",
    "twice": f"(setsid sh -c '(sleep 1000 & {_TELL.format('twice')})' &); sleep 1000",
    "nohup": f"nohup sh -c '{_TELL.format('nohup')}; exec sleep 1000' >/dev/null 2>&1 & wait",
    "closed": f"setsid sh -c '{_TELL.format('closed')}; exec sleep 1000 <&- >&- 2>&- 3>&-' & wait",
    "stopped": f"setsid sh -c '{_TELL.format('stopped')}; kill -STOP $$' & wait",
    "ends": f"(setsid nohup sh -c '{_TELL.format('ends')}; exec sleep 1000' >/dev/null 2>&1 &)",
    # A new process each millisecond, in a session of its own, whose parent has ended.
    "hops": f"""export hop='{_TELL.format("hops")}; setsid sh -c "$hop" &'; sh -c "$hop" & sleep 1000""",
}
DEADLINE_MS = 300_000


def marked(mark: str) -> list[int]:
    """The processes with ``MARK=mark`` in their environment, but for zombies."""
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and _has(each, mark)]


def _has(process: Path, mark: str) -> bool:
    try:
        return f"MARK={mark}".encode() in (process / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or is of another user
        return False


def wait_gone(mark: str) -> bool:
    """Whether none that is marked is left, or all end without being touched."""
    while pids := marked(mark):
        for pid in pids:
            try:
                pidfd = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            has_ended = poll.poll(DEADLINE_MS)
            os.close(pidfd)
            if not has_ended:
                return False
    return True

"""``python -m flowcage.child`` and ``flowcage-child``: one run, spoken to over stdin and stdout."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from flowcage.child.environment import clear_environment
from flowcage.child.life import log_to_stderr, parse_die_with, run_session
from flowcage.child.stdio import claim

if TYPE_CHECKING:
    from flowcage.child.session import Session

USAGE = "usage: flowcage-child [--die-with PID]  (it speaks JSON-RPC on stdin and stdout)"


def main() -> None:
    """Claim the wire, load the engine, serve, and leave without running anything else."""
    clear_environment()
    try:
        parent = parse_die_with(sys.argv[1:])
    except ValueError:
        log_to_stderr(USAGE)
        os._exit(os.EX_USAGE)  # sysexits.h
    try:
        claim()
    except OSError as error:
        log_to_stderr(f"stdin, stdout and a few more descriptors must be there: {error.strerror}")
        os._exit(os.EX_OSERR)
    os._exit(run_session(partial(_begin, parent)))


def _begin(parent: int | None) -> Session:
    from flowcage.child.cage import lockdown
    from flowcage.child.cage.highwater import open_high_water
    from flowcage.child.engine.context import library
    from flowcage.child.session import Session

    library()
    return Session(partial(lockdown.enter, parent=parent), open_high_water())


if __name__ == "__main__":
    main()

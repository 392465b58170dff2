"""``python -m flowcage.child`` and ``flowcage-child``: serves one run over stdin and stdout."""

from __future__ import annotations

import gc
import os
import sys

from flowcage.child.environment import clear_environment

TYPE_CHECKING = False  # what type checkers take for True, without importing typing
if TYPE_CHECKING:
    from flowcage.child.session import Session

USAGE = "usage: flowcage-child [--die-with PID]  (JSON-RPC 2.0 on stdin and stdout)"


def main() -> None:
    """Claim the wire, load the engine, serve, and exit without running the interpreter's clean-up."""
    clear_environment()  # first, and before other imports: it replaces the process
    _serve()


def _serve() -> None:
    from flowcage.child.life import log_to_stderr, parse_die_with, run_session
    from flowcage.child.stdio import claim

    try:
        parent = parse_die_with(sys.argv[1:])
    except ValueError:
        log_to_stderr(USAGE)
        os._exit(os.EX_USAGE)  # sysexits.h
    try:
        claim()
    except OSError as error:
        log_to_stderr(f"stdin or stdout is closed, or no descriptor is left: {error.strerror}")
        os._exit(os.EX_OSERR)
    os._exit(run_session(lambda: _begin(parent)))


def _begin(parent: int | None) -> Session:
    # Imported here, so that `run_session` reports an engine that is missing or has another version.
    from functools import partial

    from flowcage.child.cage import lockdown
    from flowcage.child.cage.highwater import open_high_water
    from flowcage.child.engine.context import library
    from flowcage.child.session import Session

    library()
    gc.freeze()  # what is loaded is no garbage
    gc.enable()
    return Session(partial(lockdown.enter, parent=parent), open_high_water())


if __name__ == "__main__":
    main()

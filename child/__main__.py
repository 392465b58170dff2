"""``python -m flowcage.child`` and ``flowcage-child``: serves one run over stdin and stdout."""

from __future__ import annotations

import gc
import os
import sys

from flowcage._kept_modules import keep, use
from flowcage.child.environment import clear_environment

TYPE_CHECKING = False  # what type checkers take for True, without importing typing
if TYPE_CHECKING:
    from flowcage.child.session import Session

USAGE = "usage: flowcage-child [--die-with PID] [--no-short-cut]  (JSON-RPC 2.0 on stdin and stdout)"


def main() -> None:
    """Claim the wire, load the engine, serve, and exit without running the interpreter's clean-up."""
    clear_environment()  # first, and before other imports: it replaces the process
    gc.disable()  # until all is loaded, which makes no garbage
    use("flowcage.child.__main__")
    _serve()


def _serve() -> None:
    from flowcage.child.life import log_to_stderr, parse_die_with, parse_short_cut, run_session
    from flowcage.child.stdio import claim

    try:
        words, takes_short_cuts = parse_short_cut(sys.argv[1:])
        parent = parse_die_with(words)
    except ValueError:
        log_to_stderr(USAGE)
        os._exit(os.EX_USAGE)  # sysexits.h
    try:
        claim()
    except OSError as error:
        log_to_stderr(f"stdin or stdout is closed, or no descriptor is left: {error.strerror}")
        os._exit(os.EX_OSERR)
    os._exit(run_session(lambda: _begin(parent, takes_short_cuts)))


def _begin(parent: int | None, takes_short_cuts: bool) -> Session:
    # Imported here, so that `run_session` reports an engine that is missing or has another version.
    from functools import partial

    from flowcage.child.cage import lockdown
    from flowcage.child.cage.highwater import open_high_water
    from flowcage.child.engine.context import library
    from flowcage.child.session import Session

    Session.takes_short_cuts = takes_short_cuts
    library()
    keep()
    gc.freeze()  # what is loaded is no garbage
    gc.enable()
    return Session(partial(lockdown.enter, parent=parent), open_high_water())


if __name__ == "__main__":
    main()

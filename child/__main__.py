"""``python -m flowcage.child`` and ``flowcage-child``: one run, spoken to over stdin and stdout."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from flowcage.child.environment import clear_environment
from flowcage.child.stdio import claim

USAGE = "usage: flowcage-child [--die-with PID]  (it speaks JSON-RPC on stdin and stdout)"


def main() -> None:
    """Claim the wire, load the engine, serve, and leave without running anything else."""
    clear_environment()
    try:
        parent = _parent(sys.argv[1:])
    except ValueError:
        _complain(USAGE)
        os._exit(64)  # EX_USAGE, sysexits.h
    try:
        claim()
    except OSError as error:
        _complain(f"stdin, stdout and a few more descriptors must be there: {error.strerror}")
        os._exit(71)  # EX_OSERR
    os._exit(_run(parent))


def _parent(arguments: list[str]) -> int | None:
    """The process that the child is to die with."""
    if not arguments:
        return None
    option, value = arguments
    if option != "--die-with" or int(value) < 1:
        raise ValueError(option)
    return int(value)


def _run(parent: int | None) -> int:
    from flowcage.child.engine.capi import EngineUnavailable
    from flowcage.child.engine.context import library
    from flowcage.child.serve import serve
    from flowcage.child.session import Session

    try:
        library()
        serve(Session(parent))
    except EngineUnavailable as error:
        _complain(str(error))
        return 70  # EX_SOFTWARE, sysexits.h
    except BrokenPipeError:
        return 0  # the host is gone; nobody is left to tell
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        _complain(f"internal error at {_place(error)}: {error!r}")
        return 70
    return 0


def _place(error: Exception) -> str:
    """File and line; the cage keeps the traceback module from reading source files."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "?"


def _complain(message: str) -> None:
    # Where stderr is a file, RLIMIT_FSIZE stops even this.
    with suppress(OSError):
        os.write(2, f"flowcage-child: {message}\n".encode())


if __name__ == "__main__":
    main()

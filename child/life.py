"""A child's life from its first message to its exit status."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from flowcage.child.engine.errors import EngineUnavailable
from flowcage.child.serve import serve

if TYPE_CHECKING:  # what it imports is `begin`'s to load, after the environment is left
    from flowcage.child.session import Session


def parse_die_with(arguments: list[str]) -> int | None:
    """The process of ``--die-with PID``; None where there is no argument.

    Raises:
        ValueError: anything else.
    """
    if not arguments:
        return None
    option, value = arguments
    if option != "--die-with" or int(value) < 1:
        raise ValueError(option)
    return int(value)


def run_session(begin: Callable[[], Session]) -> int:
    """Serve one session to its end.

    Args:
        begin: loads what is not loaded yet.

    Returns:
        The process's exit status (sysexits.h). Leave with `os._exit`, without running anything else.
    """

    def life() -> None:
        session = begin()
        session.serve_above_engine = lambda replies: os._exit(exit_status_of(lambda: serve(session, replies)))
        serve(session)

    return exit_status_of(life)


def exit_status_of(life: Callable[[], None]) -> int:
    """Live to the end, whatever that is.

    Returns:
        The process's exit status. Leave with `os._exit`: an interpreter that cleans up frees the callbacks of
        ctypes, which writes to what holds them, and that is sealed.
    """
    try:
        life()
    except EngineUnavailable as error:
        log_to_stderr(str(error))
        return os.EX_SOFTWARE
    except BrokenPipeError:
        return 0  # the host is gone; nobody is left to tell
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        log_to_stderr(f"internal error at {_place(error)}: {error!r}")
        return os.EX_SOFTWARE
    return 0


def _place(error: Exception) -> str:
    """File and line; the cage keeps the traceback module from reading source files."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "?"


def write_note(line: bytes) -> None:
    """Have whoever started this process know what its peer asked for; that reads stderr."""
    with suppress(OSError):
        os.write(2, line)


def log_to_stderr(message: str) -> None:
    """Say something on stderr."""
    # Where stderr is a file, RLIMIT_FSIZE stops even this.
    with suppress(OSError):
        os.write(2, f"flowcage-child: {message}\n".encode())

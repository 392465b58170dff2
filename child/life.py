"""From an empty process to its exit status: runs a session, and maps how it ends to sysexits.h."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress

from flowcage.child.engine.errors import EngineUnavailable
from flowcage.child.serve import serve

TYPE_CHECKING = False  # what type checkers take for True, without importing typing
if TYPE_CHECKING:  # `begin` loads it at run time, after `clear_environment`
    from flowcage.child.session import Reply, Session


def parse_die_with(arguments: list[str]) -> int | None:
    """Read the option ``--die-with PID``.

    Args:
        arguments: those of the command line, without the program.

    Returns:
        The process id; None where there are no arguments.

    Raises:
        ValueError: there are other arguments.
    """
    if not arguments:
        return None
    option, value = arguments
    if option != "--die-with" or int(value) < 1:
        raise ValueError(option)
    return int(value)


def parse_short_cut(arguments: list[str]) -> tuple[list[str], bool]:
    """Read the option ``--no-short-cut``, which comes last.

    Returns:
        The arguments before it, and whether sessions take the short cut.
    """
    is_given = arguments[-1:] == ["--no-short-cut"]
    return (arguments[:-1], False) if is_given else (arguments, True)


def run_session(
    begin: Callable[[], Session], first: Callable[[Session], Iterable[Reply]] = lambda _session: ()
) -> int:
    """Serve one session to its end.

    Args:
        begin: loads what is not loaded yet, and builds the session.
        first: replies to what does not come by stdin.

    Returns:
        The exit status of the process (sysexits.h), for `os._exit`.
    """

    def serve_it() -> None:
        session = begin()
        # Called deep inside the engine, to which it must not return: the process ends here.
        session.serve_above_engine = lambda replies: os._exit(exit_status_of(lambda: serve(session, replies)))
        serve(session, first(session))

    return exit_status_of(serve_it)


def exit_status_of(work: Callable[[], None]) -> int:
    """Do the work of the process, and report an error of it on stderr.

    Returns:
        The exit status of the process. Pass it to `os._exit`, not to `sys.exit`: an interpreter that cleans
        up frees ctypes callbacks, which is a write to sealed memory (`cage.code`) and ends in SIGSEGV.
    """
    try:
        work()
    except EngineUnavailable as error:
        log_to_stderr(str(error))
        return os.EX_SOFTWARE
    except BrokenPipeError:
        return 0  # the host has closed the wire, as it may at any time
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        log_to_stderr(f"internal error at {_place(error)}: {error!r}")
        return os.EX_SOFTWARE
    return 0


def _place(error: Exception) -> str:
    """File and line of the innermost frame: in the cage, `traceback` cannot read source files."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "?"


def write_note(line: bytes) -> None:
    """Write a note of `protocol.terms` to stderr, where the server that started this process reads it."""
    with suppress(OSError):
        os.write(2, line)


def log_to_stderr(message: str) -> None:
    """Write one line to stderr, with the program's name."""
    # Where stderr is a file, RLIMIT_FSIZE refuses the write.
    with suppress(OSError):
        os.write(2, f"flowcage-child: {message}\n".encode())

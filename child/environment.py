"""Removes the inherited environment from the process, before anything else is loaded."""

from __future__ import annotations

import os
import sys

_CLEARED = "FLOWCAGE_CLEARED"
# The command that pyproject.toml installs, and the module with its function `main`.
_SCRIPT, _MAIN = "flowcage-child", "flowcage.child.__main__"
# They hold no secrets, and an interpreter may need them to start.
KEPT_VARIABLES = frozenset({"TZ", "LC_CTYPE", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME"})


def clear_environment() -> None:
    """Execute this program anew without the inherited environment, whose text would stay in memory.

    Clearing `os.environ` is not enough: the kernel puts the text on the stack, where it can be read. Returns
    where there is nothing to clear, or where execve(2) failed; `cage.process.environment` reports the latter.
    Call it before anything else: the process is replaced, and keeps its id and its descriptors.
    """
    own_pid = str(os.getpid())
    # Once only: a variable that the interpreter's own start sets would come back each time.
    if KEPT_VARIABLES.issuperset(os.environ) or os.environ.get(_CLEARED) == own_pid:
        os.environ.pop(_CLEARED, None)
        return
    kept = {name: os.environ[name] for name in KEPT_VARIABLES.intersection(os.environ)}
    program = sys.executable or sys.orig_argv[0]
    command = _faster() or [program, *sys.orig_argv[1:]]
    try:
        # The interpreter's absolute path: it finds its libraries by it, and PATH is gone. TZ is set because
        # the C library would read /etc/localtime otherwise, which the cage refuses.
        os.execve(program, command, kept | {"TZ": "UTC0", _CLEARED: own_pid})
    except OSError:
        return


def _faster() -> list[str] | None:
    """The installed command's program by itself, which starts faster; None for any other program."""
    if [os.path.basename(word) for word in sys.orig_argv[1:2]] != [_SCRIPT] or not sys.executable:
        return None
    if {"PYTHONPATH", "PYTHONHOME"}.intersection(os.environ):  # isolated mode ignores them
        return None
    from flowcage._child_command import without_site

    command = without_site(_MAIN)
    return None if command is None else [*command, *sys.argv[1:]]

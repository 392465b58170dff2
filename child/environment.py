"""The environment that the child was started with, left behind before anything else is loaded."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

_CLEARED = "FLOWCAGE_CLEARED"
# Harmless, or needed by whatever starts an interpreter.
KEPT_VARIABLES = frozenset({"TZ", "LC_CTYPE", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME"})


def clear_environment() -> None:
    """Start over without the environment, if there is one: what it said would stay in this process's memory.

    Returns where there was nothing to clear, or execve(2) failed. Call it before anything else: the process
    is replaced, and keeps its id and its descriptors.
    """
    own_pid = str(os.getpid())
    # Once must do: what the interpreter's own start puts there would come back for ever.
    if KEPT_VARIABLES.issuperset(os.environ) or os.environ.get(_CLEARED) == own_pid:
        os.environ.pop(_CLEARED, None)
        return
    kept = {name: os.environ[name] for name in KEPT_VARIABLES.intersection(os.environ)}
    program = sys.executable or sys.orig_argv[0]
    with suppress(OSError):
        # The interpreter's whole path, because it looks for its libraries around it and PATH is gone; and
        # TZ, because without it the C library would read /etc/localtime.
        os.execve(program, [program, *sys.orig_argv[1:]], kept | {"TZ": "UTC0", _CLEARED: own_pid})

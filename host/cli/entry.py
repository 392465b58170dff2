"""The ``flowcage`` script: handles a Ctrl-C that comes while the command line is still being imported."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress


def _interrupted(words: list[str]) -> bytes:
    from flowcage.host.terminal import form

    form.choose(words)
    return f"{form.of_text('interrupted', 'error')}\n".encode()


def main() -> None:
    """Import the command line, then run it."""
    try:
        from flowcage.host.cli.main import main as run
    except KeyboardInterrupt:
        with suppress(OSError):
            if select.select((), (2,), (), 0)[1]:  # a full pipe that is not read would block the write
                os.write(2, _interrupted(sys.argv[1:]))
        os._exit(130)
    run()


if __name__ == "__main__":
    main()

"""The ``flowcage`` script: handles a Ctrl-C that comes while the command line is still being imported."""

from __future__ import annotations

import os
import select
from contextlib import suppress


def main() -> None:
    """Import the command line, then run it."""
    try:
        from flowcage.host.cli.main import main as run
    except KeyboardInterrupt:
        with suppress(OSError):
            if select.select((), (2,), (), 0)[1]:  # a full pipe that is not read would block the write
                os.write(2, b"flowcage: interrupted\n")
        os._exit(130)
    run()


if __name__ == "__main__":
    main()

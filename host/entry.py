"""The ``flowcage`` script: catches a Ctrl-C that comes while the command line is still being imported."""

from __future__ import annotations

import os


def main() -> None:
    """Import the command line, then run it."""
    try:
        from flowcage.host.cli import main as run
    except KeyboardInterrupt:
        os.write(2, b"flowcage: interrupted\n")
        os._exit(130)
    run()


if __name__ == "__main__":
    main()

"""``python -m flowcage.child`` and ``flowcage-child``: one run, spoken to over stdin and stdout."""

from __future__ import annotations

import os

from flowcage.child.stdio import Wire, claim


def main() -> None:
    """Claim the wire, load the engine, serve, and leave without running anything else."""
    os._exit(_run(claim()))


def _run(wire: Wire) -> int:
    from flowcage.child.engine.capi import EngineUnavailable
    from flowcage.child.engine.context import library
    from flowcage.child.serve import serve
    from flowcage.child.session import Session

    try:
        library()
        serve(wire, Session())
    except EngineUnavailable as error:
        os.write(2, f"flowcage-child: {error}\n".encode())
        return 70  # EX_SOFTWARE, sysexits.h
    except BrokenPipeError:
        return 0  # the host is gone; nobody is left to tell
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        # The cage keeps the traceback module from reading source files; name the place by hand.
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
        os.write(2, f"flowcage-child: internal error at {where}: {error!r}\n".encode())
        return 70
    return 0


if __name__ == "__main__":
    main()

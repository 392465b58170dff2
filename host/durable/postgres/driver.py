"""psycopg 3, which is installed where somebody wants it: the store's name can be imported without it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

_WHY = ""

if TYPE_CHECKING:
    import psycopg as psycopg
    from psycopg import sql as sql
else:
    try:
        import psycopg
        from psycopg import sql
    except ImportError as error:  # also where there is no libpq
        psycopg = sql = None
        _WHY = str(error)
    else:  # what is wrong with a connection is raised, too; who has no logging has not these lines on stderr
        logging.getLogger("psycopg").addHandler(logging.NullHandler())


def require_driver() -> None:
    """Raise ImportError where psycopg is not there, with what to do."""
    if psycopg is None:
        raise ImportError(f"PostgresStore needs psycopg 3; install flowcage[postgres] ({_WHY})")

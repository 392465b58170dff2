"""The program that a server answers with: the door, behind it the API and the pages."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Mount

from flowcage.host.ui import pages
from flowcage.host.ui.api.kept import KeptRuns
from flowcage.host.ui.api.resuming import Resuming
from flowcage.host.ui.api.routes import Api
from flowcage.host.ui.door.door import Door
from flowcage.host.ui.door.keys import Keys


def app_of(runs: KeptRuns, resuming: Resuming, keys: Keys, names: frozenset[str]) -> Door:
    """An ASGI program.

    Args:
        runs: that are shown.
        resuming: goes on with them.
        keys: that let in.
        names: values of the header Host that are answered.
    """
    api = Api(runs, resuming)
    inside = Starlette(routes=[Mount("/api", routes=api.routes()), *pages.routes(acts=runs.acts)])
    return Door(inside, keys, names)

"""The pages: shells without a word of any run, which their own modules fill from the API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from flowcage.host.page.html import STATIC, STYLES

_OF_UI = Path(__file__).parent / "static"
_STYLES = (*(f"page/{name}" for name in STYLES), "ui/ui.css")

_SHELL = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>flowcage</title>
<link rel="icon" href="{place}/static/ui/icon.svg">
{styles}
<script type="module" src="{place}/static/ui/{name}.js"></script>
</head>
<body data-place="{place}" data-acts="{acts}">
<noscript>The pages need JavaScript; <code>flowcage ls</code> and <code>show</code> do not.</noscript>
<div id="app"></div>
</body>
</html>
"""
# Paths of the pages, and the module that fills each.
_PAGES = {
    "/": "list",
    "/runs/{run}": "run",
    "/compare": "compare",
}


def routes(*, acts: bool) -> list[BaseRoute]:
    """Of the pages and their files; `acts` says whether they offer to change anything."""
    return [
        *(Route(path, _page(name, acts=acts), methods=["GET"]) for path, name in _PAGES.items()),
        Mount("/static/page", StaticFiles(directory=STATIC)),
        Mount("/static/ui", StaticFiles(directory=_OF_UI)),
    ]


def _page(name: str, *, acts: bool) -> Callable[[Request], Awaitable[HTMLResponse]]:
    async def shell(request: Request) -> HTMLResponse:
        place = request.scope["root_path"]
        styles = "\n".join(f'<link rel="stylesheet" href="{place}/static/{each}">' for each in _STYLES)
        return HTMLResponse(_SHELL.format(place=place, styles=styles, name=name, acts=str(acts).lower()))

    return shell

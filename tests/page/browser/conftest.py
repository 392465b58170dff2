"""A real browser that opens pages, one for all tests of this folder.

The fixtures have the package's scope: while playwright is at work its event loop counts as running in this
thread, which tests of asyncio elsewhere cannot have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Page

from flowcage.host.page.html import STATIC, assemble

from .chromium import chromium

Open = Callable[..., Page]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens the file of a document; at the end of the test nothing was logged and nothing was requested."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    complaints: list[str] = []
    requests: list[str] = []
    context.on("console", lambda message: complaints.append(message.text))
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("request", lambda request: requests.append(request.url))

    def open_page(document: dict[str, Any], view: str = "overview", **viewport: int) -> Page:
        file = tmp_path / "run.html"
        file.write_text(assemble(document), "utf-8")
        page = context.new_page()
        if viewport:
            page.set_viewport_size({"width": viewport["width"], "height": viewport["height"]})
        page.goto(f"{file.as_uri()}#{view}")
        page.wait_for_selector(".page")
        return page

    yield open_page
    context.close()
    assert complaints == []
    assert [url.partition("#")[0] for url in requests if not url.startswith("file:")] == []


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class Served(NamedTuple):
    """A folder with the page's modules, and its address on loopback."""

    folder: Path
    address: str


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    for file in STATIC.rglob("*.*"):
        copy = folder / file.relative_to(STATIC)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(file.read_bytes())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=folder))
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield Served(folder, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()

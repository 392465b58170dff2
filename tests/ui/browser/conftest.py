"""A real browser in front of a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from ...page.browser.conftest import browser as browser
from ..live import Place
from ..served import Served, serving

Enter = Callable[..., Page]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def served(place: Place) -> Iterator[Served]:
    with serving(place.store) as server:
        yield server


@pytest.fixture
def context(browser: Browser, served: Served) -> Iterator[BrowserContext]:  # noqa: ARG001 - ends first
    """At its end nothing was logged, no other server was asked, and no text has run anything."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    complaints: list[str] = []
    urls: list[str] = []
    # Chromium tells of every answer that is no success; those to a person's mistake are wanted.
    mistake = "Failed to load resource: the server responded with a status of 422 ()"
    context.on("console", lambda each: None if each.text == mistake else complaints.append(each.text))
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("request", lambda request: urls.append(request.url))
    yield context
    for page in context.pages:
        assert page.evaluate("globalThis.hacked") is None
    context.close()
    assert complaints == []
    assert {url.split("/")[2].partition(":")[0] for url in urls if not url.startswith("file:")} == {
        "127.0.0.1"
    }


@pytest.fixture
def enter(context: BrowserContext, served: Served) -> Enter:
    """Opens a page below the server's place, as a browser that was let in."""
    let_in: list[str] = []

    def enter(path: str = "", **viewport: int) -> Page:
        page = context.new_page()
        if viewport:
            page.set_viewport_size({"width": viewport["width"], "height": viewport["height"]})
        if not let_in:
            let_in.append(f"{served.origin}/{served.place}/")
            page.goto(served.entry.as_uri())
            page.wait_for_url(let_in[0])
        page.goto(f"{let_in[0]}{path}")
        return page

    return enter

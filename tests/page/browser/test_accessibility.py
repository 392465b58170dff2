"""Roles, names and contrast, as axe judges them, in both themes and at two widths."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from flowcage.host.page.html import assemble

from .documents import document

VIEWS = ("overview", "calls", "call=4", "log", "script", "result")


@pytest.mark.parametrize(
    ("theme", "width", "views"), [("light", 1280, VIEWS), ("dark", 1280, VIEWS), ("light", 390, VIEWS[:3])]
)
def test_axe_finds_nothing(
    browser: Browser, theme: Literal["light", "dark"], width: int, views: tuple[str, ...]
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=theme,
        reduced_motion="reduce",
        bypass_csp=True,  # axe makes elements from text, which the page's policy refuses
    )
    page = context.new_page()
    page.set_content(assemble(document(40, state="running")))
    page.wait_for_selector(".page")
    found: dict[str, list[Any]] = {}
    for view in views:
        page.evaluate("view => { location.hash = view }", view)
        page.wait_for_function("view => location.hash === '#' + view", arg=view)
        for each in Axe().run(page).response["violations"]:
            found[f"{view}: {each['id']}"] = [node["target"] for node in each["nodes"]][:3]
    context.close()

    assert found == {}

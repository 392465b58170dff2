"""Draws the picture of a report in README.md, of a made-up run: ``python bench/page/picture.py``."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[2]))

from flowcage.host.page.html import assemble
from tests.page.browser.documents import document

PICTURE = Path(__file__).parents[2] / "docs" / "report.png"
CHROMIUM = "chromium", "chromium-browser", "google-chrome"


def main() -> None:
    """Open the page of a run with nine agents, in light colours, and write its upper part."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder, "run.html")
        file.write_text(assemble(document(9)), "utf-8")
        program = next(filter(None, map(shutil.which, CHROMIUM)))
        browser = playwright.chromium.launch(executable_path=program)
        page = browser.new_page(
            viewport={"width": 1100, "height": 1080}, color_scheme="light", reduced_motion="reduce"
        )
        page.goto(file.as_uri())
        page.wait_for_selector(".page")
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()

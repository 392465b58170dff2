"""The way from a folder of scripts to a page in the browser, by the commands that README.md has."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ..page.browser.chromium import chromium
from . import readme
from .command import DEADLINE, EXAMPLES, FLOWCAGE

(BLOCK,) = re.findall(r"^```sh\n((?:uvx .*\n)+)^```$", readme.README, re.MULTILINE)
# In place of uvx, which would fetch a release from the network: the command that is installed.
UVX = f"""#!/bin/sh
[ "$1" = flowcage ] || exit 99
shift
exec {FLOWCAGE} "$@"
"""
BROWSER = '#!/bin/sh\necho "$1" > "$HOME/opened"\n'


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An empty home, and no programs but uvx and a browser that notes what it is to open: no agents."""
    home, programs = tmp_path / "home", tmp_path / "programs"
    for folder in (home, programs):
        folder.mkdir()
    for name, text in (("uvx", UVX), ("browser", BROWSER)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return {"HOME": str(home), "PATH": str(programs), "BROWSER": f"{programs / 'browser'} %s"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of scripts."""
    scripts = tmp_path / "my project" / "workflows"
    scripts.mkdir(parents=True)
    for name in ("review.js", "research.js"):
        shutil.copy(EXAMPLES / name, scripts)
    return scripts.parent


def seen_in_a_browser(address: str) -> tuple[str, str, list[str]]:
    """What the page says at its head and of the result; and what the browser complained of or asked for."""
    complaints: list[str] = []
    with chromium() as browser:
        page = browser.new_page(reduced_motion="reduce")
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url))
        page.goto(address)
        page.wait_for_selector("#view-overview:not([hidden])")
        head = page.locator(".head").inner_text()
        page.get_by_text("All of it").first.click()
        page.wait_for_selector("#view-result:not([hidden])")
        result = page.locator("#view-result").inner_text()
    return head, result, [each for each in complaints if not each.startswith(address)]


def test_four_commands_lead_from_a_folder_of_scripts_to_a_page_in_the_browser(
    folder: Path, environment: dict[str, str]
) -> None:
    assert len(BLOCK.splitlines()) == 4
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-e", "-c", BLOCK],
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "2 files: 0 errors" in done.stdout
    assert "mock makes the answers up" in done.stderr

    address = Path(environment["HOME"], "opened").read_text().strip()
    head, result, complaints = seen_in_a_browser(address)

    assert address == (folder / "review.html").as_uri()
    assert "review" in head
    assert "Completed" in head
    assert "echo: Sum up this review in two sentences" in result
    assert complaints == []

"""The way from a script to a page in the browser that README.md shows, carried out as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlparse

from . import readme
from .command import DEADLINE, FLOWCAGE

(BLOCK,) = re.findall(r"^```text\n((?:uvx .*\n)+)^```$", readme.README, re.MULTILINE)
# In place of uvx, which would build an environment from the network: the command that is installed.
UVX = f"""#!/bin/sh
[ "$1 $2 $3" = "--from . flowcage" ] || exit 99
shift 3
exec {FLOWCAGE} "$@"
"""


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_four_commands_lead_from_a_script_to_a_page_in_the_browser(tmp_path: Path) -> None:
    folder, programs = tmp_path / "clone", tmp_path / "bin"
    for each in (folder, programs):
        each.mkdir()
    (folder / "examples").symlink_to(readme.ROOT / "examples")
    program(programs / "uvx", UVX)
    browser = program(tmp_path / "browser", f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    state = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "BROWSER": f"{browser} %s"}

    assert len(BLOCK.splitlines()) == 4
    done = subprocess.run(
        ["bash", "-e", "-c", BLOCK],
        cwd=folder,
        env={**os.environ, **state, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    page = Path(unquote(urlparse((tmp_path / "opened").read_text().strip()).path))
    assert page.parent == folder
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert '"name":"review"' in text.replace(" ", "")

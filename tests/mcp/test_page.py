"""What docs/mcp.md shows."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from flowcage.host.cli.mcp.command import mcp
from flowcage.host.cli.mcp.tools import TOOLS

PAGE = (Path(__file__).parents[2] / "docs" / "mcp.md").read_text()


def test_the_page_has_each_tool_with_what_it_takes() -> None:
    section = PAGE.partition("## Tools")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*?)\|", section, re.MULTILINE))
    assert rows.keys() == TOOLS.keys()
    for name, tool in TOOLS.items():
        if name in ("plan", "run"):
            continue  # these take ceilings, which a paragraph has
        assert set(re.findall(r"`(\w+)`", rows[name])) == tool.takes["properties"].keys(), name


def test_the_page_has_each_option() -> None:
    options = {each.opts[0] for each in mcp.params} - {"--log-format"}
    assert options <= set(re.findall(r"`(--[a-z-]+)", PAGE))
    assert set(re.findall(r"flowcage mcp (--[a-z-]+)", PAGE)) <= options


def test_configurations_of_the_page_are_well_formed() -> None:
    blocks = re.findall(r"```(json|toml)\n(.*?)```", PAGE, re.DOTALL)
    assert {kind for kind, _ in blocks} == {"json", "toml"}
    for kind, text in blocks:
        assert (json.loads if kind == "json" else tomllib.loads)(text)

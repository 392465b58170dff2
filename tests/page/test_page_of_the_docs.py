"""docs/looking.md is true where a program can tell: its commands, formats, and members of the document."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flowcage.host.cli.main import cli
from flowcage.host.page.cutting import CAPS
from flowcage.host.page.formats.markdown import MOST_CHARACTERS
from flowcage.host.page.formats.writing import FORMATS

from .documents import of_text

PAGE = (Path(__file__).parents[2] / "docs" / "looking.md").read_text()
DOCUMENT = PAGE.split("## The page document\n")[1].split("\n## ")[0]
CODE = re.findall(r"`(flowcage [^`]*)`", PAGE) + re.findall(r"^(flowcage .*?)(?:  #.*)?$", PAGE, re.MULTILINE)


def members(name: str) -> set[str]:
    """Names in a row of the table of the document."""
    (row,) = re.findall(rf"^\| (?:`\w+`, )*`{name}`(?:, `\w+`)* \| (.*) \|$", DOCUMENT, re.MULTILINE)
    outside = re.sub(r"\([^)]*\)", "", row)
    return set(re.findall(r"`(\w+)`", outside))


@pytest.mark.parametrize("words", CODE)
def test_a_command_of_the_page_is_one_and_has_its_options(words: str) -> None:
    _, command, *rest = words.split(" | ")[0].split()
    known = {word for option in cli.commands[command].params for word in option.opts}
    assert {word for word in rest if word.startswith("-") and word != "-"} <= known


def test_the_formats_are_those_of_the_command() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\.[\w.]+)` \|", PAGE, re.MULTILINE)
    assert dict(rows) == dict(FORMATS)
    assert f"{MOST_CHARACTERS:,} characters" in PAGE
    assert f"{CAPS.text:,} characters" in PAGE
    assert f"{CAPS.lines:,} lines" in PAGE


def test_the_members_of_the_document_are_those_of_the_page() -> None:
    page = of_text("a")
    call: dict[str, Any] = {key: value for each in page["calls"] for key, value in each.items()}
    usage = {"inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", "unpriced"}

    assert set(page) <= set(re.findall(r"`(\w+)`", PAGE))
    # `result` is that of a run that has one.
    assert set(page["run"]) | {"result"} == members("run")
    assert {key for each in page["workflows"] for key in each} | {"outline"} <= members("workflows")
    assert set(call) - usage | {"withheld"} == members("calls")
    assert set(page["events"][0]) == members("events")
    for rows in page["totals"].values():
        assert set(rows[0]) - usage - {"tokens", "costUsd"} <= members("totals")

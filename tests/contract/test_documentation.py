"""docs/protocol.md: its tables are those of the contract, and its examples happen."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ..child.child_process import ChildProcess
from .examples import Block, blocks, conversations, hold, is_over
from .matching import difference

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
CONVERSATIONS = conversations(TEXT)
PROGRAMS = {"sh": ("bash", "-euo", "pipefail", "-c"), "python": (sys.executable, "-c")}


def test_every_block_is_of_a_kind_that_is_carried_out_or_generated() -> None:
    assert {block.language for block in blocks(TEXT)} == {"jsonl", "mermaid", *PROGRAMS}


@pytest.mark.parametrize("lines", CONVERSATIONS, ids=range(len(CONVERSATIONS)))
def test_a_conversation_goes_as_it_is_told(lines: list[str]) -> None:
    with ChildProcess() as child:
        hold(child, lines)
        if not is_over(lines):
            child.close_stdin()
        child.expect_exit()


@pytest.mark.parametrize(
    "block",
    [block for block in blocks(TEXT) if block.language in PROGRAMS],
    ids=lambda block: str(block.line),
)
def test_a_program_runs(block: Block) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [*PROGRAMS[block.language], block.text],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_link_within_the_document_has_a_heading() -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = set(re.findall(r"\]\(#([^)]+)\)", TEXT))
    assert links
    assert links <= anchors


def test_every_file_that_is_linked_is_there() -> None:
    for name in re.findall(r"\]\(([^)#]+\.md)\)", TEXT):
        assert (ROOT / "docs" / name).is_file(), name


@pytest.mark.parametrize(
    "lines",
    [
        ["> not JSON", '< {"jsonrpc":"2.0","id":1,"…":"…"}'],
        ["> not JSON", '< {"jsonrpc":"2.0","id":null}'],
        ["not marked"],
    ],
)
def test_a_conversation_that_goes_otherwise_is_noticed(child: ChildProcess, lines: list[str]) -> None:
    with pytest.raises(AssertionError):
        hold(child, lines)


@pytest.mark.parametrize(
    ("expected", "actual", "found"),
    [
        ({"a": "…"}, {"a": [1]}, None),
        ({"a": 1, "…": "…"}, {"a": 1, "b": 2}, None),
        ({"a": 1}, {"a": 1, "b": 2}, "/: also ['b']"),
        ({"a": 1, "…": "…"}, {"b": 2}, "/: without ['a']"),
        ([1, {"x": 1}], [1, {"x": 2}], "/1/x: 2 instead of 1"),
        ([1], [1, 2], "/: [1, 2] instead of [1]"),
        (1, True, "/: True instead of 1"),
        (1, 1.0, "/: 1.0 instead of 1"),
    ],
)
def test_differences_are_told_by_their_place(expected: object, actual: object, found: str | None) -> None:
    assert difference(expected, actual) == found

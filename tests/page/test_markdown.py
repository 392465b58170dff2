"""What a script, a model or a store brings is code in the Markdown of a report, and nothing else."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from flowcage.host.page.formats.markdown import MOST_CHARACTERS, block, markdown, span
from flowcage.host.terminal.text import whole
from flowcage.protocol.messages import AgentRequest, Log

from ..protocol.strategies import texts
from .documents import HOSTILE, of_text, record
from .pages import page_of

# What a report itself has; everything else could only come from a text.
OWN = {
    "heading", "paragraph", "bullet_list", "list_item", "strong", "table", "thead", "tbody", "tr", "th", "td",
    "inline", "text", "code_inline", "fence", "softbreak", "text_special",
}  # fmt: skip
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
TEXTS = texts() | st.text(st.sampled_from("`| \\\n\ta*<"), max_size=30)


def tokens(text: str) -> list[Token]:
    found = []
    for each in PARSER.parse(text):
        found += [each, *(each.children or ())]
    return found


def kinds(text: str) -> set[str]:
    return {each.type.removesuffix("_open").removesuffix("_close") for each in tokens(text)}


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("full", [False, True])
def test_hostile_texts_are_code(text: str, full: bool) -> None:
    told = markdown(of_text(text), full=full)

    assert kinds(told) <= OWN
    plain = "".join(each.content for each in tokens(told) if each.type == "text")
    for word in ("<", "http", "@", "![", "](", "alert"):
        assert word not in plain
    assert not [each for each in told if each != "\n" and unicodedata.category(each) in ("Cc", "Cf", "Cs")]
    headings = [each for each in tokens(told) if each.type == "heading_open"]
    assert len(headings) == (6 if full else 1)  # the run's, and one of each call


@settings(deadline=None)
@given(TEXTS)
def test_a_span_is_one_piece_of_code(text: str) -> None:
    shown = " ".join(whole(text[:1200]).split())

    (paragraph,) = [each for each in PARSER.parse(f"a {span(text)} b") if each.type == "inline"]
    code = [each for each in paragraph.children or () if each.type == "code_inline"]

    if not shown:
        assert span(text) == "–"
        return
    (found,) = code
    if len(shown) <= 300:
        assert found.content == shown.replace("|", "¦")
    assert [each.content for each in paragraph.children or () if each.type == "text"] == ["a ", " b"]


@settings(deadline=None)
@given(TEXTS)
def test_a_span_is_one_cell_of_a_table(text: str) -> None:
    table = f"| x | y |\n| --- | --- |\n| {span(text)} | end |"

    cells = [each.content for each in PARSER.parse(table) if each.type == "inline"]

    assert cells[:2] == ["x", "y"]
    assert len(cells) == 4
    assert cells[3] == "end"


@settings(deadline=None)
@given(TEXTS)
def test_a_block_is_one_fence(text: str) -> None:
    (fence, after) = [each for each in PARSER.parse(f"{block(text, most=None)}\n\nend") if each.content]

    assert fence.type == "fence"
    # A NUL is not among them: `whole` has replaced it.
    assert fence.content == f"{whole(text)}\n"
    assert after.content == "end"


def test_a_report_is_short_enough_for_a_comment_and_says_what_is_left_out() -> None:
    calls = tuple(AgentRequest(str(n), "p" * 5000, {"label": "l" * 200}) for n in range(500))
    page = page_of(record_of(calls))

    told = markdown(page)

    assert len(told) <= MOST_CHARACTERS + 200
    assert "… and 400 more calls." in told
    full = markdown(page, full=True)
    assert len(full) > 2_000_000
    assert len(re.findall("^### Call", full, re.MULTILINE)) == 500


def record_of(calls: Any) -> Any:
    from flowcage.host.run.core.inputs import Compiled, Opened, Said

    return record([Opened("", "w.js"), Compiled("", "script"), Said("", (Log(["x"]),), calls)])

"""Drawings in SVG: well formed whatever a workflow says, without anything that runs or is loaded."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from flowcage.host.graph.layout import Box, columns_of, laid_out
from flowcage.host.graph.svg import svg
from flowcage.host.graph.tree import Step, tree_of

from .outlines import HOSTILE, hostile, outline

_ELEMENTS = {"svg", "title", "style", "rect", "g", "text", "path"}
_ATTRIBUTES = {
    "class", "role", "width", "height", "viewBox", "aria-label", "transform", "x", "y", "rx", "d"
}  # fmt: skip


def drawn(text: str) -> str:
    return svg(tree_of(outline(text)), "w.js")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_workflow_becomes_markup(text: str) -> None:
    root = ElementTree.fromstring(svg(tree_of(hostile(text)), text).encode())
    for element in root.iter():
        assert element.tag.removeprefix("{http://www.w3.org/2000/svg}") in _ELEMENTS
        assert set(element.attrib) <= _ATTRIBUTES
    assert len([each for each in root.iter() if each.tag.endswith("style")]) == 1


def test_texts_are_shown() -> None:
    root = ElementTree.fromstring(drawn("phase('A & B')\nagent('<p>', {label: 'a<b>', model: 'm'})"))
    texts = [each.text for each in root.iter() if each.tag.endswith("text")]
    assert texts == ["A & B", "a<b>", "m"]


def test_nothing_is_loaded_and_nothing_runs() -> None:
    text = drawn("agent('p')")
    assert re.findall(r"https?://[^\"' ]*", text) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"url\(|@import|<script|\bon\w+=", text)
    assert "prefers-color-scheme: dark" in text


def test_a_workflow_that_asks_for_nothing_says_so() -> None:
    assert "it asks for nothing" in drawn("1")


SOURCES = [
    "agent('1')\nagent('2')",
    "parallel([() => agent('1'), () => agent('2')])",
    "parallel([" + "() => agent('a long prompt of some forty characters'), " * 30 + "])",
    "pipeline(F, () => agent('1'), () => agent('2'), () => agent('3'))",
    "while (a) { if (b) { agent('1') } else { parallel(F.map(() => () => agent('2'))) } }\nagent('3')",
    "phase('" + "a long name " * 10 + "')\nagent('1')",
]


@pytest.mark.parametrize("text", SOURCES)
def test_boxes_are_within_the_box_around_them_and_beside_each_other(text: str) -> None:
    def check(box: Box) -> None:
        for number, inner in enumerate(box.boxes):
            assert inner.x >= 0
            assert inner.y >= 0
            assert inner.x + inner.width <= box.width + 0.1
            assert inner.y + inner.height <= box.height + 0.1
            for other in box.boxes[:number]:
                is_apart_x = inner.x >= other.x + other.width or other.x >= inner.x + inner.width
                is_apart_y = inner.y >= other.y + other.height or other.y >= inner.y + inner.height
                assert is_apart_x or is_apart_y
            check(inner)

    check(laid_out(tree_of(outline(text))))


def test_a_row_that_is_too_wide_is_broken() -> None:
    box = laid_out(tree_of(outline(SOURCES[2])))
    assert box.width < 1_300


def test_wide_letters_have_room() -> None:
    assert (columns_of("ab"), columns_of("漢字"), columns_of("e\u0301")) == (2, 4, 1)
    narrow, wide = (laid_out(Step("agent", text * 20, "", 1)) for text in ("a", "漢"))
    assert wide.width > 1.5 * narrow.width

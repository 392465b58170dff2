"""The text of a report's file, as a parser sees it; tests/page/browser has what a browser makes of it."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest

from flowcage.host.page.html import assemble
from tests.page.browser.documents import HOSTILE, document, hostile


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.is_open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))
        self.is_open = True

    def handle_endtag(self, tag: str) -> None:
        self.is_open = self.is_open and tag != self.found[-1][0]

    def handle_data(self, data: str) -> None:
        if self.is_open:
            tag, attributes, text = self.found[-1]
            self.found[-1] = (tag, attributes, text + data)


def _elements(page: str) -> list[tuple[str, dict[str, str | None], str]]:
    parser = _Elements()
    parser.feed(page)
    return parser.found


def _only(page: str, tag: str, **attributes: str) -> str:
    (text,) = (
        text for name, has, text in _elements(page) if name == tag and attributes.items() <= has.items()
    )
    return text


@pytest.mark.parametrize("whole", [document(0), document(9), hostile()], ids=["none", "nine", "hostile"])
def test_a_file_has_the_document_and_the_same_elements_whatever_it_says(whole: dict[str, Any]) -> None:
    page = assemble(whole)

    assert json.loads(_only(page, "script", type="application/json")) == whole
    tags = [tag for tag, _, _ in _elements(page)]
    assert tags == [tag for tag, _, _ in _elements(assemble({}))]
    assert page.encode("utf-8")


def test_the_data_has_nothing_that_a_parser_or_a_script_could_take_for_its_own() -> None:
    told = _only(
        assemble({"run": {"name": "r"}, "x": "<!--<script>&amp;--></script>\u2028\u2029"}),
        "script",
        type="application/json",
    )
    assert not set("<>&\u2028\u2029") & set(told)


def test_the_policy_names_the_script_and_the_style_and_nothing_else() -> None:
    page = assemble(hostile())
    (policy,) = (
        has["content"] or ""
        for tag, has, _ in _elements(page)
        if tag == "meta" and has.get("http-equiv") == "Content-Security-Policy"
    )
    hashes = [
        b64encode(sha256(_only(page, tag, **attributes).encode()).digest()).decode()
        for tag, attributes in (("script", {"type": "module"}), ("style", {}))
    ]
    assert re.findall(r"sha256-([^']+)'", policy) == hashes
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_file_names_no_address() -> None:
    shown = assemble(document(9)).replace("http://www.w3.org/2000/svg", "")

    assert re.findall(r"(?:https?:)?//[a-z]+\.\S+", shown) == []
    assert re.findall(r"\b(?:src|href|url\((?!#))=?[\"']?\w+:", shown) == []


def test_a_title_is_text() -> None:
    page = assemble({"run": {"name": HOSTILE}})

    assert _only(page, "title").startswith("<script>globalThis.owned")

"""Functions of the page's modules, as tables; the browser is what carries them out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from .conftest import Served


@pytest.fixture(scope="module")
def page(browser: Browser, served: Served) -> Iterator[Page]:
    (served.folder / "empty.html").write_text("<!doctype html>")
    page = browser.new_page()
    page.goto(f"{served.address}/empty.html")
    yield page
    page.close()


def _call(page: Page, module: str, name: str, *given: Any) -> Any:
    script = "([module, name, given]) => import(module).then((members) => members[name](...given))"
    return page.evaluate(script, [f"/{module}.js", name, list(given)])


def test_figures_as_people_read_them(page: Page) -> None:
    table: dict[str, dict[Any, str]] = {
        "seconds": {0: "0 s", 0.0004: "1 ms", 0.34: "340 ms", 0.9996: "1.0 s", 59.94: "59.9 s",
                    59.96: "1 min 00 s", 125: "2 min 05 s", 3840: "1 h 04 min",
                    273_600: "3 d 04 h", None: "–"},
        "tokens": {0: "0", 999: "999", 1234: "1.2k", 99_949: "99.9k", 99_950: "100k",
                   999_499: "999k", 999_500: "1.00M"},
        "dollars": {0: "$0", 0.00001: "<$0.0001", 0.0041: "$0.0041", 0.4: "$0.40",
                    1234.5: "$1,234.50", None: "–"},
        "count": {1234567: "1,234,567", None: "–"},
        "tick": {0: "0", 0.25: "250 ms", 1.5: "1.5 s", 60: "1 min", 90: "1 min 30 s", 7200: "2 h"},
    }  # fmt: skip
    said = {
        name: {value: _call(page, "base/format", name, value) for value in rows}
        for name, rows in table.items()
    }
    assert said == table


@pytest.mark.parametrize("most", [0.001, 0.02, 1, 7, 61, 3600, 90_000, 10_000_000])
def test_an_axis_has_a_few_round_ticks(page: Page, most: float) -> None:
    ticks = _call(page, "base/format", "ticks", 0, most, 8)

    assert ticks[0] == 0
    assert 2 <= len(ticks) <= 10
    assert ticks[-1] <= most * 1.001


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\r\nand a line", "plain\ttext\nand a line"),
        ("\x1b[31m", "\\u001b[31m"),
        ("a\u202eb\u2069", "a\\u202eb\\u2069"),
        ("\u200b\ufeff\u2028", "\\u200b\\ufeff\\u2028"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("👩\u200d🔬 می\u200cشود", "👩\u200d🔬 می\u200cشود"),
        ("é ß 漢字", "é ß 漢字"),
    ],
)
def test_what_cannot_be_seen_is_shown(page: Page, text: str, shown: str) -> None:
    assert _call(page, "base/dom", "shown", text) == shown


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("plan", "plan", True),
        ("plan", "plans", False),
        ("verify:${…}", "verify:F1", True),
        ("verify:${…}", "review:F1", False),
        ("${…}:${…}", "a:b:c", True),
        ("a${…}a", "a", False),
        ("${…}", "", True),
        ("${…}" * 50 + "b", "a" * 5000, False),
    ],
)
def test_a_label_of_the_outline_fits_those_that_it_can_become(
    page: Page, pattern: str, text: str, fits: bool
) -> None:
    assert _call(page, "base/places", "fits", pattern, text) is fits


def test_a_difference_leads_from_one_text_to_the_other(page: Page) -> None:
    texts = ["", "a", "a\nb", "b\na", "a\nb\nc\nd", "d\nc\nb\na", "x\nb\nx\nd", "a\nc\ne"]
    for before in texts:
        for after in texts:
            lines = _call(page, "base/diff", "difference", before, after)
            assert "\n".join(each["text"] for each in lines if each["sign"] != "+") == before
            assert "\n".join(each["text"] for each in lines if each["sign"] != "-") == after
    assert [each["sign"] for each in _call(page, "base/diff", "difference", "a\nb\nc", "a\nx\nc")] == list(
        " -+ "
    )


def test_texts_that_are_too_different_are_not_compared(page: Page) -> None:
    before, after = ("\n".join(f"{letter}{number}" for number in range(3000)) for letter in "ab")

    assert _call(page, "base/diff", "difference", before, after) is None
    assert _call(page, "base/diff", "difference", "\n" * 5000, "") is None


@pytest.mark.parametrize(
    ("members", "kinds"),
    [
        ({"state": "queued"}, ["queued"]),
        ({"state": "answered", "reused": True, "ended": 1.0}, ["reused"]),
        ({"state": "open", "attempts": [{"began": 2.0, "ended": None}]}, ["queued", "work"]),
        ({"state": "answered", "ended": 3.0, "attempts": [{"began": 1.0, "ended": 3.0}]}, ["work"]),
        ({"state": "failed", "ended": 3.0, "attempts": [{"began": 1.0, "ended": 3.0}]}, ["failed"]),
        ({"state": "answered", "ended": 5.0,
          "attempts": [{"began": 1.0, "ended": 2.0}, {"began": 3.0, "ended": 5.0}]},
         ["retry", "queued", "work"]),
        ({"state": "queued", "attempts": [{"began": 1.0, "ended": 2.0}]}, ["retry", "queued"]),
        ({"state": "queued", "kind": "sleep"}, ["wait"]),
        ({"state": "refused"}, ["queued"]),
    ],
)  # fmt: skip
def test_a_call_as_spans_of_time(page: Page, members: dict[str, Any], kinds: list[str]) -> None:
    call = {"id": "1", "kind": "agent", "asked": 1.0, "began": None, "ended": None, "attempts": []} | members
    spans = _call(page, "base/states", "spans", call, 9.0)

    assert [each["kind"] for each in spans] == kinds
    assert all(each["from"] <= each["to"] for each in spans)


_ENTRIES = [
    {"kind": "agent", "line": 1, "label": "a:${…}", "phase": "One"},
    {"kind": "agent", "line": 2, "label": "a:${…}", "phase": "Two"},
    {"kind": "agent", "line": 3, "prompt": "Say ${…} twice"},
    {"kind": "agent", "line": 4, "prompt": "Write it up"},
    {"kind": "exec", "line": 5},
    {"kind": "sleep", "line": 6},
    {"kind": "sleep", "line": 6},
]


@pytest.mark.parametrize(
    ("call", "line"),
    [
        ({"kind": "agent", "label": "a:x", "phase": "Two"}, 2),
        ({"kind": "agent", "label": "a:x", "phase": "Three"}, None),
        ({"kind": "agent", "label": "a:x", "line": 9}, 9),
        ({"kind": "agent", "prompt": "Say\n   it twice"}, 3),
        ({"kind": "agent", "prompt": "else"}, None),
        ({"kind": "sandbox_exec"}, 5),
        ({"kind": "sleep"}, 6),
        ({"kind": "ask"}, None),
    ],
)
def test_a_call_was_made_where_one_entry_alone_can_have_made_it(
    page: Page, call: dict[str, Any], line: int | None
) -> None:
    script = """([call, calls]) => import("/base/places.js").then(({ linesOf }) =>
        linesOf([call], new Map([["", { outline: { calls } }]])).get("1") ?? null)"""

    assert page.evaluate(script, [{"id": "1", "path": ""} | call, _ENTRIES]) == line

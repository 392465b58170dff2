"""The file of a report in a real browser: what it shows, and what hostile text can do in it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import Open
from .documents import document, hostile

VIEWS = ("overview", "calls", "log", "script", "result")


def test_the_head_tells_how_a_run_ended_and_what_it_took(open_page: Open) -> None:
    page = open_page(document(9))

    assert page.title() == "review · flowcage"
    assert page.locator("h1").inner_text() == "review"
    assert "Completed" in page.locator(".head .badge").inner_text()
    figures = page.locator(".figures").inner_text()
    assert [each in figures for each in ("Time", "Agents", "Tokens", "Cost", "none failed")] == [True] * 5


@pytest.mark.parametrize("view", VIEWS)
def test_hostile_text_stays_text(open_page: Open, view: str) -> None:
    page = open_page(hostile(), view)
    page.wait_for_selector(f"#view-{view}:not([hidden])")

    assert page.evaluate("globalThis.owned") is None
    assert page.evaluate("document.images.length + document.querySelectorAll('#page script').length") == 0
    text = page.evaluate("document.body.innerText")
    assert "<script>globalThis.owned = true</script>" in text
    assert [each for each in "\u202e\u2066\x1b\x00\u200b\u2028\ud800" if each in text] == []
    assert "\\u202e" in text


def test_a_prompt_of_a_megabyte_is_cut_until_it_is_asked_for(open_page: Open) -> None:
    page = open_page(hostile(), "call=3")
    prompt = page.locator(".detail .block", has_text="Prompt").locator("pre").first
    assert len(prompt.inner_text()) < 10_000

    page.locator(".detail button", has_text="Show all").first.click()

    assert len(prompt.evaluate("each => each.textContent")) >= 1_048_576


def test_what_is_copied_is_what_is_shown(open_page: Open) -> None:
    page = open_page(hostile(), "call=1")
    page.evaluate("navigator.clipboard.writeText = async (text) => { globalThis.copied = text }")

    page.locator(".detail .copy").first.click()

    expect(page.locator(".detail .copy").first).to_have_text("Copied")
    copied = page.evaluate("globalThis.copied")
    assert "\\u202egnp.exe" in copied
    assert "\u202e" not in copied

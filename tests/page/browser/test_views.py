"""What a reader does with the page: keys, search, filter, detail, deltas, paper, a phone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .conftest import Open
from .documents import document, mixed

ROWS = ".list.calls .row:not([hidden])"


def _selected(page: Page) -> str:
    return page.locator(f"{ROWS}.selected .name").inner_text()


def test_only_rows_in_sight_are_elements(open_page: Open) -> None:
    page = open_page(document(1000), "calls")
    assert page.locator(".list.calls").get_attribute("aria-rowcount") == "1004"
    assert page.locator(ROWS).count() < 100

    page.locator(".list.calls").evaluate("list => { list.scrollTop = list.scrollHeight }")

    expect(page.get_by_text("report", exact=True)).to_be_visible()
    names = page.locator(f"{ROWS} .name").all_inner_texts()
    assert names[-3:] == ["verify:F449", "Report", "report"]
    assert page.locator(ROWS).count() < 100
    page.locator(".list.calls").evaluate("list => { list.scrollTop -= 300 }")
    expect(page.get_by_text("verify:F430", exact=True)).to_be_visible()
    order = page.evaluate(f"[...document.querySelectorAll('{ROWS}')].map(row => Number(row.dataset.index))")
    assert order == sorted(order)


def test_keys_move_open_and_close(open_page: Open) -> None:
    page = open_page(document(9))
    page.keyboard.press("2")
    for key in ("j", "ArrowDown", "ArrowDown", "j", "k"):
        page.keyboard.press(key)
    assert _selected(page) == "Review"
    page.keyboard.press("j")
    page.keyboard.press("Enter")

    expect(page.locator(".detail h2")).to_have_text("review:security")
    assert page.evaluate("location.hash") == "#call=2"

    page.keyboard.press("j")
    expect(page.locator(".detail h2")).to_have_text("review:performance")
    page.keyboard.press("Escape")
    expect(page.locator(".detail")).to_be_hidden()
    page.keyboard.press("End")
    assert _selected(page) == "report"


def test_enter_closes_a_phase(open_page: Open) -> None:
    page = open_page(document(9), "calls")
    before = page.locator(ROWS).count()
    page.keyboard.press("j")
    page.keyboard.press("Enter")

    expect(page.locator(ROWS)).to_have_count(before - 1)
    expect(page.locator(f"{ROWS}[aria-expanded=false] .name")).to_have_text("Plan")


def test_the_keys_are_listed(open_page: Open) -> None:
    page = open_page(document(9))
    page.keyboard.press("?")
    expect(page.locator("dialog.keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog.keys")).to_be_hidden()


def test_search_finds_words_anywhere_in_a_call(open_page: Open) -> None:
    page = open_page(document(1000))
    page.keyboard.press("/")
    page.keyboard.type("overloaded ERRORS-2")

    expect(page.locator(".view-calls .found")).to_have_text("0 of 1,000 calls")

    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("folder ERRORS-12")
    expect(page.locator(".view-calls .found")).to_have_text("1 of 1,000 calls")
    expect(page.locator(f"{ROWS} .name").last).to_have_text("review:errors-12")


def test_chips_show_calls_of_a_state(open_page: Open) -> None:
    whole = document(1000)
    failed = sum(call["state"] == "failed" for call in whole["calls"])
    page = open_page(whole, "calls")

    page.locator(".chip", has_text="failed").click()

    expect(page.locator(".view-calls .found")).to_have_text(f"{failed} of 1,000 calls")
    glyphs = page.locator(f"{ROWS}:not(.phase-row) .cell-glyph, {ROWS}:not(.phase-row) .glyph")
    assert set(glyphs.all_inner_texts()) == {"✕"}


def test_a_refused_answer_is_compared_with_the_next(open_page: Open) -> None:
    page = open_page(document(9), "call=4")
    page.locator(".refusal summary").click()

    less = page.locator(".diff-line.less").all_inner_texts()
    more = page.locator(".diff-line.more").all_inner_texts()

    assert any('"line": "88"' in each for each in less)
    assert any('"line": 88' in each for each in more)


def test_a_line_of_the_script_is_shown(open_page: Open) -> None:
    page = open_page(document(9), "call=4")
    page.locator(".facts button", has_text="review.js:17").click()

    expect(page.locator(".script .row.is-shown .line-number")).to_have_text("17")
    assert page.evaluate("location.hash") == "#script=17"


def test_the_script_shows_where_it_waits(open_page: Open) -> None:
    whole = document(40, state="running")
    waiting = sum(call["state"] in ("open", "queued") for call in whole["calls"])
    page = open_page(whole, "script")

    expect(page.locator(".script .row.is-waiting .line-number")).to_have_text("22")
    expect(page.locator(".script .row.is-waiting .line-mark")).to_have_text(f"◷ {waiting}")


@pytest.mark.parametrize(("state", "words"), [("ended", 0), ("running", 1)])
def test_a_file_of_a_run_that_goes_on_says_so(open_page: Open, state: str, words: int) -> None:
    page = open_page(document(9, state=state))

    expect(page.get_by_text("This run is still going.")).to_have_count(words)


@pytest.mark.parametrize("view", ["overview", "calls", "call=4", "log", "script", "result"])
def test_nothing_is_wider_than_a_phone(open_page: Open, view: str) -> None:
    page = open_page(document(40, state="running"), view, width=390, height=844)

    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("document.querySelector('.main').scrollWidth") <= 390


def test_paper_has_every_view_with_all_rows(open_page: Open) -> None:
    page = open_page(document(40))
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")

    assert page.locator(".list.calls .row:visible").count() == 44
    assert page.locator(".view:visible").count() == 5

    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.locator(".view:visible").count() == 1


def test_the_theme_is_the_system_s_or_the_reader_s(open_page: Open) -> None:
    page = open_page(document(9))
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert light != dark

    page.keyboard.press("t")
    assert page.evaluate(ground) == light
    page.reload()
    assert page.evaluate(ground) == light


def test_a_run_without_calls_has_a_page(open_page: Open) -> None:
    whole = document(0)
    page = open_page(whole | {"run": whole["run"] | {"phases": []}}, "calls")

    expect(page.get_by_text("This run has made no calls.")).to_be_visible()
    page.keyboard.press("3")
    expect(page.get_by_text("Nothing was logged.")).to_be_visible()


def test_members_that_are_unknown_or_missing_stop_nothing(open_page: Open) -> None:
    call: dict[str, Any] = {"id": "1", "path": "", "kind": "later", "state": "later", "asked": 0.1}
    page = open_page({"page": 1, "run": {"id": "r", "state": "later"}, "calls": [call]}, "call=1")

    expect(page.locator(".detail h2")).to_have_text("later 1")


def test_a_phase_that_is_not_reached_shows_what_the_script_will_call(open_page: Open) -> None:
    page = open_page(document(40, state="running"))

    expect(page.locator(".band.not-reached .band-title")).to_have_text("Report")
    expect(page.locator(".dot-planned .dot-label")).to_have_text("report")


def test_an_error_leads_to_its_line(open_page: Open) -> None:
    whole = document(9)
    error = {"kind": "exception", "message": "not a function", "place": "review.js:21:7"}
    page = open_page(whole | {"run": whole["run"] | {"verdict": "failed", "error": error}})

    page.get_by_role("button", name="Line 21 of the script").click()

    expect(page.locator(".script .row.is-error .line-number")).to_have_text("21")


def test_a_part_of_the_time_is_chosen_with_the_pointer_or_by_key(open_page: Open) -> None:
    page = open_page(document(40), "calls")
    bar = page.locator(f"{ROWS} .span-work").first
    before = bar.evaluate("each => each.getBoundingClientRect().width")
    box = page.locator(".ruler .plot").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 2, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 5)
    page.mouse.up()

    expect(page.locator(".chip.whole")).to_be_visible()
    assert bar.evaluate("each => each.getBoundingClientRect().width") > 3 * before

    page.keyboard.press("Escape")
    expect(page.locator(".chip.whole")).to_be_hidden()
    assert bar.evaluate("each => each.getBoundingClientRect().width") == before

    page.keyboard.press("j")
    page.keyboard.press("z")
    expect(page.locator(".chip.whole")).to_have_text("✕ 0 s to 4.3 s")


def test_calls_of_every_kind_have_a_row_and_their_workflow(open_page: Open) -> None:
    page = open_page(mixed(), "calls")

    names = page.locator(f"{ROWS} .name").all_inner_texts()
    assert names == ["./lint.js", "lint:a", "sleep 900 ms", "gate", "exec 4", "x"]
    glyphs = page.locator(f"{ROWS} .glyph").all_inner_texts()
    assert glyphs == ["✓", "✓", "✓", "◷", "–", "⊘"]
    expect(page.locator(ROWS).nth(1)).to_contain_text("↳ lint.js")

    page.keyboard.press("4")
    page.get_by_label("Workflow", exact=True).select_option("1")
    expect(page.locator(".script .row").first).to_contain_text("return agent('lint')")

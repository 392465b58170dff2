"""The page as the user interface has it: its modules loaded as files, and kept up with deltas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from flowcage.host.page.html import STYLES

from .conftest import Served
from .documents import document

_PAGE = """<!doctype html><html lang="en"><title>run</title>{links}<div id="page"></div>
<script type="application/json" id="document">{data}</script>
<script type="module">
import {{ mount }} from "./page.js";
globalThis.told = [];
const whole = JSON.parse(document.getElementById("document").textContent);
globalThis.page = mount(document.getElementById("page"), whole, {{
  live: true,
  home: {{ href: "#home", label: "runs" }},
  actions: [
    {{
      label: "Cancel", kind: "danger",
      when: (run) => run.state === "running", run: (run) => told.push(run.id),
    }},
  ],
  fetchCall: async (id) => ({{ id, prompt: `the whole prompt of ${{id}}` }}),
  extra: (call, before) => before ?? (call.state === "open" ? document.createElement("textarea") : null),
}});
</script>
"""


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A run that goes on, with one prompt that is cut."""
    whole = document(40, state="running")
    whole["calls"][-1]["cut"] = {"prompt": 9000}
    links = "".join(f'<link rel="stylesheet" href="{name}">' for name in STYLES)
    data = json.dumps(whole).replace("<", "\\u003c")
    (served.folder / "run.html").write_text(_PAGE.format(links=links, data=data))
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{served.address}/run.html")
    page.wait_for_selector(".page")
    yield page
    context.close()
    assert errors == []


def _open_call(page: Page) -> dict[str, Any]:
    calls: list[dict[str, Any]] = page.evaluate("[...page.model.calls.values()]")
    return next(call for call in calls if call["state"] == "open")


def _update(page: Page, **delta: Any) -> None:
    page.evaluate("delta => page.update(delta)", delta)


def test_a_delta_changes_what_is_shown(page: Page) -> None:
    call = _open_call(page)
    page.evaluate("id => page.open(id)", call["id"])
    expect(page.locator(".detail-status")).to_contain_text("working")

    now = page.evaluate("page.model.now")
    _update(page, calls=[{"id": call["id"], "state": "answered", "value": "here it is", "ended": now}])

    expect(page.locator(".detail-status")).to_contain_text("done")
    expect(page.locator(".detail pre", has_text="here it is")).to_be_visible()
    expect(page.locator(".row.selected .cell-glyph, .row.selected .glyph").first).to_have_text("✓")


def test_a_new_call_and_a_new_line_appear(page: Page) -> None:
    page.keyboard.press("3")
    before = page.locator(".list.events").get_attribute("aria-rowcount")
    _update(
        page,
        calls=[{"id": "900", "path": "", "kind": "agent", "state": "queued", "asked": 1.0, "label": "late"}],
        logs=[{"at": 900.0, "seq": 1, "path": "", "text": "the last line"}],
    )

    expect(page.locator(".list.events")).not_to_have_attribute("aria-rowcount", str(before))
    page.keyboard.press("2")
    page.locator(".list.calls").evaluate("list => { list.scrollTop = list.scrollHeight }")
    expect(page.get_by_text("late", exact=True)).to_be_visible()


@pytest.mark.parametrize(("left", "new", "kept"), [(0, 2, 5), (2, 2, 3), (3, 3, 3), (9, 3, 3)])
def test_lines_that_are_left_out_leave_the_page(page: Page, left: int, new: int, kept: int) -> None:
    lines = [{"at": 1.0, "seq": n, "path": "", "type": "log", "text": f"line {n}"} for n in range(3 + new)]
    page.evaluate("([lines]) => { page.model.logs = lines; page.model.events = lines }", [lines[:3]])
    delta = {"logs": lines[3:], "events": lines[3:], "left": {"logs": left, "events": left}}
    page.evaluate("(delta) => { page.model.left = {logs: 0, events: 0}; page.update(delta) }", delta)
    for name in ("logs", "events"):
        assert [each["seq"] for each in page.evaluate(f"page.model.{name}")] == list(range(3 + new))[-kept:]


def test_the_end_of_the_run_is_told_and_its_actions_go(page: Page) -> None:
    page.get_by_role("button", name="Cancel").click()
    assert page.evaluate("told") == [document()["run"]["id"]]

    _update(page, run={"state": "ended", "verdict": "cancelled", "seconds": 50.0})

    expect(page.locator(".head .badge")).to_contain_text("Cancelled")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.locator(".figure-value").first).to_have_text("50.0 s")


def test_a_form_in_the_detail_keeps_its_text_and_focus(page: Page) -> None:
    call = _open_call(page)
    page.evaluate("id => page.open(id)", call["id"])
    page.locator(".detail textarea").fill("half a")
    page.locator(".detail textarea").focus()

    _update(page, calls=[{"id": call["id"], "tokens": 123_456}])
    expect(page.locator(".facts")).to_contain_text("123,456")
    page.keyboard.type(" word")

    assert page.locator(".detail textarea").input_value() == "half a word"


def test_what_has_the_focus_keeps_it(page: Page) -> None:
    dot = page.locator(".dot").nth(3)
    dot.focus()
    key = dot.get_attribute("data-key")

    _update(page, run={"name": "renamed"})

    expect(page.locator("h1")).to_have_text("renamed")
    assert page.evaluate("document.activeElement.dataset.key") == key


def test_a_text_that_is_cut_is_loaded(page: Page) -> None:
    identifier = page.evaluate("[...page.model.calls.keys()].at(-1)")
    page.evaluate("id => page.open(id)", identifier)
    page.locator(".detail button", has_text="Load the rest").click()

    expect(page.locator(".detail pre", has_text=f"the whole prompt of {identifier}")).to_be_visible()


def test_the_clock_goes_on(page: Page) -> None:
    before = page.locator(".figure-value").first.inner_text()
    expect(page.locator(".figure-value").first).not_to_have_text(before)


def test_what_has_ended_hears_no_more(page: Page) -> None:
    page.evaluate("page.destroy()")
    page.keyboard.press("2")
    _update(page, run={"name": "renamed"})

    assert page.locator("#page").inner_html() == ""


def test_a_log_that_is_read_at_its_end_stays_there(page: Page) -> None:
    page.keyboard.press("3")
    log = page.locator(".list.events")
    log.evaluate("list => { list.scrollTop = list.scrollHeight }")

    lines = [{"at": 900.0, "seq": seq, "path": "", "text": f"line {seq}"} for seq in range(50)]
    _update(page, logs=lines)

    expect(page.get_by_text("line 49", exact=True)).to_be_visible()
    log.evaluate("list => { list.scrollTop = 200 }")
    _update(page, logs=[lines[0] | {"seq": 50, "text": "one more"}])
    expect(page.locator("#view-log .chip", has_text="log lines")).to_contain_text("91")
    assert log.evaluate("list => list.scrollTop") == 200

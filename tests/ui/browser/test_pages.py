"""The pages in a browser: what a person sees of runs, and does to them."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from flowcage.host.durable.sqlite.store import SqliteStore

from ...durable.places import begun
from ...e2e import kept
from ...e2e.command import DEADLINE
from ...e2e.kept import on
from ..live import HOSTILE, Place
from ..served import serving
from .conftest import Enter

SOON = DEADLINE * 1000.0

QUESTIONS = """import { ask } from 'workflow:extra';
export default async () => [await ask('Ship it?', {options: ['yes', {label: 'no, wait', value: {wait: 3}}]}),
  await ask('How many?', {schema: {type: 'object', required: ['count'], properties: {
    count: {type: 'integer', minimum: 1, description: 'of them'}, sure: {type: 'boolean'}}}}),
  await ask('Why?').catch((error) => error.message)]"""


def see(page: Page, text: str) -> None:
    """Wait until a text is in sight."""
    page.get_by_text(text).locator("visible=true").first.wait_for(timeout=SOON)


def accessible(page: Page) -> None:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]})
    assert found.violations_count == 0, found.generate_report()


def test_runs_are_listed_and_found_and_opened_by_keyboard(place: Place, enter: Enter) -> None:
    kept.make(place.store, "done-a", "gone-b", "done-c")
    page = enter()
    rows = page.locator(".runs tbody tr")
    expect(rows).to_have_count(3, timeout=SOON)
    kept.make(place.store, "done-d")  # another process, while the page is open
    expect(rows).to_have_count(4, timeout=SOON)
    expect(rows.first).to_contain_text("done-d")
    page.get_by_label("State", exact=True).select_option("abandoned")
    expect(rows).to_have_count(1, timeout=SOON)
    expect(rows.first).to_contain_text("Abandoned")
    page.reload()  # the filter is in the address
    expect(rows).to_have_count(1, timeout=SOON)
    page.get_by_label("State", exact=True).select_option("")
    page.get_by_label("Search by name or id").fill("DONE-C")
    expect(rows).to_have_count(1, timeout=SOON)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/done-c*")
    expect(page.get_by_role("heading", level=1)).to_have_text("w.js", timeout=SOON)
    assert on(place.store, "rm", "done-c").status == 0
    see(page, "the store has no run 'done-c'")


def test_two_thousand_runs_are_shown_in_parts(place: Place, enter: Enter) -> None:
    async def work(store: SqliteStore) -> None:
        for number in range(250):
            await begun(store, f"run-{number:04}")

    kept.with_store(place.store, work)
    page = enter()
    rows = page.locator(".runs tbody tr")
    expect(rows).to_have_count(100, timeout=SOON)
    see(page, "the newest 100 runs")
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(200, timeout=SOON)
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(250, timeout=SOON)
    see(page, "250 runs")
    assert rows.last.locator(".mono").inner_text() == "run-0000"


def test_hostile_texts_are_text_on_every_page(place: Place, enter: Enter) -> None:
    source = f"phase({HOSTILE!a}); log({HOSTILE!a}); return await agent({HOSTILE!a}, {{label: {HOSTILE!a}}})"
    first, second = place.ran(source), place.ran(source + "+ 'x'")
    shown = HOSTILE.replace("\x1b", "\\u001b").replace("\u202e", "\\u202e").replace("\0", "\\u0000")
    for path in ("", f"runs/{first}", f"runs/{first}#call=1", f"runs/{first}#log", f"runs/{first}#result"):
        page = enter(path)
        page.locator(".page").wait_for(timeout=SOON)
        if path:
            page.get_by_text(shown[:40]).first.wait_for(timeout=SOON)
        page.close()
    page = enter(f"compare?one={first}&other={second}")
    page.get_by_text("same", exact=False).first.wait_for(timeout=SOON)
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 0


def test_a_run_goes_on_under_its_page_and_is_cancelled(place: Place, enter: Enter) -> None:
    with place.running(
        "await agent('one', {label: 'first'}); await agent('wait'); await agent('wait')"
    ) as process:
        assert place.waits.read_text() == "waits\n"
        page = enter()
        page.locator(".run-link").click(timeout=SOON)
        see(page, "Running")
        expect(page.get_by_role("tab", name="Calls")).to_contain_text("2", timeout=SOON)
        place.let_go()
        expect(page.get_by_role("tab", name="Calls")).to_contain_text("3", timeout=SOON)
        page.get_by_role("button", name="Cancel …").click()
        page.get_by_label("Reason").fill("enough")
        page.get_by_role("dialog").get_by_role("button", name="Cancel the run").click()
        see(page, "Cancelled")
        process.communicate(timeout=DEADLINE)
    (run,) = on(place.store, "ls", "--json").json
    assert (run["verdict"], run["cancel"]["reason"]) == ("cancelled", "enough")


def test_a_person_answers_by_forms(place: Place, enter: Enter) -> None:
    with place.running(QUESTIONS) as process:
        page = enter()
        page.locator(".run-link").click(timeout=SOON)
        page.get_by_role("button", name="Answer", exact=True).first.wait_for(timeout=SOON)
        page.reload()  # when nothing changes any more
        page.get_by_role("button", name="Answer", exact=True).first.click(timeout=SOON)
        form = page.get_by_role("region", name="Your answer")
        form.get_by_role("button", name="Answer").click(timeout=SOON)
        see(page, "choose one of them")
        form.get_by_label("no, wait").check()
        form.get_by_role("button", name="Answer").click()
        page.get_by_text("How many?").first.click(timeout=SOON)
        form.get_by_label("count").fill("0")
        form.get_by_role("button", name="Answer").click()
        page.get_by_text("0 is less than the minimum").first.wait_for(timeout=SOON)
        accessible(page)
        form.get_by_label("count").fill("2")
        form.get_by_role("button", name="Answer").click()
        page.get_by_text("Why?").first.click(timeout=SOON)
        form.get_by_text("Give no answer").click()
        form.get_by_label("Why there is no answer").fill("nobody knows")
        form.get_by_role("button", name="Reject").click()
        process.communicate(timeout=DEADLINE)
    assert on(place.store, "result", "@last", "--json").json["result"] == [
        {"wait": 3},
        {"count": 2},
        "nobody knows",
    ]


def test_an_interrupted_run_is_explained_and_resumed_and_compared(place: Place, enter: Enter) -> None:
    place.ran("return [await agent('one'), await agent('wait')]", kill=True)
    place.script.write_text("return [await agent('one'), await agent('three')]")
    page = enter()
    page.locator(".run-link").click(timeout=SOON)
    page.get_by_role("button", name="Resume …").click(timeout=SOON)
    see(page, "runs: it was at work when the run ended, and is asked again")
    accessible(page)
    page.get_by_label("Run the file as it is now").check()
    page.get_by_text("1 of 1 answer reused").wait_for(timeout=SOON)
    old = page.url.rpartition("/")[2].partition("#")[0]
    page.get_by_role("dialog").get_by_role("button", name="Start").click()
    page.wait_for_url(lambda url: "/runs/" in url and old not in url, timeout=SOON)
    see(page, "Completed")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".pairs li")).to_have_count(1, timeout=SOON)
    page.get_by_text("= same").click()
    expect(page.locator(".pairs li")).to_have_count(2, timeout=SOON)
    page.locator(".pairs summary").last.click()
    accessible(page)
    page.get_by_role("link", name="call 2 of").last.click()
    page.wait_for_url("**#call=2")
    page.get_by_role("complementary").get_by_text("answer to").first.wait_for(timeout=SOON)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_list_is_accessible_and_no_wider_than_the_window(
    place: Place, enter: Enter, width: int, scheme: str
) -> None:
    kept.make(place.store, "done-a", "gone-b", "done-" + "c" * 95)
    page = enter(width=width, height=800)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.locator(".cell-tokens:not(:empty)").nth(2).wait_for(timeout=SOON)
    accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_server_that_only_shows_offers_nothing_else(place: Place, context: BrowserContext) -> None:
    kept.make(place.store, "gone")
    with serving(place.store, "--read-only") as server:
        page = context.new_page()
        page.goto(server.entry.as_uri())
        page.locator(".run-link").click(timeout=SOON)
        see(page, "Abandoned")
        assert page.get_by_role("button", name="Cancel").count() == 0
        assert page.get_by_role("button", name="Resume").count() == 0
        page.close()

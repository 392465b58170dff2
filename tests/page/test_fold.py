"""The page document of kept runs, whole and by deltas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from flowcage.host import AgentAnswer, AgentCall, RequestRejected
from flowcage.host.durable.errors import DamagedEntry
from flowcage.host.durable.history.forms import withhold_prompts
from flowcage.host.durable.records import RunRecord, Summary
from flowcage.host.page.cutting import CAPS
from flowcage.host.page.fold import About, PageFold
from flowcage.host.run.core.inputs import Answered, Compiled, Ended, Input, Opened, Reused, Said, Spent, Told
from flowcage.protocol.messages import AgentRequest

from ..durable.places import begun
from ..e2e.kept import opened
from ..resume.kept_runs import kept, load, record_of
from ..resume.lives import Agents, first_life, next_life, options
from .documents import record as recorded
from .pages import call_of, merged, page_of

SOURCE = """export const meta = {name: 'told'};
phase('One', {detail: 'of one'});
log('began', {a: 1});
const got = [await agent('twice', {label: 'first', retry: {maxAttempts: 2, backoffMs: 1}}),
  await agent('number', {schema: {type: 'number'}, phase: 'Two', model: 'small'}),
  await agent('never').catch(() => null)];
await SW.extra.sleep(1);
export default got;"""


async def answer(call: AgentCall) -> AgentAnswer:
    if call.prompt == "never":
        raise RequestRejected("no\x1b[31m")
    if call.prompt == "twice" and call.attempt == 1:
        raise RequestRejected("not yet")
    if call.prompt == "number":
        return AgentAnswer("nine" if call.problem is None else 9, tokens=3, cost_usd=0.25, model="small-1")
    return AgentAnswer("yes", tokens=4, cost_usd=0.5)


def made(path: Path, source: str = SOURCE) -> RunRecord:
    async def main() -> RunRecord:
        await first_life(path / "runs.db", options(answer), source)
        return await load(path / "runs.db")

    return trio.run(main)


def test_the_page_of_a_run_that_has_completed(tmp_path: Path) -> None:
    page = page_of(made(tmp_path), about={"": About({"name": "told"}, {"calls": []})})

    run = page["run"]
    assert (run["name"], run["state"], run["verdict"]) == ("told", "ended", "completed")
    assert (run["result"], run["error"], run["lives"]) == (["yes", 9, None], None, 1)
    assert run["phases"] == [{"title": "One", "detail": "of one"}, {"title": "Two"}]
    assert (run["usage"]["tokens"], run["usage"]["costUsd"]) == (10, 1.0)
    assert (run["census"]["started"], run["census"]["failed"]) == (3, 1)
    assert [each["text"] for each in page["logs"]] == ['began {"a":1}']

    twice, number, never, sleep = page["calls"]
    assert [each["error"] for each in twice["attempts"]] == ["not yet", None]
    assert (number["value"], number["model"]) == (9, "small-1")
    assert number["attempts"][0]["refused"][0]["text"] == "nine"
    assert (never["state"], never["error"]) == ("failed", "no\x1b[31m")
    assert (sleep["kind"], sleep["options"], sleep["state"]) == ("sleep", {"durationMs": 1}, "done")
    for call in page["calls"]:
        assert call["asked"] <= call["ended"] <= run["seconds"] + 0.001

    (root,) = page["workflows"]
    assert (root["source"], root["verdict"], root["outline"]) == (SOURCE, "completed", {"calls": []})
    assert page["events"][-1]["text"] == "ended: completed"
    assert not any("\x1b" in each["text"] for each in page["events"])
    assert [each["seq"] for each in page["events"]] == sorted({each["seq"] for each in page["events"]})


def test_the_totals_add_the_calls_up(tmp_path: Path) -> None:
    totals = page_of(made(tmp_path))["totals"]

    by = {
        part: {
            row["name"]: (row["calls"], row["failed"], row["tokens"], row["costUsd"]) for row in totals[part]
        }
        for part in totals
    }
    assert by == {
        "byPhase": {"One": (2, 1, 4, 0.5), "Two": (1, 0, 6, 0.5)},
        "byModel": {"": (2, 1, 4, 0.5), "small-1": (1, 0, 6, 0.5)},
        "byLabel": {"first": (1, 0, 4, 0.5)},
    }


def test_deltas_lead_to_the_document_that_is_told_at_once(tmp_path: Path) -> None:
    record = kept(tmp_path)
    whole = page_of(record)
    assert len(whole["workflows"]) > 1

    for step in (1, 7):
        fold = PageFold(record._replace(entries=(), ending=None, summary=at_work(record)))
        page = fold.whole()
        for first in range(0, len(record.entries), step):
            entries = record.entries[first : first + step]
            page = merged(page, fold.take(entries))
        page = merged(page, fold.take((), record.summary, ending=record.ending))
        told = {"asOf", "run"}
        assert {name: page[name] for name in page if name not in told} == {
            name: whole[name] for name in whole if name not in told
        }
        assert page["run"] == whole["run"]


def at_work(record: RunRecord) -> Summary:
    return record.summary._replace(state="running", verdict=None)


def test_a_delta_without_news_has_no_rows(tmp_path: Path) -> None:
    fold = PageFold(made(tmp_path))
    fold.whole()

    delta = fold.take(())

    assert [delta[name] for name in ("calls", "workflows", "logs", "events")] == [[], [], [], []]


def test_a_run_that_was_left_is_told_as_it_stands(tmp_path: Path) -> None:
    record = kept(tmp_path, calls=2)
    left = record._replace(summary=record.summary._replace(state="running", verdict=None, is_abandoned=True))

    page = page_of(left._replace(ending=None))

    assert (page["run"]["state"], page["run"]["verdict"], page["run"]["endedAt"]) == ("abandoned", None, None)
    assert "result" not in page["run"]
    assert page["workflows"][0]["state"] == "running"
    assert {each["state"] for each in page["calls"]} & {"open", "queued"}
    assert all(each["ended"] is None for each in page["calls"] if each["state"] in ("open", "queued"))


def test_a_run_with_two_lives_tells_which_call_was_interrupted(tmp_path: Path) -> None:
    source = "export default [await agent('one'), await agent('two')]"
    kept(tmp_path, source, calls=2, unanswered=("two",))

    async def again() -> None:
        await next_life(tmp_path / "runs.db", options(Agents()))

    trio.run(again)
    page = page_of(record_of(tmp_path / "runs.db"))

    assert page["run"]["lives"] == 2
    assert call_of(page, "2")["attempts"][0]["lives"] == 2
    assert "resumed" in {each["type"] for each in page["events"]}


def test_long_texts_are_cut_and_a_call_is_told_whole(tmp_path: Path) -> None:
    source = "export default await agent('p'.repeat(1_000_000), {label: 'l', schema: {title: 's'}})"

    async def long(call: AgentCall) -> AgentAnswer:
        return AgentAnswer({"a": ["x" * 50_000], "n": len(call.prompt)})

    async def main() -> RunRecord:
        await first_life(tmp_path / "runs.db", options(long), source)
        return await load(tmp_path / "runs.db")

    fold = PageFold(trio.run(main))
    (call,) = fold.whole()["calls"]

    assert call["cut"] == {"prompt": 1_000_000, "value": 50_022}
    assert (len(call["prompt"]), len(call["value"])) == (CAPS.text, CAPS.text)
    assert call["value"].startswith('{"a":["xx')
    whole = fold.call("1")
    assert whole is not None
    assert (len(whole["prompt"]), len(whole["value"]["a"][0])) == (1_000_000, 50_000)
    assert "cut" not in whole
    assert fold.call("2") is None


def test_many_long_prompts_are_cut_further(tmp_path: Path) -> None:
    each = "(_, n) => () => agent(`${n}`.repeat(9000))"
    source = f"export default (await parallel(Array.from({{length: 40}}, {each}))).length"
    record = kept(tmp_path, source)

    page = page_of(record, caps=CAPS._replace(total=200_000))

    texts = sum(len(each["prompt"]) + len(each.get("value", "")) for each in page["calls"])
    assert 100_000 < texts <= 200_000
    assert all(each["cut"]["prompt"] >= 9_000 for each in page["calls"])


@pytest.mark.parametrize(
    "options_of_call",
    ["{schema: {title: 's'.repeat(9000)}}"]
    + [f"{{{name}: `${{n}}`.repeat(9000)}}" for name in ("label", "phase", "model")],
)
def test_whatever_is_long_of_many_calls_is_cut_further(tmp_path: Path, options_of_call: str) -> None:
    each = f"(_, n) => () => agent('p', {options_of_call})"
    source = f"export default (await parallel(Array.from({{length: 40}}, {each}))).length"

    async def long(_: AgentCall) -> AgentAnswer:
        return AgentAnswer({"a": ["x" * 9_000]} if "schema" in options_of_call else "y")

    async def main() -> RunRecord:
        await first_life(tmp_path / "runs.db", options(long), source)
        return await load(tmp_path / "runs.db")

    record = trio.run(main)
    caps = CAPS._replace(total=200_000)
    whole = page_of(record, caps=caps)["calls"]
    start = PageFold(record._replace(entries=record.entries[:1]), caps=caps)
    start.whole()
    delta = start.take(record.entries[1:], record.summary, ending=record.ending)["calls"]

    assert [len(whole), len(delta)] == [40, 40]
    assert max(len(json.dumps(each)) for each in (whole, delta)) < 250_000


def test_the_first_of_many_lines_are_left_out(tmp_path: Path) -> None:
    loop = "for (let n = 0; n < 50000; n++) { if (n % 5000 == 0) await agent('x'); log(n) }"
    source = f"{loop}\nexport default 1"
    page = page_of(made(tmp_path, source))

    assert (len(page["logs"]), page["left"]["logs"]) == (10_000, 40_000)
    assert [page["logs"][0]["text"], page["logs"][-1]["text"]] == ["40000", "49999"]
    assert len(page["events"]) + page["left"]["events"] > 50_000


def test_what_the_store_does_not_keep_is_told_so(tmp_path: Path) -> None:
    async def main() -> RunRecord:
        async with opened(tmp_path / "runs.db", redact=withhold_prompts) as store:
            said = Said("", requests=(AgentRequest("1", "secret", {}),))
            await begun(store, "run", Opened("", "main.js"), Compiled("", "module"), said)
            return await store.load("run")

    (call,) = page_of(trio.run(main))["calls"]

    assert (call["prompt"], call["withheld"]) == ("[not stored]", ["prompt"])


def test_a_run_that_sleeps_tells_until_when(tmp_path: Path) -> None:
    record = kept(tmp_path, calls=2)
    asleep = record.summary._replace(state="asleep", verdict=None, wake_at=1_800_000_000_000)

    run = page_of(record._replace(summary=asleep, ending=None))["run"]

    assert (run["state"], run["wakeAt"]) == ("asleep", "2027-01-15T08:00:00.000+00:00")


def test_a_call_that_a_fork_reuses_names_the_run_and_costs_nothing() -> None:
    said = Said("", (), (AgentRequest("1", "p", {}),), known={"1": "9"})
    reused = Reused("1", "yes", "before", "9", spent=Spent(7, 0.5), facts={"model": "m"})
    page = page_of(recorded([Opened("", "w.js"), Compiled("", "script"), said, reused]))

    (call,) = page["calls"]
    assert (call["state"], call["value"], call["reused"]) == ("answered", "yes", True)
    assert (call["reusedFrom"], call["tokens"], call["model"]) == (["before", "9"], 0, "m")
    assert page["run"]["census"]["reused"] == 1
    assert page["run"]["usage"]["tokens"] == 0


def test_an_agent_at_work_counts_with_what_it_has_told() -> None:
    said = Said("", (), (AgentRequest("1", "p", {"label": "l"}),))
    told = Told("1", Spent(7, 0.5), {})
    inputs: list[Input] = [Opened("", "w.js"), Compiled("", "script"), said, told]
    fold = PageFold(recorded(inputs[:-1]))
    page = merged(fold.whole(), fold.take(recorded(inputs).entries[-1:]))
    assert (page["calls"][0]["tokens"], page["run"]["usage"]["tokens"]) == (7, 7)
    assert PageFold(recorded(inputs)).whole()["calls"] == page["calls"]
    assert page["totals"]["byLabel"][0]["tokens"] == 7

    answered = recorded([*inputs, Answered("1", "yes", Spent(9, 0.75))]).entries[-1:]
    page = merged(page, fold.take(answered))
    assert (page["calls"][0]["tokens"], page["calls"][0]["costUsd"]) == (9, 0.75)
    assert (page["run"]["usage"]["tokens"], page["totals"]["byLabel"][0]["tokens"]) == (9, 9)


def test_what_an_agent_had_told_counts_when_its_workflow_ends_without_it() -> None:
    said = Said("", (), (AgentRequest("1", "p", {}),))
    usage = {"input": 5, "output": 2, "cacheRead": 0, "cacheWrite": 0}
    told = Told("1", Spent(7, 0.5), {"usage": usage})
    page = page_of(recorded([Opened("", "w.js"), Compiled("", "script"), said, told, Ended("")]))

    (call,) = page["calls"]
    names = ("tokens", "costUsd", "inputTokens", "outputTokens")
    assert (call["state"], [call[name] for name in names]) == ("cancelled", [7, 0.5, 5, 2])
    assert [page["run"]["usage"][name] for name in names] == [7, 0.5, 5, 2]


def test_a_log_that_is_none_of_a_run_is_refused(tmp_path: Path) -> None:
    record = made(tmp_path)
    entries = [each._replace(seq=index) for index, each in enumerate(record.entries[1:])]

    with pytest.raises(DamagedEntry):
        PageFold(record._replace(entries=entries))

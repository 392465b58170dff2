"""The page of a file of events: that of the store, without what events do not have; and any file."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowcage.host.agents.answer import AgentUsage
from flowcage.host.events import records
from flowcage.host.events.event import Event
from flowcage.host.page.recorded import reading
from flowcage.host.page.recorded.file import read
from flowcage.host.page.recorded.reading import NoEvent, event_of
from flowcage.protocol import strictjson

from ..protocol.strategies import json_values
from ..resume.kept_runs import record_of
from ..resume.lives import SOURCE, first_life, options
from .pages import page_of
from .test_fold import SOURCE as RETRIED
from .test_fold import answer

IDS = {"run", "id"}


def heard(path: Path, source: str) -> list[Event]:
    found: list[Event] = []

    async def main() -> None:
        await first_life(path / "runs.db", options(answer, listener=found.append), source)

    trio.run(main)
    return found


def lines_of(events: list[Event]) -> list[bytes]:
    return [f"{strictjson.dumps(each.to_json())}\n".encode() for each in events]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    return heard(tmp_path_factory.mktemp("events"), SOURCE)


def test_every_member_of_an_event_can_be_read() -> None:
    types = {str(each.type) for kind in reading._KINDS.values() for each in fields(kind)}

    assert types <= set(reading.READERS)


def test_events_are_read_as_they_were_written(events: list[Event]) -> None:
    for each in events:
        told = json.loads(strictjson.dumps(each.to_json()))
        again = event_of(told)
        assert type(again) is type(each)
        if told["type"] != "ended":  # of whose usage the numbers are read
            assert json.loads(strictjson.dumps(again.to_json())) == told


@pytest.mark.parametrize("source", [SOURCE, RETRIED])
def test_the_page_of_events_is_that_of_the_store(tmp_path: Path, source: str) -> None:
    found = read(lines_of(heard(tmp_path, source)))
    kept = page_of(record_of(tmp_path / "runs.db"))
    page = found.document

    assert found.unread == 0
    for name in ("id", "state", "verdict", "error", "census", "phases", "usage"):
        assert page["run"][name] == kept["run"][name], name
    assert rows(page["totals"]) == rows(kept["totals"])
    assert [each["text"] for each in page["logs"]] == [each["text"] for each in kept["logs"]]
    assert sorted(map(told_of, page["calls"])) == sorted(map(told_of, kept["calls"]))
    assert sorted(map(of_workflow, page["workflows"])) == sorted(map(of_workflow, kept["workflows"]))


def rows(totals: dict[str, Any]) -> Any:
    return {
        part: sorted((row["name"], row["calls"], row["failed"], row["tokens"]) for row in totals[part])
        for part in totals
    }


def told_of(call: dict[str, Any]) -> str:
    """What events have of a call; which request has started a child workflow is in none."""
    names = ("kind", "label", "phase", "model", "state", "tokens", "costUsd", "error")
    told = {name: call[name] for name in names if call["kind"] == "agent" or name in ("kind", "state")}
    if call["kind"] == "agent":
        told["id"] = call["id"].rpartition("/")[2]
        told["attempts"] = [[each["number"], each["error"], each["refused"]] for each in call["attempts"]]
        told |= {name: call.get(name) for name in ("prompt", "options", "value")} if call["attempts"] else {}
    return json.dumps(told, sort_keys=True)


def of_workflow(workflow: dict[str, Any]) -> str:
    names = ("runId", "sourceName", "state", "verdict")
    return json.dumps([workflow[name] for name in names])


def test_a_file_without_an_end_is_of_a_run_that_goes_on(events: list[Event]) -> None:
    first = next(index for index, each in enumerate(events) if each.to_json()["type"] == "agent_started")
    page = read(lines_of(events[: first + 1])).document

    assert (page["run"]["state"], page["run"]["verdict"], page["run"]["endedAt"]) == ("running", None, None)
    assert "open" in {each["state"] for each in page["calls"]}


@pytest.mark.parametrize(("tokens", "cost", "read"), [(7, 0.5, 5), (0, 0.0, 5), (9, 0.75, 0)])
def test_what_a_cancelled_agent_has_cost_is_told_by_its_end_or_by_itself(
    tokens: int, cost: float, read: int
) -> None:
    usage = AgentUsage(5, 2)
    events = [
        records.RunStarted("run", 0.0, source_name="w.js"),
        records.AgentStarted("run", 0.1, "1", "p"),
        records.AgentProgressed("run", 0.2, "1", usage=usage, cost_usd=0.5),
        records.AgentCancelled("run", 0.3, "1", 1, tokens, cost),
    ]
    (call,) = read_events(events)["calls"]

    assert (call["tokens"], call["costUsd"], call["inputTokens"]) == (tokens or 7, cost or 0.5, read)


def read_events(events: list[Event]) -> dict[str, Any]:
    return read(lines_of(events)).document


def test_lines_that_are_no_events_are_counted_and_the_first_is_told(events: list[Event]) -> None:
    good = lines_of(events)
    other = json.dumps(events[0].to_json() | {"runId": "x", "rootRunId": "x"}).encode()

    found = read([good[0], b"\xff\n", *good[1:], b"\n", other, good[-1][:30]])

    assert found.unread == 3
    assert found.why.startswith("line 2: it is no JSON")
    assert found.document["run"]["verdict"] == "completed"


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"{}", b'{"type": []}', b'{"type": "log"}', b'{"type":"log","runId":1,"at":0,"values":[]}'],
)
def test_a_file_of_something_else_is_refused(line: bytes) -> None:
    with pytest.raises(NoEvent):
        read([line])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_change_of_an_event_is_read_or_refused(events: list[Event], data: st.DataObject) -> None:
    """Whatever stands in a file, what comes of it is a document that is JSON."""
    members = data.draw(st.sampled_from(events)).to_json()
    name = data.draw(st.sampled_from(sorted(members)))
    changed = members | {name: data.draw(json_values())}
    lines = [*lines_of(events[:3]), strictjson.dumps(changed).encode(), *lines_of(events[3:9])]

    page = read(lines).document

    assert strictjson.loads(strictjson.dumps(page).encode()) == page

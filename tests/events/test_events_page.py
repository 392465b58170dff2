"""docs/events.md lists every event and every member, and what the command prints."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from flowcage import Outcome, Report, Verdict
from flowcage.agents import AgentCall, AgentUsage
from flowcage.events import Event, Requested
from flowcage.host.events.records import EVENT_TYPES, VERSION
from flowcage.host.outcome.ending import explain
from flowcage.host.outcome.errors import WorkflowFailed
from flowcage.host.outcome.report import Census
from flowcage.protocol.limits import camel_case
from flowcage.protocol.messages import Layer

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    lines = PAGE.partition(f"\n{heading}\n")[2].partition("\n#")[0].splitlines()
    table = [line for line in lines if line.startswith("| `")]
    assert table
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def names(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def test_the_page_is_about_the_version_that_there_is() -> None:
    assert f"version {VERSION} of them" in PAGE


def test_the_common_members_are_those_of_every_event() -> None:
    listed = [name for cells in rows("### Members of every event") for name in names(cells[0])]
    assert listed == ["type", *(camel_case(field.name) for field in fields(Event))]


def test_every_type_is_listed_with_its_class_and_its_members_in_their_order() -> None:
    common = {field.name for field in fields(Event)}
    listed = [(*names(each), *names(kind), names(members)) for each, kind, members, _ in rows("### Types")]
    there_are = {
        (name, kind.__name__): [camel_case(each.name) for each in fields(kind) if each.name not in common]
        for kind, name in EVENT_TYPES.items()
    }
    there_are["requested", "Requested"].remove("kind")  # it is the type of the request
    assert listed == [(*key, members) for key, members in there_are.items()]


def test_the_kind_of_a_request_is_its_type() -> None:
    told = Requested("r", 0.0, AgentCall("1", "p", {}), "agent").to_json()
    assert "kind" not in told
    assert told["request"]["type"] == "agent"


def test_the_usage_of_an_answer_is_as_the_page_has_it() -> None:
    assert f"`{{{', '.join(AgentUsage().to_json())}}}` in tokens" in PAGE


def test_the_members_of_a_result_are_listed_in_their_order() -> None:
    listed = [name for cells in rows("## Results") for name in names(cells[0])]
    report = Report(
        "r",
        Verdict.COMPLETED,
        logs_dropped=1,
        phases_dropped=1,
        diagnostics_dropped=1,
        isolation={"seccomp": Layer(False, "no")},
    )
    printed = list(Outcome(1, report).to_json())
    assert listed == [*printed[:3], "error", *printed[3:]]


def test_the_readme_has_the_members_that_are_always_there() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    printed = Outcome(1, Report("r", Verdict.COMPLETED, isolation={"x": Layer(True, "")})).to_json()
    printed.pop("isolationMissing", None)
    assert "`{" + ", ".join(f'"{name}"' for name in printed) + "}`" in readme


def test_the_census_and_the_error_are_listed_whole() -> None:
    cells = {cell[0]: cell[1] for cell in rows("## Results")}
    assert names(cells["`census`"]) == list(Census().to_json())
    stack = "    at f (w.js:1:2)"
    error = explain(WorkflowFailed("exception", "m", {"stack": stack}))
    assert error == {"kind": "exception", "message": "m", "stack": stack, "place": "w.js:1:2"}
    assert set(error) <= set(names(cells["`error`"]))

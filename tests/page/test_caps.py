"""What a script, a model or a store can have any number of, a page has so much of."""

from __future__ import annotations

from flowcage.host.page.material import Material
from flowcage.host.page.tail import Tail
from flowcage.host.page.totals import MOST_NAMES, OTHERS, Totals
from flowcage.host.resume.looking.calls import RunCall
from flowcage.host.run.core.agents.spending import Costs
from flowcage.protocol.messages import AgentRequest


def test_lines_are_kept_up_to_a_number_and_to_a_length_of_all() -> None:
    by_number, by_length = Tail(10, 1_000), Tail(100, 1_000)
    for n in range(50):
        by_number.add({"text": "x", "seq": n})
        by_length.add({"text": "x" * 90, "seq": n})
    assert ([each["seq"] for each in by_number.all()], by_number.left) == (list(range(40, 50)), 40)
    assert ([each["seq"] for each in by_length.all()], by_length.left) == (list(range(39, 50)), 39)


def test_a_line_that_is_longer_than_all_may_be_is_left_out() -> None:
    tail = Tail(10, 100)
    tail.add({"text": "x" * 101})
    assert (tail.all(), tail.new(), tail.left) == ([], [], 1)


def test_names_beyond_so_many_are_counted_together() -> None:
    totals = Totals()
    for n in range(MOST_NAMES + 30):
        request = AgentRequest(str(n), "p", {"model": f"m{n}"})
        call = RunCall(str(n), "", "agent", request, f"l{n}", f"p{n}", 0.0, "answered")
        totals.count(call, Costs(tokens=1))
    for rows in totals.to_json().values():
        assert len(rows) == MOST_NAMES + 1
        assert sum(row["calls"] for row in rows) == MOST_NAMES + 30
        assert next(row["calls"] for row in rows if row["name"] == OTHERS) == 30


def test_phases_and_diagnostics_are_so_many_and_so_long() -> None:
    material = Material()
    for n in range(600):
        material.enter(f"{n} {'x' * 1_000}", {"detail": "d" * 9_000})
        material.diagnose({"message": "m" * 9_000, "more": {"n": n}})
    phases, diagnostics = material.phases_json(), material.diagnostics_json()
    assert (len(phases), len(diagnostics)) == (500, 500)
    assert {(len(each["title"]), len(each["detail"])) for each in phases} == {(200, 2_000)}
    assert {len(str(each["message"])) for each in diagnostics} == {2_000}
    assert {"more"} & diagnostics[0].keys() == set()

"""What became of the agent calls is in the report: a result of nothing but null has a reason."""

from __future__ import annotations

from flowcage.host import Census
from flowcage.host.cli.exits import explain_census

from ..host.runs import Agent, busy, failure, run


def test_a_result_of_nothing_but_null_is_told_apart_from_one_that_is_meant() -> None:
    outcome = run("export default parallel([() => agent('a'), () => agent('b')])", agent=Agent(busy()))
    assert outcome.result == [None, None]
    assert outcome.census == Census(started=2, failed=2, swallowed_errors=2)
    kinds = [note["kind"] for note in outcome.report.diagnostics]
    assert kinds == ["swallowed_error", "swallowed_error", "all_failed"]


def test_a_failed_run_has_a_census_too() -> None:
    error = failure("await agent('a'); export default agent('b')", agent=Agent("ok", busy()))
    assert error.report.census == Census(started=2, completed=1, failed=1)


def test_a_run_without_agents_has_a_census_of_zeros() -> None:
    assert run("export default 1").census == Census()


def test_a_person_gets_one_line_where_calls_failed() -> None:
    assert explain_census(Census(started=5, completed=5)) is None
    assert explain_census(Census(started=5, completed=2, failed=3)) == "3 of 5 agent calls failed"
    assert explain_census(Census(3, 2, 1, 2, swallowed_errors=3)) == (
        "3 of 5 agent calls failed, 2 of them refused before they began; "
        "3 errors were swallowed by parallel() or pipeline()"
    )

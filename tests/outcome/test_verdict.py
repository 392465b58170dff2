"""The one table of verdicts: every row is whole, and what is derived from it agrees with the errors."""

from __future__ import annotations

import pickle

import pytest

from flowcage.host import CannotSend, ChildDied, RunError
from flowcage.host.cli import exits
from flowcage.host.outcome import errors
from flowcage.host.outcome.verdict import Exit, Verdict

ENDED_BY_A_SIGNAL_OF_THE_COMMAND = {Verdict.HOST_SHUTDOWN}


@pytest.mark.parametrize("verdict", Verdict)
def test_a_row_is_whole(verdict: Verdict) -> None:
    assert str(verdict) == verdict.name.lower()
    assert verdict.decided_by
    assert (verdict.exit_status is None) == (verdict in ENDED_BY_A_SIGNAL_OF_THE_COMMAND)
    assert verdict.http_status in (200, 422, 500, 503)


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_is_a_word_wherever_it_goes(verdict: Verdict) -> None:
    assert pickle.loads(pickle.dumps(verdict)) is verdict
    assert Verdict(str(verdict)) is verdict


def test_only_a_result_exits_with_0_and_answers_200() -> None:
    assert [verdict for verdict in Verdict if verdict.exit_status == Exit.DONE] == [Verdict.COMPLETED]
    assert [verdict for verdict in Verdict if verdict.http_status == 200] == [Verdict.COMPLETED]


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RunError)]
)
def test_an_error_of_a_run_is_no_completed_run_and_has_an_exit_status(kind: type[RunError]) -> None:
    assert kind.verdict is not Verdict.COMPLETED
    assert kind.verdict.exit_status is not None


@pytest.mark.parametrize(
    ("error", "verdict", "status"),
    [
        (CannotSend("x"), Verdict.NOT_STARTED, 2),
        (ChildDied("SIGKILL", None, ""), Verdict.CRASHED, 137),
        (ChildDied("SIGKILL", None, ""), Verdict.CPU_LIMIT, 124),
        (ChildDied("SIGSEGV", None, ""), Verdict.CRASHED, 125),
        (RunError("x"), Verdict.CANCELLED, 130),
    ],
)
def test_what_the_verdict_does_not_tell_by_itself(error: RunError, verdict: Verdict, status: int) -> None:
    error.verdict = verdict

    assert exits.status(error) == status

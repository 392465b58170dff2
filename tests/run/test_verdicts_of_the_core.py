"""Each verdict that the core decides is one of the host's, and raised as the error of that verdict."""

from __future__ import annotations

import pytest

from flowcage.host.outcome.verdict import Verdict as HostVerdict
from flowcage.host.run.conversation import ERRORS
from flowcage.host.run.core.commands import Verdict


@pytest.mark.parametrize("verdict", [each for each in Verdict if each is not Verdict.COMPLETED])
def test_a_verdict_of_the_core_has_its_error(verdict: Verdict) -> None:
    assert ERRORS[verdict].verdict is HostVerdict(verdict)


def test_a_run_that_completed_raises_nothing() -> None:
    assert Verdict.COMPLETED not in ERRORS
    assert HostVerdict(Verdict.COMPLETED) is HostVerdict.COMPLETED

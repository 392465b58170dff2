"""What counts as progress of a run; the forms of entries that it goes by are those that are written."""

from __future__ import annotations

import pytest

from flowcage.host.durable.history import codec
from flowcage.host.durable.history.progress import is_progress
from flowcage.host.run.core.inputs import Charged, Input, Lived, Noted, Remembered, Told, Turn

from . import entries

ALL = [*entries.INPUTS, *entries.COSTS, *entries.REUSED, *entries.TOLD]


@pytest.mark.parametrize("given", ALL, ids=lambda each: type(each).__name__)
def test_what_each_life_writes_anyway_is_no_progress(given: Input) -> None:
    brings_nothing = isinstance(given, Turn | Lived | Told | Charged | Noted | Remembered)
    assert is_progress(codec.encode(given)) is not brings_nothing


def test_all_kinds_are_among_these() -> None:
    kinds = {type(each) for each in ALL}
    assert {Turn, Lived, Told, Charged, Noted, Remembered} < kinds

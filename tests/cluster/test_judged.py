"""What the judge of a storm lets pass, and what not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .judged import Judge

# Of one call: epoch, number and whether it was told to be interrupted, as they were asked.
Asked = list[tuple[int, str, bool]]


def judged(folder: Path, asked: Asked, epoch: int, number: str) -> None:
    lines: list[Any] = [["ask", "r", "r/1/1", *each] for each in asked]
    log = folder / "asked"
    log.write_text("".join(json.dumps(each) + "\n" for each in lines))
    Judge("", "", log)._judge_asked("r/1/1", epoch, number)


@pytest.mark.parametrize(
    "asked", [[(1, "a", False)], [(1, "z", False), (2, "a", True)], [(2, "a", True), (1, "z", False)]]
)
def test_a_call_that_is_asked_until_it_is_answered_passes(tmp_path: Path, asked: Asked) -> None:
    epoch = max(each[0] for each in asked)
    judged(tmp_path, asked, epoch, "a")


@pytest.mark.parametrize(
    ("asked", "epoch", "why"),
    [
        ([(1, "a", False), (2, "b", True)], 1, "was answered in epoch 1, and is asked again"),
        ([(1, "a", False), (1, "b", True)], 1, "is asked twice in one epoch"),
        ([(1, "z", False), (2, "a", False)], 2, "is not told that it was asked"),
        ([(1, "a", False)], 2, "has an answer that was given in another epoch"),
        ([(1, "z", False)], 1, "has an answer that was given in another epoch"),
    ],
)
def test_all_else_is_found(tmp_path: Path, asked: Asked, epoch: int, why: str) -> None:
    with pytest.raises(AssertionError, match=why):
        judged(tmp_path, asked, epoch, "a")

"""What the agents make of what the real programs wrote; `record` wrote it down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .situation import Situation
from .stage import SITUATIONS, USAGES, Stage, require_expected
from .tape import TRANSCRIPTS, calls, played, scrubbed, transcript

ALL = [
    pytest.param(program, each, id=f"{program}-{each}") for program, all in SITUATIONS.items() for each in all
]


@pytest.mark.parametrize(("program", "situation"), ALL)
def test_each_situation_comes_to_what_it_says(program: str, situation: Situation, tmp_path: Path) -> None:
    runs = transcript(program, situation.name)["runs"]
    stage = played(program, tmp_path, runs)
    require_expected(situation, stage.ask(situation), USAGES[program])

    said = [_plain(call, stage) for call in calls(tmp_path)]
    assert said == [{"arguments": run["arguments"], "stdin": run["stdin"]} for run in runs]


def test_there_is_a_transcript_for_each_situation_and_no_other() -> None:
    kept = {(path.parent.name, path.stem) for path in TRANSCRIPTS.glob("*/*.json")}
    assert kept == {(program, each.name) for program, all in SITUATIONS.items() for each in all}


def _plain(call: dict[str, Any], stage: Stage) -> dict[str, Any]:
    arguments = [scrubbed(each, stage) for each in call["arguments"]]
    return {"arguments": arguments, "stdin": call["stdin"]}

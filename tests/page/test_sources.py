"""What a run's sources say of themselves, read in real children."""

from __future__ import annotations

from pathlib import Path

import trio

from flowcage.host.page.sources import Sources

from ..resume.kept_runs import record_of
from ..resume.lives import first_life, options
from .test_fold import answer


def test_meta_and_outline_of_a_source_are_read(tmp_path: Path) -> None:
    source = "export const meta = {name: 'w', phases: ['A']};\nphase('A');\nreturn agent('p', {label: 'l'});"

    async def kept() -> None:
        await first_life(tmp_path / "runs.db", options(answer), source)

    trio.run(kept)
    about = trio.run(Sources().about, record_of(tmp_path / "runs.db"))[""]
    assert about.meta == {"name": "w", "phases": ["A"]}
    assert isinstance(about.outline, dict)
    assert [(call["label"], call["line"]) for call in about.outline["calls"]] == [("l", 3)]
    assert about.outline["phases"] == [{"title": "A", "declared": True, "line": 2, "column": 1}]

"""What a run's sources say of themselves, read in real children."""

from __future__ import annotations

from pathlib import Path

import trio

from flowcage.host.page.sources import Sources

from ..resume.kept_runs import record_of
from ..resume.lives import first_life, options
from .pages import page_of
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


def test_a_source_that_imports_is_read_with_its_modules_which_the_page_has(tmp_path: Path) -> None:
    meta = "export const meta = {name: 'w'};"
    source = f"import {{ ask }} from './lib.mjs';\n{meta}\nreturn [await agent('p'), ask()];"
    modules = {"lib.mjs": "export const ask = () => 1;"}

    async def kept() -> None:
        await first_life(tmp_path / "runs.db", options(answer, modules=modules), source)

    trio.run(kept)
    record = record_of(tmp_path / "runs.db")
    about = trio.run(Sources().about, record)[""]
    assert about.meta == {"name": "w"}
    (workflow,) = page_of(record, about={"": about})["workflows"]
    assert (workflow["source"], workflow["modules"]) == (source, modules)

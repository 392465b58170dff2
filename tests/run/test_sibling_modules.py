"""Files that a workflow imports: which are read, and what is said of those that are not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest
import trio

from flowcage.host import RunOptions, run_workflow_blocking
from flowcage.host.workflows import siblings
from flowcage.host.workflows.child_workflows import ChildWorkflows
from flowcage.host.workflows.siblings import MAX_BYTES, sibling_modules
from flowcage.host.workflows.source_files import SourceFileError
from flowcage.protocol.sources.names import MAX_MODULES


def found(source: str, root: Path, name: str = "w.js") -> Mapping[str, str]:
    return trio.run(partial(sibling_modules, source, name, root))


def refusal(source: str, root: Path, name: str = "w.js") -> str:
    with pytest.raises(SourceFileError) as refused:
        found(source, root, name)
    told = str(refused.value)
    assert str(root) not in told, "nothing of the host's paths is told"
    return told


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with every kind of file, and files beside it."""
    root = tmp_path / "root"
    (root / "flows" / ".hidden").mkdir(parents=True)
    (root / "lib").mkdir()
    (tmp_path / "outside.mjs").write_text("export const secret = 1;")
    (root / "lib" / "rules.mjs").write_text("import { b } from '../b.js';\nexport const limit = b;")
    (root / "b.js").write_text("import './lib/rules.mjs';\nexport const b = 3;")
    (root / "flows" / ".hidden" / "a.mjs").write_text("export {};")
    (root / "data.json").write_text("{}")
    (root / "secret.env").write_text("KEY=1")
    (root / "latin.mjs").write_bytes(b"// \xe9")
    (root / "broken.mjs").write_text("import './nowhere.mjs'; const ;")
    os.mkfifo(root / "pipe.mjs")
    (root / "folder.mjs").mkdir()
    for name, target in {
        "link.mjs": "../outside.mjs",
        "absolute-link.mjs": str(tmp_path / "outside.mjs"),
        "out": "..",
        "loop.mjs": "loop.mjs",
        "inside.mjs": "flows/.hidden/a.mjs",
        "disguised.mjs": "secret.env",
    }.items():
        (root / name).symlink_to(target)
    return root


def test_files_are_found_through_each_other(root: Path) -> None:
    modules = found("import { limit } from './lib/rules.mjs';\nreturn limit;", root)
    assert modules == {name: (root / name).read_text() for name in ("lib/rules.mjs", "b.js")}


def test_names_are_relative_to_the_source(root: Path) -> None:
    assert list(found("import '../lib/rules.mjs';", root, "flows/w.js")) == ["lib/rules.mjs", "b.js"]


def test_a_cycle_through_the_workflow_reads_it_once(root: Path) -> None:
    (root / "a.mjs").write_text("export * from './w.js';")
    assert list(found("import './a.mjs';\nexport default 1;", root)) == ["a.mjs"]


def test_a_link_that_stays_below_the_root_is_followed(root: Path) -> None:
    assert found("import './inside.mjs';", root)["inside.mjs"] == "export {};"


def test_what_does_not_compile_imports_nothing(root: Path) -> None:
    assert found("import './lib/rules.mjs';\nconst ;", root) == {}
    assert list(found("import './broken.mjs';", root)) == ["broken.mjs"]


def test_no_child_is_started_for_a_source_that_imports_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(siblings, "with_reader", None)
    assert found("import { sleep } from 'workflow:extra';\nreturn agent('read ./a.mjs');", root) == {}


REFUSED = {
    "./missing.mjs": "no such file",
    "./lib/missing/a.mjs": "no such file",
    "./b.js/a.mjs": "no such file",
    "./link.mjs": "outside the root folder",
    "./absolute-link.mjs": "outside the root folder",
    "./out/outside.mjs": "outside the root folder",
    "../outside.mjs": "outside the root folder",
    "./lib/../../outside.mjs": "outside the root folder",
    "./flows/.hidden/a.mjs": "is hidden",
    "./.env.mjs": "is hidden",
    "./data.json": "ends with .js or .mjs",
    "./secret.env": "ends with .js or .mjs",
    "./lib/rules": "ends with .js or .mjs",
    "./lib/": "is no path of a file",
    "./loop.mjs": "cannot be read",
    "./pipe.mjs": "not a regular file",
    "./folder.mjs": "is a folder",
    "./disguised.mjs": "called neither *.js nor *.mjs",
    "./latin.mjs": "not UTF-8",
}


@pytest.mark.parametrize(("specifier", "why"), REFUSED.items())
def test_a_file_that_is_not_read_is_told_with_the_place_of_its_import(
    root: Path, specifier: str, why: str
) -> None:
    told = refusal(f"const a = 1;\nimport x from '{specifier}';\nreturn x;", root)
    assert told.startswith(f"w.js:2:15: import of '{specifier}'")
    assert why in told


def test_so_it_is_told_of_an_import_in_another_file(root: Path) -> None:
    (root / "a.mjs").write_text("\nimport './gone.mjs';")
    assert refusal("import './a.mjs';", root).startswith("a.mjs:2:8: import of './gone.mjs': ")


def test_the_files_are_bounded_in_number(root: Path) -> None:
    for number in range(MAX_MODULES + 1):
        (root / f"{number}.mjs").write_text(f"import './{number + 1}.mjs';")
    assert f"{MAX_MODULES} files at most" in refusal("import './0.mjs';", root)


def test_the_files_are_bounded_in_bytes(root: Path) -> None:
    (root / "large.mjs").write_text("/" * (MAX_BYTES // 2))
    (root / "larger.mjs").write_text("/" * (MAX_BYTES // 2 + 1))
    assert list(found("import './large.mjs';", root)) == ["large.mjs"]
    assert f"{MAX_BYTES} bytes at most" in refusal("import './large.mjs'; import './larger.mjs';", root)


def test_a_child_workflow_imports_files_beside_it(root: Path) -> None:
    (root / "flows" / "kid.js").write_text("import { limit } from '../lib/rules.mjs';\nreturn [args, limit];")
    options = RunOptions(workflow=ChildWorkflows(root))
    source = "return workflow({scriptPath: 'flows/kid.js'}, {n: 1});"
    outcome = run_workflow_blocking(source, source_name=str(root / "w.js"), options=options)
    assert outcome.result == [{"n": 1}, 3]


def test_a_child_workflow_that_imports_what_it_may_not_is_rejected(root: Path) -> None:
    (root / "kid.js").write_text("import './link.mjs';\nreturn 1;")
    options = RunOptions(workflow=ChildWorkflows(root))
    source = "return workflow('kid').catch((error) => error.message);"
    outcome = run_workflow_blocking(source, source_name=str(root / "w.js"), options=options)
    assert outcome.result == (
        "workflow 'kid' failed: kid.js:1:8: import of './link.mjs': lies outside the root folder"
    )


def test_a_child_workflow_from_another_folder_imports_below_that(root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kid.js").write_text("import { limit } from './rules.mjs';\nreturn limit;")
    (tmp_path / "mine" / "rules.mjs").write_text("export const limit = 9;")
    (root / "rules.mjs").write_text("export const limit = 'another file of this name';")
    handler = ChildWorkflows(root, elsewhere=((tmp_path / "mine", "."),))
    options = RunOptions(workflow=handler)
    outcome = run_workflow_blocking(
        "return workflow('kid');", source_name=str(root / "w.js"), options=options
    )
    assert outcome.result == 9

"""Imports that are refused: where they stand, and what to do instead."""

from __future__ import annotations

import pytest

from .child_process import ChildProcess, Refused

NOT_GIVEN = "is none of the modules that came with the workflow, where it would be lib/rules.mjs"
NOT_NOW = "import() takes those two only; a file is imported by a declaration, before the workflow runs"

STATIC = {
    "a declaration": "import x from {};",
    "a bare one": "import {};",
    "names": "import {{ a, b as c }} from {};",
    "a namespace": "import * as all from {};",
    "a reexport": "export * from {};",
    "a named reexport": "export {{ x as default }} from {};",
    "after a virtual module": 'import "workflow:extra"; import x from {};',
}


@pytest.mark.parametrize("form", STATIC.values(), ids=STATIC)
def test_a_static_import_is_refused_at_its_specifier(child: ChildProcess, form: str) -> None:
    line = form.format("'./lib/rules.mjs'")
    failure = child.failure_of(f"// é\n/* é */ {line}\nconst y = 1;", sourceName="w.js")
    assert failure.kind == "import"
    assert NOT_GIVEN in failure.message
    place = (failure.data["sourceName"], failure.data["line"], failure.data["column"])
    assert place == ("w.js", 2, f"/* é */ {line}".index("'./lib") + 1)


@pytest.mark.parametrize(
    "source", ['import "fs";\nreturn 1;', 'const a = 1;\nimport x from "fs";\nreturn a;']
)
def test_so_it_is_in_a_script(child: ChildProcess, source: str) -> None:
    failure = child.failure_of(source)
    line = source.split("\n").index(next(line for line in source.split("\n") if "import" in line))
    assert (failure.kind, failure.data["line"]) == ("import", line + 1)


DYNAMIC = {
    "in a script": ("const a = 1;\nconst { R } = await import('./lib.mjs');\nreturn R;", 2, 28),
    "in a module": ("export default async () =>\n  import('./lib.mjs');", 2, 10),
    "among others": ("await import('workflow:extra');\nreturn import('./lib.mjs');", 2, 15),
    "computed": ("const name = './lib' + '.mjs';\nreturn import(name);", 2, 15),
    "in a template": ("const a = `${await import('./lib.mjs')}`;\nreturn a;", 1, 27),
}


@pytest.mark.parametrize(("source", "line", "column"), DYNAMIC.values(), ids=DYNAMIC)
def test_a_dynamic_import_is_refused_with_its_line(
    child: ChildProcess, source: str, line: int, column: int
) -> None:
    failure = child.failure_of(source, sourceName="w.js")
    assert NOT_NOW in failure.message
    assert failure.data["stack"] == f"    at import (w.js:{line}:{column})"


def test_of_two_computed_imports_neither_is_blamed(child: ChildProcess) -> None:
    source = "const a = './a', b = './b';\nawait import(b).catch(() => 0);\nreturn import(a);"
    assert child.failure_of(source).data["stack"] == ""


def test_a_caught_import_error_shows_its_line_too(child: ChildProcess) -> None:
    source = "\nreturn await import('fs').catch((e) => [e.name, e.stack, Object.keys(e)]);"
    name, stack, keys = child.result_of(source, sourceName="w.js")
    assert (name, stack, keys) == ("TypeError", "    at import (w.js:2:21)", [])


def test_a_thousand_refused_imports_are_refused_one_by_one(child: ChildProcess) -> None:
    source = """
        let refused = 0;
        for (let i = 0; i < 1000; i++) await import(`./${i}`).catch(() => { refused += 1; });
        return refused;
    """
    assert child.result_of(source) == 1000


MISSING = {
    "a name": (
        "import { sleep, nope } from 'workflow:extra'; export default 1",
        17,
        "sleep, ask and default",
    ),
    "a renamed one": (
        "import { nope as exec } from 'workflow:sandbox'; export default 1",
        10,
        "exec and default",
    ),
    "a reexport": ("export { nope as default } from 'workflow:extra';", 10, "sleep, ask and default"),
    "in a script": ("import { nope } from 'workflow:extra'; return 1", 10, "sleep, ask and default"),
}


@pytest.mark.parametrize(("source", "column", "exported"), MISSING.values(), ids=MISSING)
def test_a_name_that_no_virtual_module_has_is_refused_by_run_and_check_alike(
    child: ChildProcess, source: str, column: int, exported: str
) -> None:
    child.initialize()
    with pytest.raises(Refused) as checked:
        child.request("check", source=f"\n{source}")
    ran = child.failure_of(f"\n{source}")
    assert ran.data == checked.value.data
    assert ran.kind == "import"
    assert f"it exports {exported}" in ran.message
    assert (ran.data["line"], ran.data["column"]) == (2, column)


def test_check_of_right_imports_runs_nothing(child: ChildProcess) -> None:
    child.initialize()
    source = """import extra, { sleep } from 'workflow:extra';
        for (;;);
        export { exec as default } from 'workflow:sandbox';"""
    assert child.request("check", source=source) == {"dialect": "module", "meta": None}

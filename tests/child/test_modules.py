"""Modules that come with a workflow: what an import finds, where an error is, and what stays refused."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.protocol.sources.names import MAX_MODULES

from .child_process import ChildProcess, Refused

LIB = {"lib/rules.mjs": "export const limit = 3;\nexport default { name: 'rules' };"}

FINDS: dict[str, tuple[str, dict[str, str], Any]] = {
    "a name": ("import { limit } from './lib/rules.mjs';\nexport default limit;", LIB, 3),
    "a default": ("import rules from './lib/rules.mjs';\nexport default rules.name;", LIB, "rules"),
    "a namespace": ("import * as all from './lib/rules.mjs';\nexport default Object.keys(all);", LIB, 2),
    "a reexport": ("export { limit as default } from './lib/rules.mjs';", LIB, 3),
    "in a script": ("import { limit } from './lib/rules.mjs';\nreturn limit;", LIB, 3),
    "a way around": ("import { limit } from './x/../lib/./rules.mjs';\nreturn limit;", LIB, 3),
    "from below": (
        "import { up } from './lib/a.mjs';\nreturn up;",
        {"lib/a.mjs": "export { limit as up } from '../b.mjs';", "b.mjs": "export const limit = 4;"},
        4,
    ),
    "a virtual one": (
        "import { nap } from './a.mjs';\nreturn typeof nap;",
        {"a.mjs": "export { sleep as nap } from 'workflow:extra';"},
        "function",
    ),
    "globals": (
        "import { f } from './a.mjs';\nreturn f();",
        {"a.mjs": "export const f = () => [typeof agent, typeof args, typeof Date, typeof eval];"},
        ["function", "object", "undefined", "undefined"],
    ),
    "top-level await": (
        "import { v } from './a.mjs';\nreturn v;",
        {"a.mjs": "export const v = await Promise.resolve(5);"},
        5,
    ),
    "a byte-order mark and a hashbang": (
        "import { v } from './a.mjs';\nreturn v;",
        {"a.mjs": "\ufeff#!/usr/bin/env node\nexport const v = 6;"},
        6,
    ),
}


@pytest.mark.parametrize(("source", "modules", "result"), FINDS.values(), ids=FINDS)
def test_an_import_finds_a_module(
    child: ChildProcess, source: str, modules: dict[str, str], result: Any
) -> None:
    found = child.result_of(source, modules=modules)
    assert (len(found) if isinstance(found, list) and isinstance(result, int) else found) == result


def test_a_run_takes_modules_too(child: ChildProcess) -> None:
    child.initialize()
    drained = child.request(
        "run", source="import { limit } from './lib/rules.mjs';\nreturn limit;", modules=LIB
    )
    assert drained["output"] == {"result": 3}


def test_modules_may_import_each_other_as_ecmascript_has_it(child: ChildProcess) -> None:
    modules = {
        "a.mjs": "import { b } from './b.mjs';\nexport const a = () => 'a' + b();",
        "b.mjs": "import { a } from './a.mjs';\nexport const b = () => 'b';\nexport const f = () => a();",
    }
    assert child.result_of("import { f } from './b.mjs';\nreturn f();", modules=modules) == "ab"


def test_what_a_cycle_has_not_evaluated_yet_cannot_be_read(child: ChildProcess) -> None:
    modules = {
        "a.mjs": "import { b } from './b.mjs';\nexport const a = b;",
        "b.mjs": "import { a } from './a.mjs';\nexport const b = () => a;",
    }
    failure = child.failure_of("import { b } from './b.mjs';\nreturn b();", modules=modules)
    assert "b is not initialized" in failure.message
    assert "(a.mjs:2:18)" in failure.data["stack"]


def test_a_cycle_may_lead_through_a_workflow_that_is_a_module(child: ChildProcess) -> None:
    source = "import { twice } from './a.mjs';\nexport const one = 1;\nexport default () => twice();"
    modules = {"flows/a.mjs": "import { one } from './w.js';\nexport const twice = () => 2 * one;"}
    assert child.result_of(source, modules=modules, sourceName="flows/w.js") == 2


def test_it_may_not_lead_to_a_script(child: ChildProcess) -> None:
    """What is compiled of a script is not its text, and would run a second time."""
    source = "import { twice } from './a.mjs';\nexport const one = 1;\nlog('ran');\nreturn twice();"
    modules = {"a.mjs": "export * from './w.js';\nexport const twice = () => 2;"}
    failure = child.failure_of(source, modules=modules, sourceName="w.js")
    assert (failure.kind, failure.data["sourceName"], failure.data["line"]) == ("import", "a.mjs", 1)
    assert "is the workflow itself, a script" in failure.message


def test_a_module_runs_once(child: ChildProcess) -> None:
    modules = dict.fromkeys(("a.mjs", "b.mjs"), "import './log.mjs';") | {"log.mjs": "log('ran');"}
    source = "import './a.mjs';\nimport './b.mjs';\nimport './x/../log.mjs';\nreturn 1;"
    assert child.logs_of(source, modules=modules) == [["ran"]]


def test_a_module_that_nothing_imports_is_not_compiled(child: ChildProcess) -> None:
    assert child.result_of("return 1;", modules={"a.mjs": "not JavaScript"}) == 1


WRONG: dict[str, tuple[str, str, str, int, int]] = {
    "syntax": ("const a = 1;\nconst b = ;", "syntax", "a.mjs", 2, 11),
    "a script": ("const a = 1;\nreturn a;", "syntax", "a.mjs", 2, 1),
    "TypeScript": ("export const f = (a: string) => a;", "syntax", "a.mjs", 1, 20),
    "a fence": ("```js\nexport const a = 1;\n```", "syntax", "a.mjs", 1, 1),
    "a package": ("\nimport fs from 'fs';", "import", "a.mjs", 2, 16),
    "one that is missing": ("import './b.mjs';", "import", "a.mjs", 1, 8),
    "one above it": ("import '../../b.mjs';", "import", "a.mjs", 1, 8),
    "a name that is missing": ("import { x } from './c.mjs';", "import", "a.mjs", 1, 10),
}


@pytest.mark.parametrize(("text", "kind", "name", "line", "column"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("ends", ["export default 1;", "return 1;"], ids=["module", "script"])
def test_what_is_wrong_in_a_module_is_told_with_its_place(
    child: ChildProcess, text: str, kind: str, name: str, line: int, column: int, ends: str
) -> None:
    modules = {"a.mjs": text, "c.mjs": "export const y = 1;"}
    failure = child.failure_of(f"\n\nimport './a.mjs';\n{ends}", modules=modules)
    place = (failure.data["sourceName"], failure.data["line"], failure.data["column"])
    assert (failure.kind, place) == (kind, (name, line, column))


def test_a_name_that_a_module_does_not_export_is_told_with_those_that_it_does(child: ChildProcess) -> None:
    source = "import rules,\n  { limits } from './lib/rules.mjs';\nreturn limits;"
    failure = child.failure_of(source, modules=LIB)
    assert "'limits' in module 'lib/rules.mjs'; it exports limit, default" in failure.message
    assert (failure.data["line"], failure.data["column"]) == (2, 5)


def test_stacks_name_the_module(child: ChildProcess) -> None:
    modules = {"lib/a.mjs": "\nexport const f = () => { throw new Error('no'); };"}
    failure = child.failure_of("import { f } from './lib/a.mjs';\nf();\nreturn 1;", modules=modules)
    assert "(lib/a.mjs:2:36)" in failure.data["stack"].split("\n")[0]


@pytest.mark.parametrize("where", ["in the workflow", "in a module"])
def test_a_dynamic_import_finds_no_module(child: ChildProcess, where: str) -> None:
    dynamic = "import('./a.mjs')"
    modules = {"a.mjs": "export const a = 1;", "b.mjs": f"export const f = () => {dynamic};"}
    given = f"import './a.mjs';\nreturn {dynamic};"
    if where == "in a module":
        given = "import './a.mjs';\nimport { f } from './b.mjs';\nreturn f();"
    failure = child.failure_of(given, modules=modules, sourceName="w.js")
    assert "a file is imported by a declaration, before the workflow runs" in failure.message
    assert failure.data["stack"].startswith(
        "    at import (b.mjs:1:31)" if where == "in a module" else "    at import (w.js:2:15)"
    )


OTHERS = ["lib/rules.mjs", "./lib/rules.mjs", "/lib/rules.mjs", "../lib/rules.mjs", "LIB/rules.mjs"]


@pytest.mark.parametrize("name", OTHERS)
def test_a_name_is_compared_as_a_whole(child: ChildProcess, name: str) -> None:
    source, modules = "import './lib/rules.mjs';\nreturn 1;", {name: "export {};"}
    if name == "lib/rules.mjs":
        assert child.result_of(source, modules=modules) == 1
    else:
        assert child.failure_of(source, modules=modules).kind == "import"


@pytest.mark.parametrize("name", ["workflow:extra", "flowcage:prelude", "./workflow:extra"])
def test_no_module_stands_in_for_one_of_the_childs_own(child: ChildProcess, name: str) -> None:
    source = "import { sleep } from 'workflow:extra';\nreturn typeof sleep;"
    assert child.result_of(source, modules={name: "export const sleep = 1;"}) == "function"


def test_a_default_that_is_missing_is_told_with_the_place_of_the_import(child: ChildProcess) -> None:
    source = "import { v } from './a.mjs';\n  import all from './a.mjs';\nreturn all;"
    refused = child.failure_of(source, modules={"a.mjs": "export const v = 1;"}, sourceName="w.js")
    found = (refused.kind, refused.data["sourceName"], refused.data["line"], refused.data["column"])
    assert found == ("import", "w.js", 2, 10)


@pytest.mark.parametrize("name", ["flowcage:linked/w.js", "flowcage:prelude", "flowcage:any"])
def test_a_source_may_be_called_as_the_child_calls_its_own(child: ChildProcess, name: str) -> None:
    source = "import { where } from './lib.mjs';\nexport default where;"
    modules = {f"{name.rpartition('/')[0]}/lib.mjs".lstrip("/"): "export const where = new Error().stack;"}
    child.initialize()
    assert child.request("check", source=source, sourceName=name, modules=modules)["dialect"] == "module"
    child.start(source, sourceName=name, modules=modules)
    assert "lib.mjs:1:" in child.result()


def test_a_chain_as_long_as_there_may_be_modules_fits_into_the_stack(child: ChildProcess) -> None:
    last = MAX_MODULES - 1
    modules = {
        f"{n}.mjs": f"import {{ v as w }} from './{n + 1}.mjs';\nexport const v = w + 1;" for n in range(last)
    }
    modules[f"{last}.mjs"] = "export const v = 0;"
    assert child.result_of("import { v } from './0.mjs';\nreturn v;", modules=modules) == last


def test_a_chain_that_does_not_fit_into_a_small_stack_ends_the_run(child: ChildProcess) -> None:
    child.initialize(stackBytes=20_000)
    modules = {f"{n}.mjs": f"import './{n + 1}.mjs';" for n in range(MAX_MODULES - 1)}
    modules[f"{MAX_MODULES - 1}.mjs"] = ""
    with pytest.raises(Refused) as refused:
        child.request("run", source="import './0.mjs';\nreturn 1;", modules=modules)
    assert refused.value.kind == "stack"


def test_more_modules_are_a_limit(child: ChildProcess) -> None:
    failure = child.failure_of("return 1;", modules={f"{n}.mjs": "" for n in range(MAX_MODULES + 1)})
    assert failure.kind == "limit"
    assert f"{MAX_MODULES} modules" in failure.message


def test_modules_that_fill_the_heap_end_the_run(child: ChildProcess) -> None:
    child.initialize(memoryBytes=1 << 20)
    modules = {"a.mjs": "export const a = [" + "[]," * 300_000 + "];"}
    with pytest.raises(Refused) as refused:
        child.request("run", source="import { a } from './a.mjs';\nreturn a.length;", modules=modules)
    assert refused.value.kind == "memory"


# ---- check ------------------------------------------------------------------------------------

UNRUN = {
    "a.mjs": "import { b } from './b.mjs';\nexport const a = b;\nwhile (true);",
    "b.mjs": "export * from './c.mjs';\nexport { c as b } from './c.mjs';\nthrow new Error('ran');",
    "c.mjs": "export function c() {}\nexport default class {}\nlog('ran');",
}


@pytest.mark.parametrize("ends", ["export default 1;", "return 1;"])
def test_a_check_links_modules_and_runs_none(child: ChildProcess, ends: str) -> None:
    child.initialize()
    source = f"import {{ a }} from './a.mjs';\nimport {{ b, c }} from './b.mjs';\n{ends}"
    assert child.request("check", source=source, modules=UNRUN)["meta"] is None


def test_a_check_finds_the_name_that_is_missing_wherever_it_is(child: ChildProcess) -> None:
    child.initialize()
    modules = UNRUN | {"b.mjs": "export * from './c.mjs';"}
    with pytest.raises(Refused) as refused:
        child.request("check", source="import { a } from './a.mjs';\nreturn a;", modules=modules)
    failure = refused.value
    assert "'b' in module 'b.mjs'" in failure.message
    assert (failure.kind, failure.data["sourceName"], failure.data["line"]) == ("import", "a.mjs", 1)


# ---- imports ----------------------------------------------------------------------------------

SCANNED: dict[str, tuple[str, list[tuple[str, int, int]]]] = {
    "none": ("return 1;", []),
    "a module": (
        "import a from './a.mjs';\nexport * from '../b.mjs';\nexport { c } from \"./c/d.mjs\";",
        [("./a.mjs", 1, 15), ("../b.mjs", 2, 15), ("./c/d.mjs", 3, 19)],
    ),
    "a script": ("const x = 1;\nimport './a.mjs';\nreturn x;", [("./a.mjs", 2, 8)]),
    "twice": ("import './a.mjs';\nimport { x } from './a.mjs';", [("./a.mjs", 1, 8)]),
    "only what stands beside it": (
        "import 'fs';\nimport 'workflow:extra';\nimport './a.mjs';",
        [("./a.mjs", 3, 8)],
    ),
    "no import()": ("import './a.mjs';\nimport('./b.mjs');", [("./a.mjs", 1, 8)]),
    "nothing in comments and texts": ("// import './a.mjs'\nconst s = \"import './b.mjs'\";\nreturn s;", []),
}


@pytest.mark.parametrize(("source", "expected"), SCANNED.values(), ids=SCANNED)
def test_imports_tells_what_a_source_names(
    child: ChildProcess, source: str, expected: list[tuple[str, int, int]]
) -> None:
    child.initialize()
    found = child.request("imports", source=source)["imports"]
    assert [(each["specifier"], each["line"], each["column"]) for each in found] == expected


def test_an_import_that_is_written_with_escapes_is_told_as_the_engine_reads_it(child: ChildProcess) -> None:
    child.initialize()
    found = child.request("imports", source="import '\\x2e/a.mjs';")["imports"]
    assert found == [{"specifier": "./a.mjs", "line": 1, "column": 8}]


def test_a_source_that_does_not_compile_has_no_imports(child: ChildProcess) -> None:
    child.initialize()
    with pytest.raises(Refused) as refused:
        child.request("imports", source="import './a.mjs';\nconst ;")
    assert refused.value.kind == "syntax"
    assert child.request("imports", source="import './a.mjs';")["imports"]


# ---- places and findings ------------------------------------------------------------------------


def test_sites_name_the_module_that_a_call_is_in(child: ChildProcess) -> None:
    modules = {"lib/a.mjs": "\nexport const ask = () => agent('b');"}
    child.start("import { ask } from './lib/a.mjs';\nagent('a');\nreturn ask();", modules=modules)
    child.drain()
    found = [(each["sourceName"], each["line"]) for each in child.request("sites")["sites"]]
    assert found == [("workflow.js", 2), ("lib/a.mjs", 2)]


@pytest.mark.parametrize("name", ["a (1).js", "a:1:2.js", "(", "é\n.js"])
def test_sites_have_any_name(child: ChildProcess, name: str) -> None:
    child.start("agent('a');\nexport default await agent('b');", sourceName=name)
    child.drain()
    found = [(each.get("sourceName"), each.get("line")) for each in child.request("sites")["sites"]]
    shown = name.replace("\n", "?")  # as in stacks
    assert found in ([(shown, 1), (shown, 2)], [(None, None)] * 2)


def test_a_check_tells_findings_in_modules_with_their_names(child: ChildProcess) -> None:
    child.request("initialize", protocolVersion="1.0", reads=True)
    modules = {
        "a.mjs": "export function f() {\n  phase('two');\n  agent('nobody waits');\n}\nexport const meta = 1",
        "unused.mjs": "agent('never');",
    }
    source = (
        "import { f } from './a.mjs';\n"
        "export const meta = { name: 'n', phases: ['one', 'two'] };\nf();\nDate;\nreturn 1;"
    )
    found = child.request("check", source=source, modules=modules, findings=True)["findings"]
    assert [(each.get("sourceName"), each["kind"], each["line"]) for each in found] == [
        (None, "unused_phase", 2),
        (None, "absent_global", 4),
        ("a.mjs", "unawaited_call", 3),
    ]
    assert "'one'" in found[0]["message"], "the other one is begun in the module"

"""module, script and auto: which one a source is, and that its positions stay the author's."""

from __future__ import annotations

from typing import Any

import pytest

from .child_process import ChildProcess

META = 'export const meta = { name: "m", description: "d" };\n'


def test_a_script_returns_its_result(child: ChildProcess) -> None:
    assert child.result_of(f"{META}return args.n * 2;", args={"n": 4}) == 8


def test_a_script_awaits_at_its_top_level(child: ChildProcess) -> None:
    child.start(f'{META}const a = await agent("x");\nreturn [a];')
    child.drain()
    child.resolve("1", "answer")
    assert child.result() == ["answer"]


SCRIPTS = {
    "needs no meta": ("return 5;", 5),
    "may return nothing": (f"{META}return;", None),
    "may return in a branch": (f"{META}if (args.n) {{ return 'n'; }}\nreturn 'none';", "n"),
    "may return in a loop": (f"{META}for (const x of [1, 2]) {{ if (x === 2) return x; }}", 2),
    "may return in try": (f"{META}try {{ return 1; }} finally {{ log('f'); }}", 1),
    "may return in a switch": (f"{META}switch (args.n) {{ case 1: return 'one'; }}", "one"),
    "may return in a labelled block": (f"{META}a: {{ return 3; }}", 3),
    "may return a promise": (f"{META}return Promise.resolve([1]);", [1]),
    "may return without a semicolon": (f"{META}return 4", 4),
    "may end in a comment": (f"{META}return 4 // four", 4),
    "may end in an open line": (f"{META}return 4; //", 4),
    "may return from a line of its own": (f"{META}return\n5;", None),
    "may return an object": (f"{META}return {{ a: 1 }};", {"a": 1}),
    "may return a template": (f"{META}return `a${{1 + 1}}`;", "a2"),
    "may return an arrow": (f"{META}return (x) => x;", None),
    "may return an async arrow": (f"{META}return async () => {{}};", None),
    "may return an assignment": (f"{META}let a;\nreturn a = 5;", 5),
    "may return a sequence": (f"{META}return 1, 2;", 2),
    "may return a conditional": (f"{META}return args.n ? 'yes' : 'no';", "yes"),
    "may return a class": (f"{META}return class {{}};", None),
    "may return before else": (f"{META}if (args.n) return 1; else return 2;", 1),
    "may return a regular expression": (f"{META}return /a/.test('a');", True),
    "may return right up to its value": (f"{META}return(6)", 6),
    "may have several meta lines": ("export const meta = {\n  name: 'm',\n};\nreturn meta.name;", "m"),
    "may export more": (f"{META}export const x = 1;\nexport function f() {{ return x; }}\nreturn f();", 1),
    "may have functions that return": (f"{META}const f = () => {{ return 1; }};\nreturn f();", 1),
    "may import": (
        f'{META}import {{ sleep }} from "workflow:extra";\nreturn sleep === SW.extra.sleep;',
        True,
    ),
    "may import later": ('const a = 1;\nimport x from "workflow:extra";\nreturn x === SW.extra;', True),
    "is strict code": (f"{META}return (function () {{ return this === undefined; }})();", True),
    "may shadow a global": (f"{META}const log = 5;\nreturn log;", 5),
    "may declare what a wrapper might": ("const main = 1, run = 2, __result = 3;\nreturn main + run;", 3),
    "hoists its functions": ("return f();\nfunction f() { return 'up'; }", "up"),
}


@pytest.mark.parametrize(("source", "result"), SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("dialect", ["auto", "script"])
def test_a_script(child: ChildProcess, source: str, result: Any, dialect: str) -> None:
    assert child.result_of(source, args={"n": 1}, dialect=dialect) == result


NOT_RETURNS = {
    "a string": 'const s = "return 1;";',
    "a template": "const s = `return 1; ${(() => 1)()}`;",
    "a line comment": "// return 1;",
    "a block comment": "/* return 1; */",
    "a regular expression": "const r = /return 1;/;",
    "a function": "function f() { return 1; }",
    "an arrow": "const f = () => { return 1; };",
    "a method": "class A { m() { return 1; } static s = () => { return 1; }; get g() { return 1; } }",
    "a property": "const o = { return: 1 };\no.return;",
    "a generator": "function* g() { return 1; }",
    "a template's function": "const s = `${(function () { return 1; })()}`;",
    "a hashbang": "",
}


@pytest.mark.parametrize("statement", NOT_RETURNS.values(), ids=NOT_RETURNS)
def test_a_return_does_not_make_a_script_inside(child: ChildProcess, statement: str) -> None:
    source = f"{'' if statement else '#!return 1;'}{statement}\nexport default 'module';"
    assert child.result_of(source) == "module"


@pytest.mark.parametrize("statement", NOT_RETURNS.values(), ids=NOT_RETURNS)
def test_nor_does_it_make_a_result_of_a_source_with_meta_only(child: ChildProcess, statement: str) -> None:
    child.start(f"{statement or '#!return 1;'}\n{META}log('ran');")
    drained = child.drain()
    assert drained["output"] == {"result": None}
    assert [call["values"] for call in drained["calls"]] == [["ran"]]


def test_a_source_with_meta_only_is_told_that_it_gave_no_result(child: ChildProcess) -> None:
    child.start(META)
    (told,) = child.drain()["diagnostics"]
    assert isinstance(told["kind"], str)
    assert "result" in told["message"]


def test_a_script_that_returns_tells_nothing(child: ChildProcess) -> None:
    child.start(f"{META}return 1;")
    assert not child.drain().get("diagnostics")


def test_a_script_without_return_gives_null(child: ChildProcess) -> None:
    assert child.result_of('log("x");', dialect="script") is None


@pytest.mark.parametrize(
    "source", ["", "const a = 1;", "export const other = 1;", f"{META}export const b = 1;"]
)
def test_auto_without_default_return_or_lone_meta_misses_its_default(
    child: ChildProcess, source: str
) -> None:
    assert child.failure_of(source).kind == "missing_default"


@pytest.mark.parametrize("source", [META, "", "const a = 1;"])
def test_a_module_without_default_misses_it(child: ChildProcess, source: str) -> None:
    assert child.failure_of(source, dialect="module").kind == "missing_default"


def test_a_module_may_not_return_at_its_top_level(child: ChildProcess) -> None:
    failure = child.failure_of(f"{META}return 1;", dialect="module", sourceName="m.js")
    assert (failure.kind, failure.data["line"]) == ("syntax", 2)


def test_a_script_may_not_export_a_default(child: ChildProcess) -> None:
    assert child.failure_of("return 1;\nexport default 2;").kind == "syntax"


BREAKOUTS = {
    "a brace": "return 1; } log('out'); {",
    "a brace and parenthesis": "return 1; }); log('out'); (() => {",
    "a brace and a default": "return 1; }; export const x = 1; const y = () => {",
    "an open comment": "return 1; /*",
    "an open template": "return 1; `",
    "an open string": 'return 1; "',
    "an open block": "return 1; {",
    "an open parenthesis": "return (1",
    "a lone brace": "return 1; }",
    "a closing comment": "return 1; */",
    "an HTML comment": "return 1; }; <!-- x\n{",
    "a class": "class A { static { return 1; } }",
    "a super call": "return super.x;",
    "new.target": "return new.target;",
    "yield": "return yield 1;",
}


@pytest.mark.parametrize("source", BREAKOUTS.values(), ids=BREAKOUTS)
@pytest.mark.parametrize("dialect", ["auto", "script"])
def test_a_script_cannot_close_what_wraps_it_with(child: ChildProcess, source: str, dialect: str) -> None:
    assert child.failure_of(source, dialect=dialect).kind == "syntax"


PREFIXES = {
    "nothing": "",
    "a hashbang": "#!/usr/bin/env flowcage\n",
    "a byte-order mark": "\ufeff",
    "a byte-order mark and a hashbang": "\ufeff#!/usr/bin/env flowcage\n",
    "a hashbang ended by CRLF": "#!/usr/bin/env flowcage\r\n",
    "comments": "// first\n/* second\n third */\n",
    "non-ASCII text": "// ünï€𝄞\n",
    "'use strict'": '"use strict";\n',
    "blank lines": "\n\r\n\t\n",
}


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
@pytest.mark.parametrize("end", ["return meta.name;", "export default meta.name;"], ids=["script", "module"])
def test_a_source_may_begin_with(child: ChildProcess, prefix: str, end: str) -> None:
    assert child.result_of(f"{prefix}{META}{end}") == "m"


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", "\u2028"], ids=["LF", "CRLF", "CR", "U+2028"])
@pytest.mark.parametrize("dialect", ["module", "script"])
def test_any_line_ending_of_ecmascript_ends_a_line(child: ChildProcess, ending: str, dialect: str) -> None:
    result = {"module": "export default a;", "script": "return a;"}[dialect]
    assert child.result_of(ending.join(["// comment", "const a = 1", result])) == 1


POSITIONED = """const one = 1;
async function inner() {
    throw new Error("deep");
}
if (args.n) {
  await inner();
}
"""


@pytest.mark.parametrize("prefix", ["", META, "#!x\n", 'import { sleep } from "workflow:extra";\n', "\ufeff"])
def test_a_script_reports_the_lines_and_columns_that_a_module_does(child: ChildProcess, prefix: str) -> None:
    with ChildProcess() as other:
        as_module = other.failure_of(
            f"{prefix}{POSITIONED}export default 1;", args={"n": 1}, sourceName="w.js"
        )
    as_script = child.failure_of(f"{prefix}{POSITIONED}return 1;", args={"n": 1}, sourceName="w.js")
    first = as_script.data["stack"].split("\n")[0]
    assert first == as_module.data["stack"].split("\n")[0]
    assert f"w.js:{3 + prefix.count(chr(10))}:" in first


def test_an_error_on_the_first_line_of_a_script_keeps_its_column(child: ChildProcess) -> None:
    failure = child.failure_of('const a = 1; throw new Error("x"); return a;', sourceName="w.js")
    # The engine points at what is constructed: "Error" is at column 24.
    assert "w.js:1:24" in failure.data["stack"]


@pytest.mark.parametrize(
    ("source", "line"), [("return 1;\nconst = 2;", 2), ("const a = 1;\n\nreturn a +;", 3)]
)
@pytest.mark.parametrize("dialect", ["auto", "script"])
def test_a_syntax_error_in_a_script_keeps_its_line(
    child: ChildProcess, source: str, line: int, dialect: str
) -> None:
    failure = child.failure_of(source, dialect=dialect, sourceName="w.js")
    assert (failure.kind, failure.data["line"]) == ("syntax", line)


@pytest.mark.parametrize("where", ["static", "dynamic"])
def test_a_script_is_held_to_the_same_imports(child: ChildProcess, where: str) -> None:
    source = {"static": 'import fs from "fs";\nreturn 1;', "dynamic": 'return await import("fs");'}[where]
    assert "workflow imports are restricted" in child.failure_of(source).message


def test_what_a_script_throws_is_told_with_its_place(child: ChildProcess) -> None:
    failure = child.failure_of(f'{META}throw new TypeError("boom");\nreturn 1;', sourceName="w.js")
    assert (failure.kind, failure.data["name"], failure.data["message"]) == ("exception", "TypeError", "boom")
    assert "w.js:2:" in failure.data["stack"]


def test_a_source_of_a_megabyte_is_a_module_like_any_other(child: ChildProcess) -> None:
    assert child.result_of("// comment\n" * 100_000 + "export default 'end';") == "end"


def test_a_source_may_hold_nul_and_any_unicode_in_its_strings(child: ChildProcess) -> None:
    text = "\u2028\u2029\u0085\x7f𝄞\ufeff"
    assert child.result_of(f'export default "{text}\\0";') == f"{text}\x00"


@pytest.mark.parametrize("name", ["a\nb.js", "a\r\nb.js", "a\n    at b (c.js:1:2)\n", "a\0b.js", "a:7:7", ""])
def test_the_name_of_a_source_has_no_part_in_its_dialect(child: ChildProcess, name: str) -> None:
    source = "export const meta = { name: 'n' };\nconst x = await 1;\nreturn new Error(x).stack;"
    stack = child.result_of(source, sourceName=name)
    assert stack.endswith(":3:18)\n")
    assert stack.count("\n") == 1


@pytest.mark.parametrize("name", ["a\nb.js", "a\0b.js"])
def test_an_error_of_a_source_has_its_place_whatever_its_name(child: ChildProcess, name: str) -> None:
    refused = child.failure_of("const x = 1;\n  const = 2;", sourceName=name)
    assert (refused.data["sourceName"], refused.data["line"], refused.data["column"]) == (name, 2, 9)


@pytest.mark.parametrize("length", [4_096, 4_097, 10_000, 1_000_000])
def test_a_name_of_any_length_leaves_dialect_and_places_known(child: ChildProcess, length: int) -> None:
    source, name = "phase('a');\nthrow new Error('x'); return 1;", "n" * length
    failure = child.failure_of(source, sourceName=name)
    assert (failure.kind, ":2:11" in failure.data["stack"].split("\n")[0]) == ("exception", True)

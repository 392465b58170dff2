"""The method `check`: compiles, tells dialect and meta, runs nothing."""

from __future__ import annotations

from typing import Any

import pytest

from .child_process import ChildProcess, Refused

META = 'export const meta = { name: "m" };\n'


def checked(child: ChildProcess, source: str, **params: Any) -> dict[str, Any]:
    child.initialize()
    result: dict[str, Any] = child.request("check", source=source, **params)
    return result


@pytest.mark.parametrize(
    ("source", "dialect"),
    [
        (f"{META}return 1;", "script"),
        (f"{META}export default 1;", "module"),
        (META, "script"),
        (f'{META}// return\nlog("return");', "script"),
    ],
)
def test_check_tells_the_dialect_and_meta(child: ChildProcess, source: str, dialect: str) -> None:
    assert checked(child, source) == {"dialect": dialect, "meta": {"name": "m"}}


def test_a_source_without_meta_has_null_for_it(child: ChildProcess) -> None:
    assert checked(child, "export default 1;") == {"dialect": "module", "meta": None}


def test_check_honours_the_dialect_it_is_given(child: ChildProcess) -> None:
    assert checked(child, META, dialect="script")["dialect"] == "script"
    with pytest.raises(Refused, match="must default export"):
        child.request("check", source=META, dialect="module")


LITERALS = {
    "every kind": (
        "{ s: 's', n: -1.5, t: true, z: null, l: [1, [2]], o: { 'quoted key': {} }, 5: 'five' }",
        {"s": "s", "n": -1.5, "t": True, "z": None, "l": [1, [2]], "o": {"quoted key": {}}, "5": "five"},
    ),
    "templates": ("{ a: `plain`, b: `two\nlines` }", {"a": "plain", "b": "two\nlines"}),
    "escapes": (r"{ a: '\u00fc\n\'', b: '\x41' }", {"a": "ü\n'", "b": "A"}),
    "comments": ("{ /* a */ a: 1, // b\n b: 2, }", {"a": 1, "b": 2}),
    "non-ASCII text": ("{ ü: '𝄞€' }", {"ü": "𝄞€"}),
    "phases": (
        "{ phases: [{ title: 'one' }, { title: 'two' }] }",
        {"phases": [{"title": "one"}, {"title": "two"}]},
    ),
}


@pytest.mark.parametrize(("literal", "meta"), LITERALS.values(), ids=LITERALS)
@pytest.mark.parametrize("before", ["", "#!x\r\n", "\ufeff// ünï\r\n", "/* export const meta = 1 */\n"])
def test_meta_may_hold(child: ChildProcess, literal: str, meta: Any, before: str) -> None:
    assert checked(child, f"{before}export const meta = {literal};\nreturn 1;")["meta"] == meta


@pytest.mark.parametrize(
    "value",
    [
        "{ a: f() }",
        "{ a: args }",
        "{ ...x }",
        "{ [k]: 1 }",
        "{ a: 1 + 1 }",
        "{ m() {} }",
        "{ a: `x${1}` }",
        "(() => ({}))()",
        "{ get a() { return 1; } }",
    ],
)
def test_a_meta_that_computes_is_a_syntax_refusal_with_its_line(child: ChildProcess, value: str) -> None:
    with pytest.raises(Refused) as caught:
        checked(child, f"const x = 1, k = 2;\nexport const meta = {value};\nreturn 1;")
    assert caught.value.kind == "syntax"
    assert caught.value.data["line"] == 2
    assert caught.value.data["column"] >= 1


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("export default (;", "syntax"),
        ('import "fs";\nexport default 1;', "import"),
        ("return 1; }", "syntax"),
    ],
)
def test_check_refuses_what_start_would_refuse(child: ChildProcess, source: str, kind: str) -> None:
    with pytest.raises(Refused) as caught:
        checked(child, source, sourceName="c.js")
    assert caught.value.kind == kind
    with pytest.raises(Refused) as again:
        child.start(source, sourceName="c.js")
    assert again.value.data == caught.value.data


@pytest.mark.parametrize("body", ["for (;;);", 'throw new Error("ran");', "await new Promise(() => {});"])
def test_check_runs_nothing_of_the_body(child: ChildProcess, body: str) -> None:
    assert checked(child, f"{META}{body}\nreturn 1;")["meta"] == {"name": "m"}


def test_check_may_be_asked_again_and_leaves_the_run_to_start(child: ChildProcess) -> None:
    assert checked(child, META)["dialect"] == "script"
    with pytest.raises(Refused):
        child.request("check", source="(")
    assert child.request("check", source="return 1;") == {"dialect": "script", "meta": None}
    assert child.result_of("export default 5;") == 5


@pytest.mark.parametrize("when", ["before initialize", "after start"])
def test_check_belongs_between_initialize_and_start(child: ChildProcess, when: str) -> None:
    if when == "after start":
        child.start("export default 1;")
    with pytest.raises(Refused) as caught:
        child.request("check", source="export default 1;")
    assert caught.value.kind == "invalid_state"

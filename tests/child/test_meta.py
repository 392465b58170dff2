"""`meta` that is not as it must be: a run refuses it as `check` does, before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from .child_process import ChildProcess, Refused


def refusal(child: ChildProcess, source: str) -> Refused:
    """What `start` says, which must be what `check` says in another child."""
    with ChildProcess() as other:
        other.initialize()
        with pytest.raises(Refused) as checked:
            other.request("check", source=source)
    with pytest.raises(Refused) as started:
        child.start(source)
    assert started.value.data == checked.value.data
    assert started.value.kind == "syntax"
    return started.value


COMPUTED = {
    "a variable": ("{ phases: [{ title: 'A', model: MODEL }] }", "MODEL"),
    "a call": ("{ name: f() }", "f()"),
    "a spread": ("{ ...MODEL }", "...MODEL"),
    "a sum of numbers": ("{ n: 1 + 1 }", "1 + 1"),
    "a sum with a variable": ("{ a: 'x' + MODEL }", "'x' + MODEL"),
    "a substitution": ("{ a: `x${MODEL}` }", "${MODEL}"),
    "a long one": ("{ a: f('" + "x" * 99 + "') }", "f('" + "x" * 37),
}


@pytest.mark.parametrize(("value", "shown"), COMPUTED.values(), ids=COMPUTED)
@pytest.mark.parametrize("end", ["return 1;", "export default 1;"], ids=["script", "module"])
def test_a_meta_that_computes_is_refused_where_it_does(
    child: ChildProcess, value: str, shown: str, end: str
) -> None:
    line = f"export const meta = {value};"
    refused = refusal(child, f"const MODEL = 'm', f = () => 1;\n{line}\nlog('ran');\n{end}")
    assert (refused.data["line"], refused.data["column"]) == (2, line.index(shown) + 1)
    assert f"`{shown}" in refused.message
    assert "write the value itself" in refused.message


WRONG = {
    "an array": ("[1]", "[1]", "meta must be an object"),
    "a string": ("'x'", "'x'", "meta must be an object"),
    "null": ("null", "null", "meta must be an object"),
    "phases as a string": ("{ phases: 'A' }", "'A'", "meta.phases must be an array"),
    "phases as an object": ("{ phases: { title: 'A' } }", "{ title", "meta.phases must be an array"),
    "a phase as a number": ("{ phases: [{ title: 'A' }, 6] }", "6", "meta.phases[1] must be an object"),
    "a title as a number": ("{ phases: [{ title: 5 }] }", "5", "meta.phases[0].title must be a string"),
    "no title": ("{ phases: [{ model: 'm' }] }", "{ model", "meta.phases[0].title must be a string"),
    "a model as a list": ("{ phases: [{ title: 'A', model: ['m'] }] }", "['m']", "phases[0].model must be"),
    "a provider as a number": ("{ phases: [{ title: 'A', provider: 1 }] }", "1 }", "phases[0].provider must"),
    "behind comments": (
        "{ /* a */ phases: [/* b */ { title: 'A' }, /* c */ 7] }",
        "7",
        "meta.phases[1] must",
    ),
    "quoted keys": ("{ \"phases\": [{ 'title': 5 }] }", "5", "meta.phases[0].title must be a string"),
    "the later of two": ("{ phases: [], phases: [5] }", "5", "meta.phases[0] must be an object"),
    "in parentheses": ("({ phases: ([5]) })", "5", "meta.phases[0] must be an object"),
}


@pytest.mark.parametrize(("value", "at", "message"), WRONG.values(), ids=WRONG)
def test_a_meta_of_the_wrong_shape_is_refused_where_it_is_wrong(
    child: ChildProcess, value: str, at: str, message: str
) -> None:
    line = f"export const meta = {value};"
    refused = refusal(child, f"// comment\n{line}\nreturn 1;")
    assert message in refused.message
    assert (refused.data["line"], refused.data["column"]) == (2, line.index(at) + 1)


RIGHT = {
    "members that nothing reads": ("{ name: 5, version: [1], phases: [] }", None),
    "null defaults": ("{ phases: [{ title: 'A', model: null, provider: null }] }", None),
    "titles alone": ("{ phases: ['A', { title: 'B' }] }", {"phases": ["A", {"title": "B"}]}),
    "null phases": ("{ phases: null }", None),
    "text in pieces": ("{ description: 'a ' + 'b ' + `c` }", {"description": "a b c"}),
    "text in pieces with parentheses": ("{ description: ('a' + ('b')) }", {"description": "ab"}),
}


@pytest.mark.parametrize(("value", "meta"), RIGHT.values(), ids=RIGHT)
def test_a_meta_may_be(child: ChildProcess, value: str, meta: Any) -> None:
    source = f"export const meta = {value};\nreturn 1;"
    child.initialize()
    checked = child.request("check", source=source)
    assert meta is None or checked["meta"] == meta
    assert child.result_of(source) == 1


@pytest.mark.parametrize(
    "source",
    [
        "const meta = f();\nfunction f() { return 1; }\nreturn meta;",
        "export default 1; // export const meta = f()",
        "export const metadata = [1];\nexport default metadata[0];",
        "const o = { meta: [1] };\nexport default o.meta[0];",
    ],
)
def test_what_is_no_exported_meta_may_be_anything(child: ChildProcess, source: str) -> None:
    assert child.result_of(source) == 1


def test_a_module_too_long_for_the_grammar_runs_whatever_its_meta_is(child: ChildProcess) -> None:
    assert child.result_of(f"export const meta = [{'0,' * 600_000}];\nexport default meta.length;") == 600_000

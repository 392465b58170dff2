"""Sources that are neither quite a module nor quite a script, and text that is hard to carry."""

from __future__ import annotations

import pytest

from .child_process import ChildProcess


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        ("export default 1;\nreturn 2;", 1, 1),
        ("const a = 1;\n  export { a };\nreturn a;", 2, 3),
        ("const é = 1; export * from 'workflow:extra'; return é;", 1, 14),
    ],
)
def test_a_return_beside_an_export_that_is_no_declaration_is_a_syntax_error_at_the_export(
    child: ChildProcess, source: str, line: int, column: int
) -> None:
    child.initialize()
    refused = child.failure_of(source)
    assert refused.kind == "syntax"
    assert (refused.data["line"], refused.data["column"]) == (line, column)
    assert "a script returns its result" in refused.message


def test_a_script_may_export_functions_and_classes_and_use_them(child: ChildProcess) -> None:
    child.initialize()
    child.start("export function f() { return 1 }\nexport class K { n = f() }\nreturn new K().n")
    assert child.result() == 1


@pytest.mark.parametrize("text", ["a\0b", "\u2028\u2029\u0085", "🐋 naïve", "\ud800", "\udfff\ud83d"])
def test_strings_in_a_source_cross_unharmed(child: ChildProcess, text: str) -> None:
    child.initialize()
    child.start(f"export default '{text}'")
    assert child.result() == text


def test_a_source_of_seven_megabytes_runs(child: ChildProcess) -> None:
    child.initialize()
    child.start(f"export default '{'x' * 7_000_000}'.length")
    assert child.result() == 7_000_000


def test_a_script_too_long_for_its_parser_is_a_limit(child: ChildProcess) -> None:
    child.initialize()
    refused = child.failure_of("/*" + "x" * 1_100_000 + "*/ return 1", dialect="script")
    assert refused.kind == "limit"
    assert "an ES module may be longer" in refused.message


@pytest.mark.parametrize("source", ["", " ", "\ufeff", "// nothing", "#!/usr/bin/env flowcage"])
def test_a_source_without_any_code_lacks_a_default_export(child: ChildProcess, source: str) -> None:
    child.initialize()
    assert child.failure_of(source).kind == "missing_default"

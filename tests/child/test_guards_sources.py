"""Guards between a source's text and its running: bounds, line ends, and which refusal is told."""

from __future__ import annotations

import pytest

from .child_process import ChildProcess, Refused

MAX_PARSED_BYTES = 1024 * 1024
LONG = f"/*{'x' * MAX_PARSED_BYTES}*/"


@pytest.mark.parametrize(
    "source", ["return\u20285", "return\u20295", "return\ufeff\n5", "return /*\u2028*/ 5"]
)
def test_a_return_ends_at_every_line_end_of_the_language(child: ChildProcess, source: str) -> None:
    assert child.result_of(source) is None


def test_a_return_inside_a_function_is_no_return_of_the_script(child: ChildProcess) -> None:
    child.start("function f() { return 1; }\nf();", dialect="script")
    (note,) = child.drain()["diagnostics"]
    assert note["kind"] == "no_result"


def test_a_script_may_have_exactly_what_the_parser_reads(child: ChildProcess) -> None:
    source = "return 1;/*" + "x" * (MAX_PARSED_BYTES - 13) + "*/"
    assert len(source) == MAX_PARSED_BYTES
    assert child.result_of(source) == 1


@pytest.mark.parametrize(
    ("source", "dialect", "kind"),
    [
        (f"{LONG} return 1", "script", "limit"),
        (f"{LONG} return 1", "auto", "limit"),
        (f"{LONG} const = 1", "auto", "syntax"),
    ],
)
def test_a_source_too_long_for_the_parser_is_told_so_where_that_is_the_cause(
    child: ChildProcess, source: str, dialect: str, kind: str
) -> None:
    assert child.failure_of(source, dialect=dialect).kind == kind


def test_a_source_nested_too_deep_for_the_stack_is_no_syntax_error(child: ChildProcess) -> None:
    assert child.failure_of("export default " + "[" * 50_000 + "]" * 50_000).kind == "stack"


def test_meta_that_json_cannot_hold_is_a_syntax_refusal_with_its_place(child: ChildProcess) -> None:
    child.initialize()
    with pytest.raises(Refused, match="meta must be JSON, and it cannot be written as JSON") as caught:
        child.request("check", source="\nexport const meta = { n: 1n };\nreturn 1;")
    assert (caught.value.kind, caught.value.data["line"], caught.value.data["column"]) == ("syntax", 2, 21)

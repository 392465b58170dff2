"""Scripts of a megabyte, honest and hostile: what the grammar costs is bounded, and the child lives on."""

from __future__ import annotations

import pytest

from .child_process import ChildProcess, Refused

MIB = 1 << 20
LINE = "{ const x = () => agent(`hello ${args.n}`, { label: 'a', schema: { type: 'object' } }); }\n"


def script(length: int) -> str:
    """Dense code of so many bytes that returns 7."""
    head, end = "export const meta = { name: 'm' };\n", "return 7;"
    body = LINE * ((length - len(head) - len(end)) // len(LINE))
    return head + body + " " * (length - len(head) - len(end) - len(body)) + end


@pytest.mark.parametrize("length", [213_000, MIB])
def test_a_script_of_a_megabyte_runs(child: ChildProcess, length: int) -> None:
    child.initialize(stepTimeoutMs=60_000)
    source = script(length)
    assert len(source) == length
    assert child.result_of(source) == 7


def test_check_reads_the_meta_of_a_large_script(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=60_000)
    assert child.request("check", source=script(213_000)) == {"dialect": "script", "meta": {"name": "m"}}


def test_a_script_that_is_longer_is_told_how_long_it_may_be(child: ChildProcess) -> None:
    failure = child.failure_of(script(MIB + 1))
    assert failure.kind == "limit"
    assert "1048576 bytes" in failure.message


def test_many_returns_cost_no_more_than_other_text(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=60_000)
    assert child.result_of("if (args.n) return 1; // x\n" * 30_000 + "return 2;") == 2


HOSTILE = {
    "open brackets": "[",
    "open braces": "{",
    "open templates": "`${",
    "parameters": "(a,",
    "everything open": "({[a=async(b,`${",
    "statements": "a;",
    "sums": "a+",
    "elements": "a,",
    "arrows": "a=>",
    "closing brackets": ")]}",
    "comparisons": "a<b>(c)",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    "limits", [{}, {"addressSpaceBytes": MIB, "memoryBytes": MIB}], ids=["default", "least"]
)
def test_hostile_text_of_a_megabyte_ends_in_a_typed_refusal(
    child: ChildProcess, piece: str, limits: dict[str, int]
) -> None:
    child.initialize(stepTimeoutMs=2000, **limits)
    source = "return 1;\n" + piece * ((MIB - 10) // len(piece))
    with pytest.raises(Refused) as caught:
        child.start(source)
    assert caught.value.kind in ("limit", "syntax", "stack", "timeout", "memory")


def test_time_that_the_grammar_takes_is_the_steps(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=300)
    with pytest.raises(Refused) as caught:
        child.start("return 1;\n" + '"' * (MIB - 10))
    assert caught.value.kind == "timeout"


def test_a_module_that_costs_the_grammar_too_much_runs_all_the_same(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=60_000)
    table = "[" + "a," * 500_000 + "]"
    source = f"const a = 1;\nexport const meta = {{ name: 'm' }};\nexport default {table}.length;"
    assert len(source) < MIB
    assert child.result_of(source) == 500_000

"""`check` with `findings`, in a caged child."""

from __future__ import annotations

import pytest

from .child_process import ChildProcess

SOURCE = "export const meta = { name: 'm' };\nagent('a');\nreturn Date.now();\n"


def test_a_child_that_was_told_to_read_tells_findings_from_inside_its_cage(child: ChildProcess) -> None:
    child.request("initialize", protocolVersion="1.0", reads=True)
    told = child.request("check", source=SOURCE, findings=True)
    assert [(each["kind"], each["severity"], each["line"], each["column"]) for each in told["findings"]] == [
        ("unawaited_call", "warning", 2, 1),
        ("absent_global", "error", 3, 8),
    ]
    assert "outline" not in told
    assert "findings" not in child.request("check", source=SOURCE)


def test_a_child_that_was_not_told_answers_as_an_older_one(child: ChildProcess) -> None:
    child.request("initialize", protocolVersion="1.0")
    assert child.request("check", source=SOURCE, findings=True, outline=True).keys() == {"dialect", "meta"}


def test_a_workflow_runs_after_its_source_was_read(child: ChildProcess) -> None:
    child.request("initialize", protocolVersion="1.0", reads=True)
    child.request("check", source=SOURCE, findings=True)
    assert child.request("run", source="return 1")["output"] == {"result": 1}


# Shapes on which a rule could take more than a time that grows with the source.
LARGE = {
    "returns": "if(a)return;" * 5_000,
    "loops in loops": "for(;;){" * 200 + "agent('a').catch(1);" * 2_000 + "}" * 200,
    "sums": ("x=" + "+".join(["a"] * 240) + ";") * 100,
    "blocks in blocks": "{" * 240 + "x;" * 10_000 + "}" * 240,
    "functions that call the next one twice": "".join(
        f"function f{index}(){{f{index + 1}();f{index + 1}();}}" for index in range(200)
    )
    + "function f200(){Date.now()}f0();",
    "a schema for many calls": "const S={type:'object',properties:{"
    + ",".join(f"p{index}:{{type:'string'}}" for index in range(1_000))
    + "}};"
    + "agent('a',{schema:S});" * 1_000,
}


@pytest.mark.parametrize("source", LARGE.values(), ids=LARGE)
def test_what_reading_costs_is_within_a_step(child: ChildProcess, source: str) -> None:
    child.request("initialize", protocolVersion="1.0", reads=True)
    told = child.request("check", source=source, dialect="script", findings=True)
    assert 0 < len(told["findings"]) <= 100

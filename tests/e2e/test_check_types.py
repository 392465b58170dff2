"""``flowcage check --types``: what is made of tsc's words, and tsc itself where it is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flowcage.host.cli.checking import types

from .command import flowcage

SOURCE = """\
function describe() { return meta.name; }
export const meta = { name: 'x' };
let found = null;
if (args.stop) return;
const text = await agent(describe());
found = [text];
return text.lenght + found.length;
"""


@pytest.mark.parametrize(
    ("text", "places", "expected"),
    [
        ("return a + 1;", [(1, 1)], "throw  a + 1;"),
        ("if (x) return;\nreturn\n", [(1, 8), (2, 1)], "if (x) void 0;\nvoid 0\n"),
        ("{ return }", [(1, 3)], "{ void 0 }"),
        ("returned;", [(1, 40)], "returned;"),
    ],
)
def test_a_return_is_replaced_and_columns_stay(
    text: str, places: list[tuple[int, int]], expected: str
) -> None:
    assert types._without_returns(text, places) == expected
    assert len(expected) == len(text)


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ("0.js(2,5): error TS2339: Property 'x' does not exist on type 'string'.", "warning"),
        ("0.js(2,5): error TS18047: 'j' is possibly 'null'.", "note"),
        ("0.js(2,5): error TS1108: A 'return' statement can only be used within a function body.", None),
        ("0.js(2,5): error TS7006: Parameter 'x' implicitly has an 'any' type.", None),
        ("0.js(2,5): error TS2448: Block-scoped variable 'meta' used before its declaration.", None),
        ("0.js(2,5): error TS2448: Block-scoped variable 'other' used before its declaration.", "warning"),
        ("error TS5023: Unknown compiler option.", None),
    ],
)
def test_what_is_no_mistake_in_a_workflow_is_left_out(line: str, severity: str | None) -> None:
    assert [(index, each.severity, each.line, each.column) for index, each in types._findings(line)] == (
        [] if severity is None else [(0, severity, 2, 5)]
    )


@pytest.mark.skipif(shutil.which("tsc") is None, reason="there is no tsc on the PATH")
def test_tsc_finds_what_is_wrong_with_a_script_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text(SOURCE)
    (checked,) = flowcage("check", "--types", "--json", tmp_path / "w.js").json["files"]
    told = [(each["line"], each["column"]) for each in checked["findings"] if each["kind"] == "types"]
    assert told == [(7, 13)]

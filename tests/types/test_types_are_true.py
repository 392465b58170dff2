"""workflow.d.ts against what a real child's realm holds."""

from __future__ import annotations

import re

import pytest

from flowcage.schemas.loader import author_types

from ..child.child_process import ChildProcess
from .report import Report

# How a workflow tells the names of what members.ts declares.
LISTINGS = {
    "context": "export default (args, context) => Object.keys(context);",
    "budget": "export default Object.keys(budget);",
    "SW": "export default Object.keys(SW);",
    "SW.extra": "export default Object.keys(SW.extra);",
    "SW.sandbox": "export default Object.keys(SW.sandbox);",
    "workflow:extra": "import * as it from 'workflow:extra'; export default Object.keys(it);",
    "workflow:sandbox": "import * as it from 'workflow:sandbox'; export default Object.keys(it);",
    "workflow:extra default": "import it from 'workflow:extra'; export default Object.keys(it);",
    "workflow:sandbox default": "import it from 'workflow:sandbox'; export default Object.keys(it);",
}


def test_every_listing_is_compared(report: Report) -> None:
    assert {*report.members} == {*LISTINGS, "globals"}


def test_the_globals_declared_are_the_globals_there_are(report: Report, child: ChildProcess) -> None:
    declared = [name for name in report.members["globals"] if not name.startswith('"')]
    assert sorted(declared) == sorted(child.result_of("export default Object.keys(globalThis);"))


@pytest.mark.parametrize("what", LISTINGS)
def test_the_members_declared_are_the_members_there_are(
    report: Report, child: ChildProcess, what: str
) -> None:
    assert sorted(report.members[what]) == sorted(child.result_of(LISTINGS[what]))


def test_every_module_declared_can_be_imported(report: Report, child: ChildProcess) -> None:
    declared = [name for name in report.members["globals"] if name.startswith('"')]
    assert len(declared) == 2
    imports = "".join(f"import {name};\n" for name in declared)
    assert child.result_of(f"{imports}export default 1;") == 1


def test_the_globals_said_to_be_absent_are_those_of_es2023_that_the_realm_lacks(
    report: Report, child: ChildProcess
) -> None:
    source = """export default (given) => given.filter((name) => globalThis[name] === undefined);"""
    absent = child.result_of(source, args=report.library)
    told = author_types().partition("does not have them:")[2].partition(".\n")[0]
    assert re.findall(r"\w+", told) == sorted(absent)


@pytest.mark.parametrize("name", ["console", "process", "setTimeout", "fetch"])
def test_what_other_runtimes_offer_is_not_declared(report: Report, child: ChildProcess, name: str) -> None:
    assert name not in report.library + report.members["globals"]
    assert child.result_of(f"export default typeof {name};") == "undefined"

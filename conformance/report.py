"""Findings as text for people and as JUnit XML for continuous integration."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from flowcage.conformance.check import Check
from flowcage.conformance.runner import Finding

# Characters that an XML document cannot hold, not even as a reference (XML 1.0, 2.2).
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_UNDER_SEEN = " " * len("      seen      ")


def one_finding(finding: Finding[Any], safe: Callable[[str], str]) -> str:
    """A finding as text: one line where the check has passed; else the sentence and what was seen.

    Args:
        safe: makes text of the subject safe to be shown where the report is read.
    """
    check = finding.check
    if finding.left_out:
        return f"-     {check.id}: left out: {finding.left_out}"
    if finding.passed:
        return f"ok    {check.id}"
    return (
        f"FAIL  {check.id} ({check.level})\n"
        f"      contract  {check.says} [{check.section}]\n"
        f"      seen      {_indented(safe(finding.deviation))}"
    )


def summary(findings: Sequence[Finding[Any]]) -> str:
    """How many checks there were, how many passed or were left out, and the ids of those that failed."""
    failed = [finding.check.id for finding in findings if not finding.passed]
    left_out = sum(bool(finding.left_out) for finding in findings)
    told = f"{len(findings)} checks, {len(findings) - len(failed) - left_out} passed, "
    told += f"{left_out} left out, " * bool(left_out) + f"{len(failed)} failed"
    return f"{told}: {', '.join(failed)}" if failed else told


def listing(checks: Sequence[Check[Any]]) -> str:
    """The checks, one on a line: id, level, sentence, section."""
    width = max((len(check.id) for check in checks), default=0)
    return "\n".join(
        f"{check.id:<{width}}  {check.level:<6}  {check.says} [{check.section}]" for check in checks
    )


def _indented(text: str) -> str:
    """Indent all lines, so that a newline in text of the subject cannot begin a line of the report."""
    return text.replace("\n", f"\n{_UNDER_SEEN}")


def write_junit(findings: Sequence[Finding[Any]], path: Path, suite: str) -> None:
    """Write JUnit XML: a test case for each check.

    Raises:
        OSError: the file cannot be written.
    """
    failed = sum(not finding.passed for finding in findings)
    left_out = sum(bool(finding.left_out) for finding in findings)
    counts = {"tests": str(len(findings)), "failures": str(failed), "skipped": str(left_out)}
    root = ElementTree.Element("testsuite", counts, name=suite)
    for finding in findings:
        theme, _, name = finding.check.id.partition("/")
        case = ElementTree.SubElement(
            root, "testcase", classname=f"{suite}.{theme}", name=name, time=f"{finding.seconds:.3f}"
        )
        if finding.left_out:
            ElementTree.SubElement(case, "skipped", message=finding.left_out)
        if not finding.passed:
            failure = ElementTree.SubElement(case, "failure", message=finding.check.says)
            failure.text = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", finding.deviation)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)

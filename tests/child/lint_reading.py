"""Sources as the linter reads them, without a child."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowcage.child.sandbox.lint.linter import findings
from flowcage.child.sandbox.lint.subject import Subject
from flowcage.child.sandbox.modules.siblings import Siblings
from flowcage.child.sandbox.reading.syntax import SourceTree
from flowcage.child.sandbox.syntax_tree import Bounds
from flowcage.child.sandbox.workflow_text import WorkflowText
from flowcage.protocol.messages import Checked, Finding


class Unbounded(Bounds):
    """No limit of time and memory."""

    def __init__(self) -> None:
        pass

    def begin(self) -> Callable[[], bool]:
        return lambda: True

    def check_time(self) -> None:
        pass


def subject(source: str, dialect: str = "script", meta: Any = None) -> Subject:
    return Subject(SourceTree(source.encode(), Unbounded()), dialect, meta)


def found(source: str, dialect: Any = "script", meta: Any = None) -> tuple[Finding, ...]:
    bounds = Unbounded()
    text = WorkflowText(source.encode(), "w.js", bounds)
    return findings(Siblings(text, {}, bounds), Checked(dialect, meta))


def told(source: str, dialect: Any = "script") -> list[str]:
    """``line:column severity kind`` of each finding, in the order of the text; without notes."""
    return [
        f"{each.line}:{each.column} {each.severity} {each.kind}"
        for each in found(source, dialect)
        if each.severity != "note"
    ]

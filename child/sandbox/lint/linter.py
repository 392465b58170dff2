"""Applies every rule to one source."""

from __future__ import annotations

from flowcage._hints import Any
from flowcage.child.sandbox.workflow_text import WorkflowText
from flowcage.protocol.messages import Finding


def findings(_text: WorkflowText, _dialect: str, _meta: Any) -> tuple[Finding, ...]:
    """What is probably wrong with a source that compiles, in the order of the text."""
    return ()

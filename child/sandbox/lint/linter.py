"""Applies every rule to one source."""

from __future__ import annotations

from flowcage.child.sandbox.workflow_text import WorkflowText
from flowcage.protocol.messages import Checked, Finding


def findings(_text: WorkflowText, _checked: Checked) -> tuple[Finding, ...]:
    """What is probably wrong with a source that compiles, in the order of the text."""
    return ()

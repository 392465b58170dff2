"""The calls of a source and what they are in."""

from __future__ import annotations

from flowcage._hints import Any
from flowcage.child.sandbox.workflow_text import WorkflowText
from flowcage.protocol.messages import Checked


def outline(_text: WorkflowText, _checked: Checked) -> dict[str, Any]:
    """The outline of a source that compiles: `text.utf8` is the source, `checked` its dialect and meta."""
    return {}

"""The calls of a source and what they are in. Imported where `check` is asked for it."""

from __future__ import annotations

from flowcage._hints import Any
from flowcage.child.sandbox.workflow_text import WorkflowText


def outline(_text: WorkflowText, _dialect: str, _meta: Any) -> dict[str, Any]:
    """The outline of a source that compiles."""
    return {}

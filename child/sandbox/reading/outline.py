"""The calls of a source and what they are in."""

from __future__ import annotations

from flowcage._hints import Any
from flowcage.child.sandbox.modules.siblings import Siblings
from flowcage.child.sandbox.outline.outline import outline_of
from flowcage.child.sandbox.syntax_tree import tree
from flowcage.protocol.messages import Checked


def outline(siblings: Siblings, checked: Checked) -> dict[str, Any]:
    """The outline of a source that compiles."""
    text = siblings.entry
    bounds = text.bounds
    return text.bounded(lambda: outline_of(text.utf8, tree(text.utf8, bounds), bounds, checked.meta))

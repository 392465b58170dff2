"""What a source imports, as the engine reads it."""

from __future__ import annotations

from flowcage.child.sandbox.modules.siblings import Siblings
from flowcage.child.sandbox.syntax_tree import Bounds
from flowcage.child.sandbox.workflow_text import WorkflowText
from flowcage.protocol.sources.names import is_relative

_ANY = b"flowcage:any"


class Named(Siblings):
    """In the place of siblings: finds every import, as a module without anything in it, and notes its name.

    Attributes:
        specifiers: of modules that stand beside the source, each once, in order.
    """

    def __init__(self, entry: WorkflowText, bounds: Bounds) -> None:
        super().__init__(entry, {}, bounds)
        self.specifiers: dict[str, None] = {}

    def find(self, _importer: bytes, specifier: str) -> bytes:
        """The one module that there is."""
        if is_relative(specifier):
            self.specifiers[specifier] = None
        return _ANY

    def source(self, _name: bytes) -> bytes:
        """Its text."""
        return b""

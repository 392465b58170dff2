"""Modules in the form in which their imports can be linked and nothing of them runs."""

from __future__ import annotations

import json

from flowcage._hints import Any
from flowcage.child.sandbox.modules.siblings import Siblings
from flowcage.child.sandbox.syntax_tree import Bounds
from flowcage.protocol.errors import ErrorReply

_LINKED = b"flowcage:linked/"


class Linked(Siblings):
    """In the place of siblings: modules that export the same names, and have nothing else that would run.

    Args:
        siblings: those of a workflow that compiles.

    Raises:
        ErrorReply: kind ``limit``, where one is too large to be parsed.
        Interrupted: the time of the step is over.
    """

    def __init__(self, siblings: Siblings, bounds: Bounds) -> None:
        super().__init__(siblings.entry, {}, bounds)
        self._texts, self._used = siblings._texts, siblings._used
        self.is_known = all(text.parts().exported is not None for text in self.texts())

    def find(self, importer: bytes, specifier: str) -> bytes | None:
        """As of siblings: the names are others, since those have been compiled."""
        found = super().find(importer.removeprefix(_LINKED), specifier)
        return None if found is None else _LINKED + found

    def source(self, name: bytes) -> bytes:
        """The declarations of a module that name others, and its exports without their values."""
        text = self._texts[name.removeprefix(_LINKED)]
        exports = ", ".join(f"$flowcage as {json.dumps(each)}" for each in text.parts().own_exports if each)
        return b"%b\nlet $flowcage; export { %b };" % (text.links(), exports.encode())

    def link_error(self, error: dict[str, Any]) -> ErrorReply:
        """As of siblings."""
        return super().link_error(error | {"message": error["message"].replace(f"'{_LINKED.decode()}", "'")})

"""What ``flowcage schema`` prints: one schema, or the whole contract in one of its forms."""

from __future__ import annotations

from flowcage.schemas.loader import form, names, text

# Files of forms/, by form; `make generated` writes them from the schemas.
FORMS = {
    "bundle": "bundle.json",
    "openrpc": "openrpc.json",
    "typescript": "protocol.d.ts",
}


class UnknownSchema(LookupError):
    """There is no schema of this name; the message lists all names."""


def published(name: str | None, form_name: str | None) -> str:
    """The text of the contract in a form, or of one schema; without both, the names of all schemas.

    Args:
        name: name of a schema, such as ``start.params``.
        form_name: one of `FORMS`; it takes precedence.

    Raises:
        UnknownSchema: there is no schema of this name.
    """
    if form_name is not None:
        return form(FORMS[form_name])
    if name is None:
        return "\n".join(names())
    if name not in names():
        raise UnknownSchema(f"there is no schema {name[:80]!r}; there are: {', '.join(names())}")
    return text(name)

"""The contract as text, in each form that it is published in: a table of files."""

from __future__ import annotations

from flowcage.schemas.loader import form, names, text

# By form, the file in forms/; `make generated` makes each of them from the schemas.
FORMS = {
    "bundle": "bundle.json",
    "openrpc": "openrpc.json",
    "typescript": "protocol.d.ts",
}


class UnknownSchema(LookupError):
    """There is no schema of this name; the message lists those there are."""


def published(name: str | None, form_name: str | None) -> str:
    """One schema, or the whole contract in one form, or else a list of the schemas' names.

    Args:
        name: of one schema, such as ``start.params``.
        form_name: one of `FORMS`.

    Raises:
        UnknownSchema: there is none of this name.
    """
    if form_name is not None:
        return form(FORMS[form_name])
    if name is None:
        return "\n".join(names())
    if name not in names():
        raise UnknownSchema(f"there is no schema {name[:80]!r}; there are: {', '.join(names())}")
    return text(name)

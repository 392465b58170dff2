"""What ``flowcage schema`` prints: one schema, or the whole contract in one of its forms."""

from __future__ import annotations

from flowcage.schemas.loader import Protocol, form, names, text

# Files of forms/, by protocol and form; `make generated` writes them from the schemas.
FORMS: dict[Protocol, dict[str, str]] = {
    "child": {
        "bundle": "bundle.json",
        "openrpc": "openrpc.json",
        "typescript": "protocol.d.ts",
    },
    "host": {
        "bundle": "host-bundle.json",
        "openrpc": "host-openrpc.json",
        "typescript": "host-protocol.d.ts",
    },
}


class UnknownSchema(LookupError):
    """There is no schema of this name, or no such form; the message lists all there are."""


def published(name: str | None, form_name: str | None, protocol: Protocol = "child") -> str:
    """The text of a contract in a form, or of one schema; without both, the names of all schemas.

    Args:
        name: name of a schema, such as ``start.params``.
        form_name: one of `FORMS`; it takes precedence.
        protocol: whose schemas.

    Raises:
        UnknownSchema: there is no schema of this name, or no such form.
    """
    if form_name is not None:
        return form(_file(form_name, protocol))
    if name is None:
        return "\n".join(names(protocol))
    if name not in names(protocol):
        known = ", ".join(names(protocol))
        raise UnknownSchema(
            f"there is no schema {name[:80]!r} of the {protocol} protocol; there are: {known}"
        )
    return text(name, protocol)


def _file(form_name: str, protocol: Protocol) -> str:
    forms = FORMS[protocol]
    if form_name not in forms:
        known = ", ".join(f"--{each}" for each in forms)
        raise UnknownSchema(f"there is no --{form_name} of the {protocol} protocol; there is: {known}")
    return forms[form_name]

"""The contract as text, in each form that it is published in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flowcage.schemas.bundle import bundle
from flowcage.schemas.loader import names, text
from flowcage.schemas.openrpc import openrpc
from flowcage.schemas.typescript import declarations


class UnknownSchema(LookupError):
    """There is no schema of this name; the message lists those there are."""


def published(name: str | None, form: str | None) -> str:
    """One schema, or the whole contract in one form, or else a list of the schemas' names.

    Args:
        name: of one schema, such as ``start.params``.
        form: one of `FORMS`.

    Raises:
        UnknownSchema: there is none of this name.
    """
    if form is not None:
        return FORMS[form]()
    if name is None:
        return "\n".join(names())
    if name not in names():
        raise UnknownSchema(f"there is no schema {name[:80]!r}; there are: {', '.join(names())}")
    return text(name)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


FORMS: dict[str, Callable[[], str]] = {
    "bundle": lambda: _json(bundle()),
    "openrpc": lambda: _json(openrpc()),
    "typescript": declarations,
}

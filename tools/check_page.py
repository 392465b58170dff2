"""Generates the table of docs/check.md."""

from __future__ import annotations

from collections.abc import Iterator

from flowcage.child.sandbox.lint.rules import RULES
from tools import page
from tools.tables import table


def rules() -> Iterator[str]:
    """A table of the rules: how bad a finding is, and what it is."""
    rows = ((f"`{kind}`", rule.severity, rule.says) for kind, rule in RULES.items())
    yield from table(("rule", "severity", "what it finds"), rows)


def embed(text: str) -> str:
    """The page with its table generated.

    Raises:
        ValueError: it has no markers.
    """
    return page.embed(text, {"rules": rules})

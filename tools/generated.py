"""The table of generated files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from flowcage.child.sandbox.lint.rules import RULES
from tools.bundle import bundle
from tools.json_text import json_text
from tools.limits_schema import with_limits
from tools.openrpc import openrpc
from tools.pages import conformance_page, host_protocol_page, page, protocol_page, security_page
from tools.tables import table
from tools.typescript import declarations

# From the file's present text (empty where it does not exist) to the text that it should have.
Generate: TypeAlias = Callable[[str], str]

ROOT = Path(__file__).parents[1]
COMMAND = "make generated"


def _always(text: Callable[[], str]) -> Generate:
    return lambda _present: text()


def _rules() -> Iterator[str]:
    rows = ((f"`{kind}`", rule.severity, rule.says) for kind, rule in RULES.items())
    return table(("rule", "severity", "what it finds"), rows)


# In the order of generation: later files are made from earlier ones.
FILES: dict[str, Generate] = {
    "schemas/common.json": with_limits,
    "schemas/forms/bundle.json": _always(lambda: json_text(bundle())),
    "schemas/forms/host-bundle.json": _always(lambda: json_text(bundle("host"))),
    "schemas/forms/openrpc.json": _always(lambda: json_text(openrpc())),
    "schemas/forms/host-openrpc.json": _always(lambda: json_text(openrpc("host"))),
    "schemas/forms/protocol.d.ts": _always(declarations),
    "schemas/forms/host-protocol.d.ts": _always(lambda: declarations("host")),
    "clients/node/wire.d.ts": _always(declarations),
    "clients/node/LICENSE": _always((ROOT / "LICENSE").read_text),  # npm packs only what is in the folder
    "docs/protocol.md": protocol_page.embed,
    "docs/host-protocol.md": host_protocol_page.embed,
    "docs/conformance.md": conformance_page.embed,
    "docs/security.md": security_page.embed,
    "docs/check.md": lambda text: page.embed(text, {"rules": _rules}),
}

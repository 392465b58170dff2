"""``python -m tests.contract.later MODULE…``: runs a module with flowcage as a later version might be.

It has a limit, a kind of request and a version more.
"""

from __future__ import annotations

import runpy
import sys
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any, NamedTuple

LIMITS = "flowcage.protocol.limits"
# What the recipe for a limit says: a field, and a row in the table.
FIELD = "    max_queued_bytes: int = 4 * MIB\n"
TABLE = "TABLE: dict[str, Limit] = {\n"
ADDED = {
    FIELD: f"{FIELD}    max_pages: int = 9\n",
    TABLE: f'{TABLE}    "max_pages": Limit("Pages", "Pages that a run may fetch.", 9, "if known"),\n',
}
VERSIONS = ("1.1", "1.0")


class FetchRequest(NamedTuple):
    """``fetchPage(url)`` waits for a page."""

    id: str
    url: str


def know_more() -> None:
    """Add what a later version has to the protocol, before anything of flowcage is imported."""
    _load_limits()
    from flowcage.protocol import decode, version

    version.SUPPORTED_VERSIONS = VERSIONS  # type: ignore[assignment]
    version.PROTOCOL_VERSION = VERSIONS[0]
    requests: dict[str, Any] = decode._REQUESTS
    requests["fetch"] = lambda identifier, members: FetchRequest(identifier, members.string("url"))


def _load_limits() -> None:
    found = find_spec(LIMITS)
    assert found is not None
    assert found.origin is not None
    source = Path(found.origin).read_text(encoding="utf-8")
    for before, after in ADDED.items():
        assert source.count(before) == 1, before
        source = source.replace(before, after)
    module = module_from_spec(found)
    sys.modules[LIMITS] = module
    exec(compile(source, found.origin, "exec"), module.__dict__)


if __name__ == "__main__":
    from tests.contract import later  # this module under its own name, as those that it runs import it

    later.know_more()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__")

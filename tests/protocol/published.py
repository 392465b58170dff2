"""``python -m tests.protocol.published``: writes down the schemas that are published, as digests.

Each schema has two: `shape` of what it allows, `words` of what it tells people. A change of either is then a
change of ``published.json``, which nobody makes without knowing.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, TypeAlias

from flowcage.schemas.loader import document, names, protocol_version

Digests: TypeAlias = dict[str, dict[str, str]]

FILE = Path(__file__).with_name("published.json")
_WORDS = ("title", "description", "examples")

NEW_SHAPE = """\
{names}: what the protocol allows has changed, and version {version} is published.
Decide, by "Versions" in docs/protocol.md:
- Every message of {version} still fits and means what it did, and what is new is an optional member or a new
  method: it is an addition; the version stays.
- There is a new type, kind or choice: a new minor version.
- Anything else: a new major version.
For a new version, change protocol/version.py and the $id of every schema; of the host protocol, whose
schemas are those of host/, host/rpc/methods.py. Then run
    python -m tests.protocol.published
and say in the commit what you decided."""
NEW_WORDS = """\
{names}: only titles, descriptions or examples have changed. If they still say the same
of version {version}, run
    python -m tests.protocol.published"""


def digests() -> Digests:
    """By schema, the digests of its shape and its words; those of the host protocol begin with ``host/``."""
    of_child = {name: _both(document(name)) for name in names()}
    return of_child | {f"host/{name}": _both(document(name, "host")) for name in names("host")}


def _both(schema: Any) -> dict[str, str]:
    return {"shape": _digest(_without_words(schema)), "words": _digest(schema)}


def recorded() -> dict[str, Any]:
    """What was published: ``protocolVersion`` and ``schemas``."""
    loaded: dict[str, Any] = json.loads(FILE.read_text())
    return loaded


def objection(published: dict[str, Any], version: str, now: Digests) -> str | None:
    """What has to be decided before these schemas may stand under this version; None where nothing has."""
    before: Digests = published["schemas"]
    if published["protocolVersion"] != version:
        return f"version {version} is not written down yet: run python -m tests.protocol.published"
    for digest, advice in (("shape", NEW_SHAPE), ("words", NEW_WORDS)):
        changed = [
            name
            for name in sorted(before.keys() | now.keys())
            if before.get(name, {}).get(digest) != now.get(name, {}).get(digest)
        ]
        if changed:
            return advice.format(names=", ".join(changed), version=version)
    return None


def _without_words(schema: Any) -> Any:
    """A schema without what only tells; a property may have any name and is kept."""
    if isinstance(schema, list):
        return [_without_words(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {key: _without_words(inner) for key, inner in value.items()}
        if name in ("properties", "$defs")
        else _without_words(value)
        for name, value in schema.items()
        if name not in _WORDS
    }


def _digest(schema: Any) -> str:
    text = json.dumps(schema, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def main() -> None:
    """Write the file."""
    text = json.dumps({"protocolVersion": protocol_version(), "schemas": digests()}, indent=2)
    FILE.write_text(text + "\n")


if __name__ == "__main__":
    main()

"""Documents of runs that were carried out, and what holds for any of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowcage.host.durable.records import RunRecord
from flowcage.host.page.fold import PageFold
from flowcage.protocol import strictjson


def page_of(record: RunRecord, **given: Any) -> dict[str, Any]:
    """The document of a record, which is JSON."""
    page = PageFold(record, **given).whole()
    assert strictjson.loads(strictjson.dumps(page).encode()) == page
    return page


def call_of(page: Mapping[str, Any], identifier: str) -> dict[str, Any]:
    """One call of a document."""
    (found,) = [each for each in page["calls"] if each["id"] == identifier]
    return dict(found)


def merged(page: dict[str, Any], delta: Mapping[str, Any]) -> dict[str, Any]:
    """A document with a delta, as a browser merges them."""
    told = page | {name: delta[name] for name in ("asOf", "totals", "left")}
    told["run"] = page["run"] | delta["run"]
    for name, key in (("calls", "id"), ("workflows", "path")):
        rows = {each[key]: each for each in page[name]} | {each[key]: each for each in delta[name]}
        told[name] = list(rows.values())
    for name in ("logs", "events"):
        told[name] = page[name] + delta[name]
    return told

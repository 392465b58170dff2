"""Documents whose members have another form than they should: of a damaged store, or a later version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from .conftest import Served
from .documents import document, mixed

_MOUNT_ALL = """async ([whole, paths, value, views]) => {
  const { mount } = await import("/page.js");
  const root = document.body.appendChild(document.createElement("div"));
  const found = [];
  for (const path of paths) {
    const damaged = structuredClone(whole);
    path.slice(0, -1).reduce((at, name) => at[name], damaged)[path.at(-1)] = value;
    for (const view of views) {
      location.hash = view;
      try {
        mount(root, damaged).destroy();
      } catch (error) {
        found.push(`${path.join(".")} = ${JSON.stringify(value)}, ${view}: ${error.message}`);
      }
    }
  }
  return found;
}"""


_MOST = ["overview", "call=1"]


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    members = (
        value.items() if isinstance(value, dict) else enumerate(value[:1] if isinstance(value, list) else [])
    )
    for name, each in members:
        yield (*path, name)
        yield from _paths(each, (*path, name))


@pytest.mark.parametrize(
    ("value", "views"),
    [
        ("text", _MOST),
        pytest.param(7, _MOST, marks=pytest.mark.thorough),
        ({}, _MOST),
        ([7], ["log", "script", "result"]),
    ],
)
def test_a_member_of_any_form_stops_no_view(
    browser: Browser, served: Served, value: Any, views: list[str]
) -> None:
    whole = mixed()
    whole["run"] |= {
        "error": {"kind": "exception", "message": "no", "stack": "at x", "place": "review.js:1:1"}
    }
    whole["run"] |= {"args": [1], "result": {"a": 1}, "cancel": {"reason": "enough"}, "verdict": "failed"}
    whole["calls"].insert(0, document(4)["calls"][3])
    (served.folder / "empty.html").write_text("<!doctype html>")
    page = browser.new_page()
    page.goto(f"{served.address}/empty.html")
    found = page.evaluate(_MOUNT_ALL, [whole, [list(path) for path in _paths(whole)], value, views])
    page.close()

    assert found == []

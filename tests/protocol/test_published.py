"""A published schema does not change without a decision about the version."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from flowcage.protocol.version import PROTOCOL_VERSION
from flowcage.schemas import loader

from . import published

VERSION = PROTOCOL_VERSION


def changed(monkeypatch: pytest.MonkeyPatch, name: str, *path: str, **members: Any) -> str | None:
    """The objection to one changed schema."""
    schema = deepcopy(loader.document(name))
    place = schema
    for step in path:
        place = place[step]
    place.update(members)
    unchanged = loader.document
    monkeypatch.setattr(
        published, "document", lambda other, *of: schema if other == name else unchanged(other, *of)
    )
    return published.objection(published.recorded(), VERSION, published.digests())


def test_the_schemas_are_those_that_were_published() -> None:
    objection = published.objection(published.recorded(), VERSION, published.digests())
    assert objection is None, objection


def test_the_version_in_every_id_is_the_version_that_is_spoken() -> None:
    assert loader.protocol_version() == VERSION


@pytest.mark.parametrize(
    ("path", "members"),
    [
        ((), {"required": ["source", "args"]}),
        (("properties",), {"priority": {"type": "integer"}}),
        (("properties",), {"description": {"type": "string"}}),
        (("properties", "args"), {"default": None}),
        (("properties", "args"), {"type": "object"}),
    ],
)
def test_a_change_of_what_is_allowed_is_a_decision_about_the_version(
    monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...], members: dict[str, Any]
) -> None:
    objection = changed(monkeypatch, "start.params", *path, **members)
    assert objection is not None
    assert objection.startswith("start.params: what the protocol allows has changed")


@pytest.mark.parametrize("members", [{"title": "x"}, {"description": "x"}, {"examples": []}])
def test_a_change_of_words_is_one_too_but_a_small_one(
    monkeypatch: pytest.MonkeyPatch, members: dict[str, Any]
) -> None:
    objection = changed(monkeypatch, "start.params", "properties", "args", **members)
    assert objection is not None
    assert objection.startswith("start.params: only titles, descriptions or examples have changed")


def test_a_schema_more_or_less_is_a_change() -> None:
    more = {**published.digests(), "new": {"shape": "", "words": ""}}
    less = {name: both for name, both in published.digests().items() if name != "error"}
    for now, name in ((more, "new"), (less, "error")):
        objection = published.objection(published.recorded(), VERSION, now)
        assert objection is not None
        assert objection.startswith(f"{name}: what the protocol allows")


def test_a_new_version_wants_to_be_written_down() -> None:
    objection = published.objection(published.recorded(), "1.1", published.digests())
    assert objection is not None
    assert "1.1 is not written down yet" in objection

"""Instances made from the schemas, whole and damaged: our decoder and two validators agree on them."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from flowcage.protocol import decode, envelope, strictjson
from flowcage.protocol.envelope import Failure
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.members import Members
from flowcage.protocol.messages import METHODS
from flowcage.schemas import validate
from flowcage.schemas.loader import SCHEMA_BASE, document, names
from tools.bundle import bundle, definition_name
from tools.variants import variants

from .instances import has_whole_fraction, instances_of
from .samples import damaged, samples
from .strategies import mutated

MESSAGES = [name for name in names() if name != "common"]
PARAMS = [f"{method}.params" for method in METHODS]
# `take` and `poll` are answered for hosts in other languages; ours reads their parts with the same functions.
READ = [*(f"{method}.result" for method in ("initialize", "start", "check", "take", "poll", *decode.DRAINS))]


def read(name: str, value: Any) -> None:
    """Decode one message as our two sides do."""
    method, _, part = name.partition(".")
    if part == "params":
        decode.message(method, value)
    elif name == "take.result":
        list(map(decode.request, Members(value, name).objects("requests")))
    elif name == "poll.result":
        _read_event(Members(value, name))
    elif method in decode.DRAINS:
        decode.drained(value, method)  # `decode.result` sets aside what no schema has
    else:
        decode.result(method, value)


def _read_event(event: Members) -> None:
    kind = event.choice("type", ("call", "request", "complete", "pending"))
    if kind == "pending":
        event.boolean("stalled")
        return
    member = {"call": "call", "request": "request", "complete": "output"}[kind]
    event.required(member)
    nested = event.object(member)
    assert nested is not None
    if kind == "complete":
        nested.required("result")
    else:
        {"call": decode.call, "request": decode.request}[kind](nested)


def place_of_refusal(name: str, value: Any) -> str | None:
    try:
        read(name, value)
    except ErrorReply as refusal:
        path: str = refusal.data["path"]
        return path
    return None


def violation(name: str, value: Any) -> validate.Violation | None:
    if name == "error":
        return validate.error_error(value)
    method, _, part = name.partition(".")
    check = validate.params_error if part == "params" else validate.result_error
    return check(method, value)


@cache
def plain(name: str) -> Draft202012Validator:
    """A validator of nobody's making but jsonschema's, that knows the bundle alone."""
    registry = Resource.from_contents(bundle()) @ Registry()
    place = f"{SCHEMA_BASE}bundle.json#/$defs/{definition_name(name)}"
    return Draft202012Validator({"$ref": place}, registry=registry)


@pytest.mark.parametrize("name", MESSAGES)
@given(data=st.data())
def test_what_is_made_from_a_schema_fits_it_and_the_bundle(name: str, data: st.DataObject) -> None:
    value = data.draw(instances_of(name))
    assert violation(name, value) is None
    assert plain(name).is_valid(value)


@pytest.mark.parametrize("name", MESSAGES)
@given(data=st.data())
def test_a_plain_validator_gives_the_bundle_the_verdict_that_ours_gives(
    name: str, data: st.DataObject
) -> None:
    value = data.draw(mutated(instances_of(name)))
    assume(not has_whole_fraction(value))
    assert plain(name).is_valid(value) == (violation(name, value) is None)


@pytest.mark.parametrize("name", [*PARAMS, *READ])
@given(data=st.data())
def test_what_is_made_from_a_schema_is_taken_by_the_decoder(name: str, data: st.DataObject) -> None:
    assert place_of_refusal(name, data.draw(instances_of(name))) is None


@pytest.mark.parametrize("name", [*PARAMS, *READ])
@given(data=st.data())
def test_what_was_damaged_is_blamed_on_the_same_place_by_both(name: str, data: st.DataObject) -> None:
    value = data.draw(mutated(instances_of(name)))
    expected = violation(name, value)
    assert place_of_refusal(name, value) == (expected and expected.path)


@pytest.mark.parametrize("name", MESSAGES)
def test_every_sample_fits_and_has_every_shape(name: str) -> None:
    found = samples(document(name))
    assert [violation(name, sample) for sample in found] == [None] * len(found)
    assert len(found) >= len(variants(document(name)))


@pytest.mark.parametrize("name", [*PARAMS, *READ])
def test_each_damage_to_each_value_of_a_sample_is_blamed_on_the_same_place_by_both(name: str) -> None:
    for sample in samples(document(name)):
        for value in damaged(sample):
            expected = violation(name, value)
            assert place_of_refusal(name, value) == (expected and expected.path), value


@given(instances_of("error"))
def test_every_error_that_a_schema_allows_can_be_read(error: Any) -> None:
    line = strictjson.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode()
    assert isinstance(envelope.parse_reply(line), Failure)

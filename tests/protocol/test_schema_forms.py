"""The contract as one bundle, as OpenRPC and as TypeScript: each says all that the schemas say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from flowcage.protocol import envelope
from flowcage.protocol.envelope import Failure, Incoming
from flowcage.protocol.errors import CODES
from flowcage.protocol.messages import METHODS
from flowcage.protocol.version import PROTOCOL_VERSION
from flowcage.schemas import loader
from flowcage.schemas.loader import PROTOCOLS, SCHEMA_BASE, Protocol, document, names
from tools import typescript
from tools.bundle import bundle, bundled, definition_name
from tools.openrpc import errors_of, openrpc
from tools.variants import shape, variants

from .transcripts import FOLDER, Transcript, load

CONTRACT = openrpc()
PARTS = {method["name"]: method for method in CONTRACT["methods"]}
# These come before it is known which method was meant.
OF_NO_METHOD = {"parse_error", "invalid_request", "method_not_found", "message_too_large"}


def values_of(key: str, value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from [value[key]] if key in value else []
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from values_of(key, inner)


def without_examples(value: Any) -> Any:
    """A schema without what is anybody's JSON in it."""
    if isinstance(value, list):
        return [without_examples(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: without_examples(inner) for name, inner in value.items() if name not in ("examples", "default")
    }


def draft_7(schema: dict[str, Any]) -> Draft7Validator:
    """A validator for one schema of the OpenRPC document."""
    return Draft7Validator({"allOf": [schema], "components": CONTRACT["components"]})


# ---- the bundle ------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_bundle_has_a_member_and_a_definition_for_each_message(protocol: Protocol) -> None:
    whole = bundle(protocol)
    messages = {place["$ref"].removeprefix("#/$defs/") for place in whole["properties"].values()}
    assert messages == {definition_name(name) for name in names(protocol) if name != "common"}
    assert messages <= whole["$defs"].keys()
    assert all(schema["title"] == name for name, schema in whole["$defs"].items())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_bundle_is_a_schema_whose_references_are_local(protocol: Protocol) -> None:
    whole = bundle(protocol)
    Draft202012Validator.check_schema(whole)
    for reference in values_of("$ref", without_examples(whole)):
        assert reference.removeprefix("#/$defs/") in whole["$defs"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_bundle_has_nothing_that_generators_do_not_read(protocol: Protocol) -> None:
    def check(schema: Any) -> None:
        if isinstance(schema, dict):
            assert not schema.keys() & {"if", "then", "else"}
            assert "$ref" not in schema or len(schema) == 1
        inside = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
        for inner in inside:
            check(inner)

    check(without_examples(bundle(protocol)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_examples_of_each_definition_fit_it(protocol: Protocol) -> None:
    whole = bundle(protocol)
    definitions = whole["$defs"].items()
    examples = [(name, value) for name, schema in definitions for value in schema.get("examples", ())]
    assert len(examples) > len(names(protocol))
    for name, value in examples:
        Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": whole["$defs"]}).validate(value)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"$ref": "elsewhere.json#/$defs/a"}, "refers to https://a.test/elsewhere.json"),
        ({"type": "object", "$defs": {"message": {"enum": ["a"]}}}, "two definitions Message"),
    ],
)
def test_documents_that_do_not_fit_together_are_refused(message: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        bundled("A protocol", [{"$schema": "x", "$id": "https://a.test/message.json", **message}])


# ---- OpenRPC ---------------------------------------------------------------------------------


def test_openrpc_has_every_method_and_the_version() -> None:
    assert PARTS.keys() == METHODS.keys()
    assert len(CONTRACT["methods"]) == len(METHODS)
    assert CONTRACT["info"]["version"] == PROTOCOL_VERSION


@pytest.mark.parametrize("method", METHODS)
def test_a_method_takes_by_name_what_its_schema_has(method: str) -> None:
    schema = document(f"{method}.params")
    assert PARTS[method]["paramStructure"] == "by-name"
    params = {param["name"]: param["required"] for param in PARTS[method]["params"]}
    assert params.keys() == schema.get("properties", {}).keys()
    assert {name for name, required in params.items() if required} == set(schema.get("required", ()))


def test_every_reference_leads_to_a_component() -> None:
    for reference in values_of("$ref", CONTRACT):
        place: Any = CONTRACT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
        assert place


def test_nothing_stands_beside_a_reference_where_draft_7_would_not_see_it() -> None:
    def objects(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            yield value
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from objects(inner)

    assert all(list(found) == ["$ref"] for found in objects(CONTRACT) if "$ref" in found)


@pytest.mark.parametrize("method", METHODS)
def test_the_examples_of_a_method_fit_its_schemas_as_draft_7_reads_them(method: str) -> None:
    part = PARTS[method]
    schemas = {param["name"]: param["schema"] for param in part["params"]}
    assert part["examples"]
    for example in part["examples"]:
        pairs = [(schemas[param["name"]], param["value"]) for param in example["params"]]
        for schema, value in [*pairs, (part["result"]["schema"], example["result"]["value"])]:
            draft_7(schema).validate(value)


def test_a_limit_that_is_required_in_an_answer_is_required_by_draft_7_too() -> None:
    result = deepcopy(document("initialize.result")["examples"][0])
    del result["limits"]["cpuSeconds"]
    assert not draft_7(PARTS["initialize"]["result"]["schema"]).is_valid(result)


def test_every_error_has_its_code() -> None:
    errors = CONTRACT["components"]["errors"]
    assert {kind: error["code"] for kind, error in errors.items()} == CODES
    assert all(error["data"] == {"kind": kind} for kind, error in errors.items())


def test_every_kind_of_error_belongs_to_a_method_or_comes_before_any() -> None:
    of_a_method = {kind for method in METHODS for kind in errors_of(method)}
    assert of_a_method | OF_NO_METHOD == CODES.keys()
    assert not of_a_method & OF_NO_METHOD


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.jsonl")), ids=lambda path: str(path.stem))
def test_an_error_on_record_is_one_that_its_method_announces(path: Any) -> None:
    transcript: Transcript = load(path)
    requests = map(envelope.parse_request, transcript.said_by("host"))
    asked = {request.id: request.method for request in requests if isinstance(request, Incoming)}
    for reply in map(envelope.parse_reply, transcript.said_by("child")):
        if isinstance(reply, Failure) and reply.data["kind"] not in OF_NO_METHOD:
            assert reply.data["kind"] in errors_of(asked[reply.id])


# ---- TypeScript ------------------------------------------------------------------------------


def test_typescript_names_every_member_kind_and_method() -> None:
    text = typescript.declarations()
    for name in names():
        for properties in values_of("properties", document(name)):
            assert all(f"{member}: " in text or f"{member}?: " in text for member in properties)
    for word in [*CODES, *METHODS]:
        assert f"'{word}'" in text or f"  {word}: {{ params:" in text


def test_typescript_refuses_a_keyword_that_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = deepcopy(document("common"))["$defs"]
    shared["budget"]["properties"]["spent"]["multipleOf"] = 10
    monkeypatch.setattr(typescript, "definitions", lambda _protocol: shared)
    with pytest.raises(ValueError, match="no TypeScript for multipleOf"):
        typescript.declarations()


# ---- shapes ----------------------------------------------------------------------------------


def test_a_shape_has_the_members_of_all_and_its_own() -> None:
    drained = document("common")["$defs"]["drained"]
    pending, complete = (shape(drained, variant) for variant in variants(drained))
    assert "output" not in pending["properties"]
    assert {"calls", "requests", "state", "output"} == set(complete["required"])
    assert complete["properties"]["state"]["const"] == "complete"


def test_a_condition_on_more_than_a_constant_is_refused() -> None:
    either = {"properties": {"a": {"const": "x"}, "b": {"const": "y"}}}
    known = {"properties": {"type": {"enum": ["a"]}}}
    for condition in (either, {"required": ["a"]}, {"properties": {"type": {"const": "b"}}}):
        with pytest.raises(ValueError, match=r"condition|cases"):
            variants({**known, "if": condition, "then": {}})


def test_the_version_is_read_from_the_ids() -> None:
    assert all(document(name)["$id"] == f"{SCHEMA_BASE}{name}.json" for name in names())
    assert loader.protocol_version() in SCHEMA_BASE
    assert json.loads(loader.text("error")) == document("error")

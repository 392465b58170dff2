"""The published schemas of the host protocol: complete, documented, and true to what they show."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from flowcage.schemas.host import METHODS
from flowcage.schemas.loader import HOST_SCHEMA_BASE, document, names
from flowcage.schemas.registry import registry
from flowcage.schemas.validate import host_error
from tests.protocol.test_schemas import LEADING, REFUSING, TELLING, errors_of, properties_in, schemas_in

NAMES = names("host")
COMMON = document("common", "host")["$defs"]


def test_there_is_a_schema_for_every_message_and_no_other() -> None:
    params = {f"{name}.params" for name in METHODS}
    results = {f"{name}.result" for name, method in METHODS.items() if method.is_answered}
    assert set(NAMES) == params | results | {"common", "error", "client.error"}


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_valid_and_says_what_it_is(name: str) -> None:
    schema = document(name, "host")
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"{HOST_SCHEMA_BASE}{name}.json"
    assert schema["title"]
    assert schema["description"]
    assert name == "common" or schema["examples"]


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_uses_only_keywords_that_never_quote_the_value(name: str) -> None:
    used = {keyword for schema in schemas_in(document(name, "host")) for keyword in schema}
    assert used <= REFUSING | LEADING | TELLING


@pytest.mark.parametrize("name", COMMON)
def test_a_shared_definition_has_title_description_and_examples(name: str) -> None:
    assert COMMON[name]["title"]
    assert COMMON[name]["description"]
    assert COMMON[name]["examples"]


@pytest.mark.parametrize("name", NAMES)
def test_every_property_is_described_where_it_stands_or_where_it_points_to(name: str) -> None:
    resolver = registry().resolver(HOST_SCHEMA_BASE)
    tags = {"code", "data", "kind"}  # in error.json, described once and narrowed for each kind
    for member, schema in properties_in(document(name, "host")):
        pointed = resolver.lookup(schema["$ref"]).contents if "$ref" in schema else {}
        described = "description" in schema or "description" in pointed
        assert described or (name == "error" and member in tags), member


@pytest.mark.parametrize("name", NAMES)
def test_every_example_and_every_default_fits_the_schema_it_stands_in(name: str) -> None:
    for schema in schemas_in(document(name, "host")):
        rooted = {"$id": f"{HOST_SCHEMA_BASE}x.json", **schema}
        for value in [*schema.get("examples", []), *([schema["default"]] if "default" in schema else [])]:
            assert errors_of(rooted, value) == [], value


@pytest.mark.parametrize("name", [name for name in NAMES if document(name, "host").get("required")])
def test_an_example_breaks_when_any_required_member_is_gone(name: str) -> None:
    schema = document(name, "host")
    for member in schema["required"]:
        broken = {key: value for key, value in schema["examples"][0].items() if key != member}
        violation = host_error(name, broken)
        assert violation is not None
        assert violation.schema == schema["$id"]


def test_every_error_kind_has_one_code() -> None:
    schema = document("error", "host")
    cases = {
        case["if"]["properties"]["data"]["properties"]["kind"]["const"]: case["then"]
        for case in schema["allOf"]
    }
    codes = [case["properties"]["code"]["const"] for case in cases.values()]
    assert list(cases) == schema["properties"]["data"]["properties"]["kind"]["enum"]
    assert len(set(codes)) == len(codes)
    for case in cases.values():
        assert host_error("error", case["examples"][0]) is None
        assert host_error("error", {**case["examples"][0], "code": 1}) is not None

"""The host protocol as OpenRPC and as TypeScript: each says all that the schemas say."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft7Validator

from flowcage.conformance.contract import OF_HOST
from flowcage.schemas.host import METHODS
from flowcage.schemas.loader import document, names
from tools import definitions
from tools.openrpc import errors_of, openrpc
from tools.typescript import declarations

from .test_schema_forms import OF_NO_METHOD, values_of

CONTRACT = openrpc("host")
PARTS = {method["name"]: method for method in CONTRACT["methods"]}


def draft_7(schema: dict[str, Any]) -> Draft7Validator:
    return Draft7Validator({"allOf": [schema], "components": CONTRACT["components"]})


def test_openrpc_has_every_method_with_its_sender() -> None:
    assert {name: part["x-sender"] for name, part in PARTS.items()} == {
        name: method.sender for name, method in METHODS.items()
    }
    assert {name for name, part in PARTS.items() if "result" not in part} == {
        name for name, method in METHODS.items() if not method.is_answered
    }


@pytest.mark.parametrize("method", METHODS)
def test_a_method_takes_by_name_what_its_schema_has(method: str) -> None:
    schema = document(f"{method}.params", "host")
    params = {param["name"]: param["required"] for param in PARTS[method]["params"]}
    assert params.keys() == schema.get("properties", {}).keys()
    assert {name for name, required in params.items() if required} == set(schema.get("required", ()))


def test_every_reference_leads_to_a_component() -> None:
    references = list(values_of("$ref", CONTRACT))
    assert references
    for reference in references:
        place: Any = CONTRACT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
        assert place


@pytest.mark.parametrize("method", METHODS)
def test_the_examples_of_a_method_fit_its_schemas_as_draft_7_reads_them(method: str) -> None:
    part = PARTS[method]
    schemas = {param["name"]: param["schema"] for param in part["params"]}
    assert part["examples"]
    for example in part["examples"]:
        for param in example["params"]:
            draft_7(schemas[param["name"]]).validate(param["value"])
        if "result" in part:
            draft_7(part["result"]["schema"]).validate(example["result"]["value"])


def test_every_kind_of_error_belongs_to_a_method_or_comes_before_any() -> None:
    of_a_method = {kind for method in METHODS for kind in errors_of(method, "host")}
    assert of_a_method | OF_NO_METHOD == OF_HOST.codes.keys()
    assert not of_a_method & OF_NO_METHOD


def test_typescript_names_every_member_kind_and_method() -> None:
    text = declarations("host")
    for name in names("host"):
        for properties in values_of("properties", document(name, "host")):
            assert all(f"{member}: " in text or f"{member}?: " in text for member in properties)
    for word in [*OF_HOST.codes, *METHODS]:
        assert f"'{word}'" in text or f"  {word}: {{ params:" in text


def test_a_name_that_both_protocols_define_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"source": {"$ref": "https://flowcage.dev/schemas/1.0/common.json#/$defs/source"}}

    def documents(name: str, protocol: str = "child") -> Any:
        return {"$defs": own} if (name, protocol) == ("common", "host") else document(name)

    monkeypatch.setattr(definitions, "document", documents)
    monkeypatch.setattr(definitions, "names", lambda _protocol: ["common"])
    with pytest.raises(ValueError, match="two definitions are called source"):
        definitions.definitions("host")

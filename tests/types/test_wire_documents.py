"""What `flowcage schema` prints for other tools, shown to them: TypeScript and OpenRPC's meta-schema."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tools.openrpc import openrpc
from tools.typescript import declarations

from .conftest import DEADLINE_S, HERE, run

_PRINT_META_SCHEMA = "console.log(JSON.stringify(require(process.argv[1]).default))"


def test_typescript_takes_what_a_host_writes_and_refuses_the_lines_that_say_so(
    node_modules: Path, tmp_path: Path
) -> None:
    shutil.copy(HERE / "wire.ts", tmp_path)
    (tmp_path / "protocol.d.ts").write_text(declarations(), encoding="utf-8")
    compiler = str(node_modules / "typescript" / "bin" / "tsc")
    options = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--lib", "es2023", "--pretty", "false"]
    done = subprocess.run(
        ["node", compiler, *options, str(tmp_path / "wire.ts"), str(tmp_path / "protocol.d.ts")],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        cwd=tmp_path,
        check=False,
    )
    lines = (HERE / "wire.ts").read_text(encoding="utf-8").splitlines()
    refused = [number + 1 for number, line in enumerate(lines, 1) if line == "// refused"]
    errors = re.findall(r"^(.+?)\((\d+),\d+\): error", done.stdout, re.MULTILINE)
    assert errors == [("wire.ts", str(number)) for number in refused], done.stdout


@pytest.fixture
def meta_schema(node_modules: Path) -> dict[str, Any]:
    """OpenRPC's own schema. What it fetches from elsewhere is draft 7 of JSON Schema, filled in here."""
    printed = run("node", "--eval", _PRINT_META_SCHEMA, str(node_modules / "@open-rpc" / "meta-schema"))
    loaded: dict[str, Any] = json.loads(printed)
    draft_7 = "http://json-schema.org/draft-07/schema#"
    loaded["$schema"] = draft_7
    loaded["definitions"]["JSONSchema"] = {"$ref": draft_7}
    loaded["definitions"]["referenceObject"]["properties"]["$ref"] = {"type": "string"}
    return loaded


def test_the_openrpc_document_is_one_by_the_meta_schema(meta_schema: dict[str, Any]) -> None:
    validator = Draft7Validator(meta_schema)
    assert [error.message for error in validator.iter_errors(openrpc())] == []


@pytest.mark.parametrize(
    "damage",
    [
        {"openrpc": "9.9"},
        {"methods": [{"name": "poll"}]},
        {"methods": [{"name": "poll", "params": [{"name": "id", "schema": {"type": "text"}}]}]},
        {"protocol": "1.0"},
    ],
)
def test_the_meta_schema_would_say_what_is_wrong(meta_schema: dict[str, Any], damage: dict[str, Any]) -> None:
    assert not Draft7Validator(meta_schema).is_valid(openrpc() | damage)

"""What generators make of ``flowcage schema --bundle``: types that compile, and that the examples fit."""

from __future__ import annotations

import json
import shutil
import subprocess
import venv
from pathlib import Path
from typing import Any

import pytest

from flowcage.schemas.loader import PROTOCOLS, form
from flowcage.schemas.published import FORMS

from .conftest import DEADLINE_S, HERE, installed, locked, run

pytestmark = pytest.mark.thorough

GENERATORS = HERE / "generators"
# For datamodel-code-generator: models that mypy takes, and that keep members that they do not know.
TASTE = ("--use-annotated", "--set-default-enum-member", "--extra-fields", "allow")
BUNDLES = {protocol: json.loads(form(forms["bundle"])) for protocol, forms in FORMS.items()}


@pytest.fixture(scope="module")
def packages(pytestconfig: pytest.Config) -> Path:
    return installed(pytestconfig, "generators", GENERATORS)


@pytest.fixture(scope="module")
def environment(pytestconfig: pytest.Config) -> Path:
    """The programs of an environment that has datamodel-code-generator."""
    assert pytestconfig.cache is not None
    folder = pytestconfig.cache.mkdir("generators-python")
    pins = GENERATORS / "requirements.txt"
    with locked(folder / "lock"):
        present = folder / "installed.txt"
        if not present.exists() or present.read_bytes() != pins.read_bytes():
            venv.create(folder / "venv", clear=True, with_pip=True)
            run(str(folder / "venv/bin/pip"), "install", "--quiet", "--requirement", str(pins))
            shutil.copy(pins, present)
    return folder / "venv" / "bin"


@pytest.fixture(params=PROTOCOLS)
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The bundle of each protocol, which the working folder has as bundle.json."""
    whole = BUNDLES[request.param]
    (tmp_path / "bundle.json").write_text(json.dumps(whole), encoding="utf-8")
    return whole


def given(document: Any, *command: str | Path, cwd: Path) -> Any:
    """What a program prints for JSON on its stdin, as JSON."""
    done = subprocess.run(
        list(map(str, command)),
        input=json.dumps(document),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        cwd=cwd,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def examples(bundle: Any) -> dict[str, list[Any]]:
    """The examples of each definition of the bundle."""
    definitions = bundle["$defs"].items()
    found = {name: schema["examples"] for name, schema in definitions if "examples" in schema}
    assert found.keys() >= {place["$ref"].rpartition("/")[2] for place in bundle["properties"].values()}
    return found


def compile_strictly(packages: Path, *files: Path, to: Path | None = None) -> None:
    options = [
        "--strict",
        "--target",
        "es2022",
        "--lib",
        "es2022",
        "--module",
        "commonjs",
        "--pretty",
        "false",
    ]
    where = ["--outDir", str(to)] if to else ["--noEmit", "--allowImportingTsExtensions"]
    compiler = str(packages / "typescript" / "bin" / "tsc")
    run("node", compiler, *options, *where, *map(str, files))


def test_json_schema_to_typescript_makes_unions_of_named_shapes(
    packages: Path, bundle: Any, tmp_path: Path
) -> None:
    program = packages / "json-schema-to-typescript" / "dist" / "src" / "cli.js"
    made = tmp_path / "types.ts"
    options = ("--no-additionalProperties", "--unreachableDefinitions")
    run("node", str(program), "-i", str(tmp_path / "bundle.json"), "-o", str(made), *options)
    uses = shutil.copy(GENERATORS / f"uses-{bundle['title']}.ts", tmp_path)
    compile_strictly(packages, made, Path(uses))
    text = made.read_text(encoding="utf-8")
    assert all(
        f"export type {name} " in text or f"export interface {name} " in text for name in bundle["$defs"]
    )


def test_quicktype_makes_types_whose_reader_takes_every_example(
    packages: Path, bundle: Any, tmp_path: Path
) -> None:
    program = packages / "quicktype" / "dist" / "index.js"
    made = tmp_path / "types.ts"
    options = ("-s", "schema", "-l", "ts", "--top-level", "Contract")
    run("node", str(program), *options, "-o", str(made), str(tmp_path / "bundle.json"))
    shutil.copy(GENERATORS / "read_back.ts", tmp_path)
    (tmp_path / "node.d.ts").write_text(
        "declare module 'node:fs' { export function readFileSync(file: number, encoding: string): string; }\n"
        "declare const console: { log(text: string): void };\n"
    )
    compile_strictly(packages, tmp_path / "read_back.ts", tmp_path / "node.d.ts", to=tmp_path / "made")
    known = examples(bundle)
    documents = [
        {member: value}
        for member, place in bundle["properties"].items()
        for value in known[place["$ref"].rpartition("/")[2]]
    ]
    assert given(documents, "node", tmp_path / "made" / "read_back.js", cwd=tmp_path) == documents


def test_datamodel_code_generator_makes_models_that_read_every_example(
    environment: Path, bundle: Any, tmp_path: Path
) -> None:
    made = tmp_path / "types_of_the_bundle.py"
    model = ("--output-model-type", "pydantic_v2.BaseModel", *TASTE)
    source = ("--input", str(tmp_path / "bundle.json"), "--input-file-type", "jsonschema")
    style = ("--formatters", "builtin")
    run(str(environment / "datamodel-codegen"), *source, *style, *model, "--output", str(made))
    run(str(environment / "mypy"), "--strict", "--cache-dir", str(tmp_path / "mypy"), str(made))
    shutil.copy(GENERATORS / "read_back.py", tmp_path)
    answer = given(examples(bundle), environment / "python", "read_back.py", cwd=tmp_path)
    assert answer["written"] == examples(bundle)
    for name, schema in bundle["$defs"].items():
        if "oneOf" in schema:
            shapes = {shape["$ref"].rpartition("/")[2] for shape in schema["oneOf"]}
            assert set(answer["shapes"].get(name, ())) <= shapes

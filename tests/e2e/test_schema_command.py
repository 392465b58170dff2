"""``flowcage schema``."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flowcage.schemas.loader import names

from .command import FLOWCAGE, flowcage

SCHEMAS = Path(__file__).parents[2] / "schemas"


@pytest.mark.parametrize("name", ["common", "error", "start.params"])
def test_schema_prints_one_schema_byte_for_byte(name: str) -> None:
    done = subprocess.run([FLOWCAGE, "schema", name], capture_output=True, timeout=300, check=True)
    assert done.stdout == (SCHEMAS / f"{name}.json").read_bytes()


def test_schema_alone_prints_the_names() -> None:
    done = flowcage("schema")
    assert (done.status, done.stdout.split(), done.stderr) == (0, names(), "")


@pytest.mark.parametrize(
    ("form", "file"),
    [("bundle", "bundle.json"), ("openrpc", "openrpc.json"), ("typescript", "protocol.d.ts")],
)
def test_schema_prints_the_whole_contract_in_each_form_byte_for_byte(form: str, file: str) -> None:
    done = subprocess.run([FLOWCAGE, "schema", f"--{form}"], capture_output=True, timeout=300, check=True)
    assert done.stdout == (SCHEMAS / "forms" / file).read_bytes()


@pytest.mark.parametrize("name", ["nope", "start", "start.params.json", "../pyproject", ""])
def test_a_name_that_is_none_is_refused_with_those_there_are(name: str) -> None:
    done = flowcage("schema", name)
    assert (done.status, done.stdout) == (2, "")
    assert f"there is no schema {name!r}" in done.stderr
    assert ", ".join(names()) in done.stderr


def test_a_name_and_a_form_at_once_are_refused() -> None:
    done = flowcage("schema", "error", "--bundle")
    assert (done.status, done.stdout) == (2, "")
    assert "give either NAME or --bundle" in done.stderr

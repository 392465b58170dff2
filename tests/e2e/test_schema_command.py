"""``flowcage schema``."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flowcage.schemas.loader import PROTOCOLS, Protocol, names
from flowcage.schemas.published import FORMS

from .command import FLOWCAGE, flowcage

SCHEMAS = Path(__file__).parents[2] / "schemas"


@pytest.mark.parametrize("name", ["common", "error", "start.params"])
def test_schema_prints_one_schema_byte_for_byte(name: str) -> None:
    done = subprocess.run([FLOWCAGE, "schema", name], capture_output=True, timeout=300, check=True)
    assert done.stdout == (SCHEMAS / f"{name}.json").read_bytes()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_schema_alone_prints_the_names(protocol: Protocol) -> None:
    done = flowcage("schema", "--protocol", protocol)
    assert (done.status, done.stdout.split(), done.stderr) == (0, names(protocol), "")


@pytest.mark.parametrize(
    ("protocol", "form", "file"),
    [(protocol, form, forms[form]) for protocol, forms in FORMS.items() for form in forms],
)
def test_schema_prints_a_contract_in_each_form_byte_for_byte(protocol: str, form: str, file: str) -> None:
    command = [str(FLOWCAGE), "schema", f"--{form}", "--protocol", protocol]
    done = subprocess.run(command, capture_output=True, timeout=300, check=True)
    assert done.stdout == (SCHEMAS / "forms" / file).read_bytes()


@pytest.mark.parametrize("name", ["nope", "start", "start.params.json", "../pyproject", ""])
def test_a_name_that_is_none_is_refused_with_those_there_are(name: str) -> None:
    done = flowcage("schema", name)
    assert (done.status, done.stdout) == (2, "")
    assert f"there is no schema {name!r} of the child protocol" in done.stderr
    assert ", ".join(names()) in done.stderr


def test_a_name_and_a_form_at_once_are_refused() -> None:
    done = flowcage("schema", "error", "--bundle")
    assert (done.status, done.stdout) == (2, "")
    assert "give either NAME or --bundle" in done.stderr

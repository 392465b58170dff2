"""The rule by which host, child and clients name the modules that a workflow imports."""

from __future__ import annotations

import pytest

from flowcage.protocol.sources.names import MAX_NAME_CHARACTERS, is_relative, module_name

NAMED = [
    ("w.js", "./lib.mjs", "lib.mjs"),
    ("w.js", "./lib/rules.mjs", "lib/rules.mjs"),
    ("flows/w.js", "./lib.mjs", "flows/lib.mjs"),
    ("flows/w.js", "../lib.mjs", "lib.mjs"),
    ("flows/w.js", "./../flows/./lib.mjs", "flows/lib.mjs"),
    ("flows/w.js", ".//lib//a.mjs", "flows/lib/a.mjs"),
    ("flows/w.js", "../../lib.mjs", "../lib.mjs"),
    ("../w.js", "./lib.mjs", "../lib.mjs"),
    ("../w.js", "../lib.mjs", "../../lib.mjs"),
    ("../w.js", "./../lib.mjs", "../../lib.mjs"),
    ("a/../b/w.js", "./lib.mjs", "b/lib.mjs"),
    ("/srv/w.js", "./lib.mjs", "/srv/lib.mjs"),
    ("/srv/w.js", "../lib.mjs", "/lib.mjs"),
    ("<stdin>", "./lib.mjs", "lib.mjs"),
    ("workflow:extra", "./lib.mjs", "lib.mjs"),
    ("w.js", "./é lib.mjs", "é lib.mjs"),
    ("w.js", "./%2e%2e/lib.mjs", "%2e%2e/lib.mjs"),
    ("w.js", "./...", "..."),
]
REFUSED = [
    ("w.js", "lib.mjs"),
    ("w.js", "/lib.mjs"),
    ("w.js", "file:///lib.mjs"),
    ("w.js", "workflow:extra"),
    ("w.js", "./workflow:extra"),
    ("a/w.js", "../workflow:sandbox"),
    ("w.js", ""),
    ("w.js", "."),
    ("w.js", ".."),
    ("w.js", "./"),
    ("w.js", "./lib/"),
    ("w.js", "./lib/."),
    ("w.js", "./lib/.."),
    ("w.js", ".\\lib.mjs"),
    ("w.js", "./lib\\a.mjs"),
    ("w.js", "./lib\0.mjs"),
    ("w.js", "./lib\n.mjs"),
    ("w.js", "./lib\x7f.mjs"),
    ("/w.js", "../lib.mjs"),
    ("/srv/w.js", "../../lib.mjs"),
    ("w.js", "./" + "a" * (MAX_NAME_CHARACTERS + 1)),
]


@pytest.mark.parametrize(("importer", "specifier", "name"), NAMED)
def test_an_import_names_the_folder_joined_with_the_specifier(
    importer: str, specifier: str, name: str
) -> None:
    assert module_name(importer, specifier) == name
    assert is_relative(specifier)


@pytest.mark.parametrize(("importer", "specifier"), REFUSED)
def test_what_can_be_no_module_has_no_name(importer: str, specifier: str) -> None:
    assert module_name(importer, specifier) is None


@pytest.mark.parametrize("name", dict.fromkeys(name for _, _, name in NAMED))
def test_a_module_has_one_name_however_it_is_reached(name: str) -> None:
    last = name.rpartition("/")[2]
    assert module_name(name, f"./{last}") == name
    assert module_name(name, f"./x/../{last}") == name

"""What the tree promises whoever opens it: rooms of a size that can be read."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("protocol", "schemas", "child", "conformance", "host", "tools", "bench", "examples")
MAX_LINES = 300
MAX_MODULES = 15
THEMES = "conformance/on_child"  # a list of themes, one module each, as in docs/conformance.md


def _modules() -> list[Path]:
    found = [path for room in PRODUCT for path in (ROOT / room).rglob("*.py")]
    assert len(found) > 100
    return found


def test_no_module_is_longer_than_can_be_read_at_once() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in _modules()}

    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_no_folder_has_more_modules_than_a_person_keeps_in_mind() -> None:
    folders: dict[str, int] = {}
    for path in _modules():
        if path.name != "__init__.py":
            folder = str(path.parent.relative_to(ROOT))
            folders[folder] = folders.get(folder, 0) + 1

    assert folders.pop(THEMES) > MAX_MODULES  # or the exception can go
    assert {name: count for name, count in folders.items() if count > MAX_MODULES} == {}


def test_the_rooms_of_the_host_are_told_in_the_order_that_import_linter_holds() -> None:
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts["importlinter:contract:rooms"]["layers"].replace("|", "\n").split()
    page = (ROOT / "ARCHITECTURE.md").read_text()
    _, _, rooms = page.partition("| room of the host |")

    assert re.findall(r"^\| `(\w+)/` \|", rooms, re.MULTILINE) == layers
    assert set(layers) == {path.parent.name for path in (ROOT / "host").glob("*/__init__.py")}


def test_every_test_that_an_invariant_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "ARCHITECTURE.md").read_text())

    assert len(named) > 10
    assert [each for each in named if f"def {each[1]}(" not in (ROOT / each[0]).read_text()] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = re.findall(r"^- \*\*D(\d+)\*\* \(\d{4}-", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)

    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert numbers


def test_every_file_that_a_recipe_names_exists() -> None:
    recipes = (ROOT / "CONTRIBUTING.md").read_text().partition("## Recipes")[2]
    named = re.findall(r"`((?:protocol|schemas|child|host|flowcage|tests|conformance)/[\w/.-]+)`", recipes)

    assert len(named) > 20
    assert [name for name in named if "yours" not in name and not (ROOT / name).exists()] == []


def test_fragments_of_the_changelog_have_the_names_that_are_asked_for() -> None:
    names = {path.name for path in (ROOT / "changes").iterdir()} - {"README.md"}
    form = re.compile(r"\+[a-z0-9.-]+\.(added|changed|removed|fixed|security)\.md")
    assert {name for name in names if not form.fullmatch(name)} == set()

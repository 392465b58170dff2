"""What the tree promises whoever opens it: rooms of a size that can be read."""

from __future__ import annotations

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

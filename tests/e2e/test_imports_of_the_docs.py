"""What the pages and the examples show imports public modules only, and their links lead somewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PUBLIC = {"flowcage"} | {f"flowcage.{name}" for name in ("agents", "asgi", "asyncio", "errors", "events")}
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("examples/**/*.md"),
    *ROOT.glob("clients/*/*.md"),
]
PROGRAMS = sorted(ROOT.glob("examples/**/*.py"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def imported(program: str) -> Iterator[str]:
    """The modules of ours that it imports; of a name that is a module, that."""
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "flowcage")
        elif isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "flowcage":
            yield str(node.module)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_is_something_to_look_at() -> None:
    assert sum(len(BLOCK.findall(page.read_text())) for page in PAGES) >= 9
    assert sum(len(list(imported(program.read_text()))) for program in PROGRAMS) >= 10
    assert sum(len(LINK.findall(page.read_text())) for page in PAGES) >= 30


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_programs_of_a_page_import_public_modules_only(page: Path) -> None:
    for block in BLOCK.findall(page.read_text()):
        assert (
            set(imported(f"async def _():\n{re.sub('^', ' ', block, flags=re.MULTILINE)}\n pass")) <= PUBLIC
        )


@pytest.mark.parametrize("program", PROGRAMS, ids=name)
def test_an_example_imports_public_modules_only(program: Path) -> None:
    assert set(imported(program.read_text())) <= PUBLIC


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_link_of_a_page_leads_to_a_file_or_heading_that_there_is(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        path, _, heading = link.partition("#")
        if path.startswith(("https://", "http://")):
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not heading or heading in anchors(target), link

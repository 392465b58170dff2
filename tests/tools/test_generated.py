"""Every generated file is what its generator makes of the repository as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from flowcage.schemas import loader, published
from tests.escape.catalogue import ATTACKS
from tools.generated import COMMAND, FILES, ROOT
from tools.pages import attacks_page, page

SECTIONS: dict[str, Callable[[], Iterator[str]]] = {
    "one": lambda: iter(["1"]),
    "two": lambda: iter(["2", ""]),
}


@pytest.mark.parametrize("name", FILES)
def test_a_generated_file_is_up_to_date(name: str) -> None:
    path = ROOT / name
    present = path.read_bytes().decode() if path.exists() else ""
    assert FILES[name](present) == present, f"{name} is stale; renew it with: {COMMAND}"


def test_every_form_is_a_file_that_is_generated_and_shipped() -> None:
    forms = {f"schemas/forms/{file}" for forms in published.FORMS.values() for file in forms.values()}
    assert forms == {name for name in FILES if name.startswith("schemas/forms/")}
    assert forms == {str(path.relative_to(ROOT)) for path in (ROOT / "schemas" / "forms").iterdir()}


def test_a_form_is_no_schema() -> None:
    assert not {"bundle", "openrpc", "host-openrpc"} & set(loader.names())


def test_the_table_of_attacks_counts_every_one() -> None:
    assert list(attacks_page.table())[-1].startswith(f"| **all** | {len(ATTACKS)} | ")


# ---- sections of a page ----------------------------------------------------------------------


def stale() -> Iterator[str]:
    for name in SECTIONS:
        yield f"{page.begin(name)}\nold\n{page.end(name)}"


def test_a_stale_section_is_replaced_and_all_around_it_stays() -> None:
    renewed = page.embed("\n".join(["before", *stale(), "after"]), SECTIONS)
    sections = [page.section(name, lines()) for name, lines in SECTIONS.items()]
    assert renewed == "\n".join(["before", *sections, "after"])


def test_a_section_without_markers_is_an_error() -> None:
    first, second = stale()
    for text in (first, second, first + second.replace("<!-- end", "<!-- End")):
        with pytest.raises(ValueError, match="no section"):
            page.embed(text, SECTIONS)

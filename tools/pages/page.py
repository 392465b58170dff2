"""Replaces generated sections of a page, each of which is between two markers with its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping


def begin(name: str) -> str:
    """The line before a section."""
    return f"<!-- {name}: made by `make generated` -->"


def end(name: str) -> str:
    """The line after a section."""
    return f"<!-- end of {name} -->"


def section(name: str, lines: Iterable[str]) -> str:
    """A section between its markers."""
    text = "\n".join(lines).strip("\n")
    return f"{begin(name)}\n\n{text}\n\n{end(name)}"


def embed(page: str, sections: Mapping[str, Callable[[], Iterable[str]]]) -> str:
    """The page with its sections generated.

    Args:
        page: the present text.
        sections: by name, the lines of each section.

    Raises:
        ValueError: a section has no markers.
    """
    for name, lines in sections.items():
        before, first, rest = page.partition(begin(name))
        _, last, after = rest.partition(end(name))
        if not (first and last):
            raise ValueError(f"no section between {begin(name)} and {end(name)}")
        page = before + section(name, lines()) + after
    return page

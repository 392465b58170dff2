"""Generates the sections of docs/host-protocol.md that have the tables of the host protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from flowcage.schemas.host import METHODS
from flowcage.schemas.loader import document
from tools.pages import page
from tools.tables import HOST_PARTS, error_row, members, table
from tools.variants import variants


def overview() -> Iterator[str]:
    """All messages: who sends them, and what they are for."""
    rows = (
        (
            f"[`{name}`](#{name.replace('.', '')})",
            method.sender,
            "request" if method.is_answered else "notification",
            document(f"{name}.params", "host")["description"],
        )
        for name, method in METHODS.items()
    )
    return table(("Message", "Sent by", "", "Meaning"), rows)


def methods() -> Iterator[str]:
    """All messages, with tables of their params and results."""
    for name, method in METHODS.items():
        params = document(f"{name}.params", "host")
        yield from (f"### {name}", "", params["description"], "", *members(params, "Param"))
        if method.is_answered:
            result = document(f"{name}.result", "host")
            yield from (f"Result: {result['description']}", "", *members(result, "Member"))


def parts() -> Iterator[str]:
    """The shared parts of messages, with tables of their members."""
    for name in HOST_PARTS:
        schema = document("common", "host")["$defs"][name]
        yield from (f"### {name}", "", schema["description"], "", *members(schema, "Member"))


def errors() -> Iterator[str]:
    """A table of all kinds of error of the host."""
    return table(
        ("`data.kind`", "`code`", "Meaning", "Further members of `data`"),
        map(error_row, variants(document("error", "host"))),
    )


def client_error() -> Iterator[str]:
    """The members of an error of the client's."""
    return members(document("client.error", "host")["properties"]["data"], "Member of `data`")


SECTIONS: dict[str, Callable[[], Iterable[str]]] = {
    "overview": overview,
    "messages": methods,
    "parts": parts,
    "errors": errors,
    "client error": client_error,
}


def embed(text: str) -> str:
    """The page with its sections generated.

    Raises:
        ValueError: a section has no markers.
    """
    return page.embed(text, SECTIONS)

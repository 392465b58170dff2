"""The files to compile beside workflow.d.ts: this folder's, and the examples as TypeScript can read them."""

from __future__ import annotations

import re
from pathlib import Path

from flowcage.child.engine.watchdog import Watchdog
from flowcage.child.sandbox import source as text
from flowcage.child.sandbox.grammar import Parts, parse
from flowcage.child.sandbox.syntax_tree import Bounds

HERE = Path(__file__).parent
EXAMPLES = sorted((HERE.parents[1] / "examples").glob("*.js"))
# Programs of errors, each told by a directive in the line above. Compiled twice: as they are, where
# TypeScript complains of a directive without an error; and without directives, where it tells which error.
REFUSED = ("refused.ts", "refused-script.js")
_DIRECTIVE = re.compile(r"@ts-expect-error TS(\d+)$", re.MULTILINE)


def all_of_them() -> dict[str, str]:
    """Text by file name."""
    found = {name: _read(HERE / name) for name in ("accepted.ts", "members.ts", "examples.d.ts")}
    for name in REFUSED:
        readable = as_module(_read(HERE / name))
        found |= {name: readable, bare(name): _DIRECTIVE.sub(r"TS\1", readable)}
    for path in EXAMPLES:
        found |= {path.name: as_module(_read(path)), meta_of(path): _meta(_read(path))}
    return found


def bare(name: str) -> str:
    """Name of the copy without directives."""
    return f"bare-{name}"


def expected(name: str) -> list[tuple[int, int]]:
    """Line and code of each error that the directives of a program of errors expect, in their order."""
    readable = as_module(_read(HERE / name))
    return [
        (readable.count("\n", 0, found.start()) + 2, int(found[1])) for found in _DIRECTIVE.finditer(readable)
    ]


def meta_of(example: Path) -> str:
    """Name of the file that holds an example's `meta` against its type."""
    return f"{example.stem}.meta.ts"


def as_module(source: str) -> str:
    """A workflow as a module, which is all that TypeScript knows.

    A script becomes what the child makes of it: its body in an async function, so that its top-level return
    (TS1108) is none. A module's default function, the last thing in its file, gets the type that the
    declarations have for it, where an author would write JSDoc.
    """
    cleaned = text.clean(text.encoded(source))
    parts = _parts(cleaned)
    if parts.returns:
        return text.as_function(cleaned, parts)[0].decode()
    before, export, function = source.partition("export default ")
    return f"{before}{export}/** @satisfies {{Workflow}} */ ({function.rstrip()});\n" if export else source


def _meta(source: str) -> str:
    cleaned = text.clean(text.encoded(source))
    meta = _parts(cleaned).meta
    assert meta is not None
    return f"export default ({cleaned[slice(*meta)].decode()}) satisfies WorkflowMeta;\n"


def _parts(cleaned: bytes) -> Parts:
    return parse(cleaned, Bounds(Watchdog(60_000, 60), lambda: 0, 0))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")

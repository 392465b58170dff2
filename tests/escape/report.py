"""``python -m tests.escape.report [FILE]``: what was tried and how it ended, as Markdown.

The first table is what the full cage must answer; the tests hold every attack to it. The second counts what
got through on this machine with layers removed, and is measured now. With FILE, the section between the
markers in that file is replaced by the first table; otherwise both are printed.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from .attack import Attack
from .attacker import Attacker
from .catalogue import ATTACKS, FAMILIES

BEGIN = "<!-- attacks: python -m tests.escape.report docs/security.md -->"
END = "<!-- end of attacks -->"

_COLUMNS: dict[str, tuple[str, ...]] = {
    "full cage": (),
    "no seccomp": ("seccomp",),
    "nor Landlock": ("seccomp", "landlock"),
    "nor limits": ("seccomp", "landlock", "memory", "cpu", "files", "processes", "core", "kernel_memory"),
}


def section() -> str:
    """The table for the documentation, with its markers: by family what the full cage answers."""
    rows: list[tuple[str, ...]] = [("Family", "Attacks", "Killed", "Refused", "Got through")]
    for family in [*FAMILIES, None]:
        attacks = [attack for attack in ATTACKS.values() if family in (attack.family, None)]
        killed = sum(attack.stopped_by[0].startswith("SIG") for attack in attacks)
        numbers = len(attacks), killed, len(attacks) - killed, 0
        rows.append((family or "**all**", *map(str, numbers)))
    return "\n".join([BEGIN, "", *_markdown(rows), "", END])


def measured() -> str:
    """By family how many attacks got through with layers removed, one after the other."""
    through: dict[str, Counter[str]] = {}
    with Attacker() as attacker:
        for title, without in _COLUMNS.items():
            tried = [attack for attack in ATTACKS.values() if _may_be_tried(attack, without)]
            through[title] = Counter(
                attack.family for attack in tried if attacker.attempt(attack, without).got_through
            )
    rows: list[tuple[str, ...]] = [("Got through", *_COLUMNS)]
    rows += [(family, *(str(through[title][family]) for title in _COLUMNS)) for family in FAMILIES]
    rows.append(("**all**", *(str(through[title].total()) for title in _COLUMNS)))
    who = "root" if os.geteuid() == 0 else "an ordinary user"
    return "\n".join(
        [f"On Linux {os.uname().release}, {os.uname().machine}, as {who}:", "", *_markdown(rows)]
    )


def embed(document: str) -> str:
    """The document with its section as it must be.

    Raises:
        ValueError: it has no markers.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"no section between {BEGIN} and {END}")
    return before + section() + after


def _may_be_tried(attack: Attack, without: tuple[str, ...]) -> bool:
    return attack.possible and not (without and attack.caged_only)


def _markdown(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield "| " + " | ".join(row) + " |"
        if number == 0:
            yield "|---" + "|--:" * (len(row) - 1) + "|"


def main() -> None:
    """Print both tables, or write one into a document."""
    if len(sys.argv) > 1:
        path = Path(sys.argv[1])
        path.write_text(embed(path.read_text()))
        return
    print(section(), measured(), sep="\n\n")


if __name__ == "__main__":
    main()

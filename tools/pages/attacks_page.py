"""Tables of the attacks on the cage and of their outcomes.

The one in docs/security.md has the outcomes with the full cage, which tests/escape requires of every attack.
``python -m tools.attacks_page`` measures another: which attacks succeed on this machine with layers removed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator

from tests.escape.attack import Attack
from tests.escape.attacker import Attacker
from tests.escape.catalogue import ATTACKS, FAMILIES

_COLUMNS: dict[str, tuple[str, ...]] = {
    "full cage": (),
    "no seccomp": ("seccomp",),
    "nor Landlock": ("seccomp", "landlock"),
    "nor limits": ("seccomp", "landlock", "memory", "cpu", "files", "processes", "core", "kernel_memory"),
}


def table() -> Iterator[str]:
    """The number of attacks by family, and how the full cage stops them."""
    rows: list[tuple[str, ...]] = [("Family", "Attacks", "Killed", "Refused", "Got through")]
    for family in [*FAMILIES, None]:
        attacks = [attack for attack in ATTACKS.values() if family in (attack.family, None)]
        killed = sum(attack.stopped_by[0].startswith("SIG") for attack in attacks)
        numbers = len(attacks), killed, len(attacks) - killed, 0
        rows.append((family or "**all**", *map(str, numbers)))
    return _markdown(rows)


def measured() -> str:
    """The number of attacks by family that succeed with more and more layers removed; runs them all."""
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


def _may_be_tried(attack: Attack, without: tuple[str, ...]) -> bool:
    return attack.possible and not (without and attack.caged_only)


def _markdown(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield "| " + " | ".join(row) + " |"
        if number == 0:
            yield "|---" + "|--:" * (len(row) - 1) + "|"


if __name__ == "__main__":
    print(measured())

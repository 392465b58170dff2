"""Every attack, by its name."""

from __future__ import annotations

from . import (
    on_descriptors,
    on_files,
    on_itself,
    on_memory,
    on_network,
    on_processes,
    on_the_kernel,
    on_the_machine,
)
from .attack import Attack

_ALL = [
    *on_files.ATTACKS,
    *on_processes.ATTACKS,
    *on_network.ATTACKS,
    *on_memory.ATTACKS,
    *on_descriptors.ATTACKS,
    *on_itself.ATTACKS,
    *on_the_kernel.ATTACKS,
    *on_the_machine.ATTACKS,
]

ATTACKS: dict[str, Attack] = {attack.name: attack for attack in _ALL}
assert len(ATTACKS) == len(_ALL), "two attacks have the same name"

FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(attack.family for attack in _ALL))

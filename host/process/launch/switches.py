"""Switches for what makes runs cheaper and changes nothing else: environment variables whose 0 turns it off.

Each of these ways stands beside a longer one, to which it leaves what is not usual. The test suites are
carried out with each of them off (``make test-switches``); a run that ends otherwise then is a bug.
A child's environment is empty, so what it is to leave out stands on its command line.
"""

from __future__ import annotations

import os


def _is_on(name: str) -> bool:
    return os.environ.get(name, "1") not in ("", "0")


# The host's: the codec of `process/typed.py`; `run`, `advance` and `replay` in place of what they join.
TYPED_CODEC = _is_on("FLOWCAGE_TYPED_CODEC")
JOINED_MESSAGES = _is_on("FLOWCAGE_JOINED_MESSAGES")
# A child's: the engine parses lines of the usual form (child/short_cut.py).
SHORT_CUT = _is_on("FLOWCAGE_SHORT_CUT")
# A zygote's: prepared cages (child/prepared.py), immortal objects, memory of which children copy fewer pages.
PREPARED_CAGES = _is_on("FLOWCAGE_PREPARED_CAGES")
IMMORTAL_OBJECTS = _is_on("FLOWCAGE_IMMORTAL_OBJECTS")
GATHERED_MEMORY = _is_on("FLOWCAGE_GATHERED_MEMORY")


def child_options(*, short_cut: bool = SHORT_CUT) -> tuple[str, ...]:
    """The end of a child's command line."""
    return () if short_cut else ("--no-short-cut",)


def zygote_options(
    *,
    prepared_cages: bool = PREPARED_CAGES,
    immortal_objects: bool = IMMORTAL_OBJECTS,
    gathered_memory: bool = GATHERED_MEMORY,
) -> tuple[str, ...]:
    """What stands in a zygote's command line before `child_options`."""
    given = {
        "--mortal": not immortal_objects,
        "--scattered": not gathered_memory,
        "--no-plan": not prepared_cages,
    }
    return tuple(option for option, is_given in given.items() if is_given)

"""Named tuples that a child loads: their annotations cost its start nothing but their evaluation."""

from __future__ import annotations

import sys
from typing import Any, ForwardRef

import flowcage.child.cage.lockdown
import flowcage.child.session


def annotations_of_named_tuples() -> dict[str, list[Any]]:
    loaded = [module for name, module in sys.modules.items() if name.startswith("flowcage.")]
    kinds = {kind for module in loaded for kind in vars(module).values() if isinstance(kind, type)}
    return {
        f"{kind.__module__}.{kind.__name__}": list(kind.__annotations__.values())
        for kind in kinds
        if issubclass(kind, tuple) and kind.__module__.startswith(("flowcage.child.", "flowcage.protocol."))
    }


def test_no_annotation_is_text_that_typing_had_to_compile() -> None:
    found = annotations_of_named_tuples()
    assert {
        f"{flowcage.protocol.messages.__name__}.Start",
        f"{flowcage.child.session.__name__}.Reply",
    } <= set(found)
    text = {
        name for name, kinds in found.items() if any(isinstance(kind, str | ForwardRef) for kind in kinds)
    }
    assert text == set()

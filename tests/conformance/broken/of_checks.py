"""Broken check."""

from __future__ import annotations

from .mutant import Mutant, edit, error, has, method, when

OF_CHECKS: dict[str, Mutant] = {
    "check/told": when(method("check"), has("checked"), then=edit(lambda told: told.update(meta=None))),
    "check/told: dialect": when(
        method("check"), has("checked"), then=edit(lambda told: told.update(dialect="module"))
    ),
    "check/told: no run": when(method("start"), has("then run"), then=error("invalid_state")),
    "check/asked": when(has("// plain"), then=edit(lambda told: told.update(findings=[]))),
}

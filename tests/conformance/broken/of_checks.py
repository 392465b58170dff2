"""Broken check."""

from __future__ import annotations

from .mutant import Mutant, edit, error, has, method, when

OF_CHECKS: dict[str, Mutant] = {
    "check/told": when(method("check"), has("checked"), then=edit(lambda told: told.update(meta=None))),
    "check/told: dialect": when(
        method("check"), has("checked"), then=edit(lambda told: told.update(dialect="module"))
    ),
    "check/told: no run": when(method("start"), has("then run"), then=error("invalid_state")),
    "check/line": when(
        has("nobody waits"), then=edit(lambda told: [each.update(line=1) for each in told["findings"]])
    ),
    "check/asked": when(has("// plain"), then=edit(lambda told: told.update(findings=[]))),
}

"""Broken imports and modules."""

from __future__ import annotations

from .mutant import Action, Mutant, completes, edit, edit_data, error, has, method, result, when


def _imports(text: str, then: Action) -> Mutant:
    return when(method("imports"), has(text), then=then)


def _specifiers(*specifiers: str) -> Action:
    return result({"imports": [{"specifier": each} for each in specifiers]})


def _drains(source: str, then: Action) -> Mutant:
    return when(method("drain"), lambda turn: source in turn.source, then=then)


OF_MODULES: dict[str, Mutant] = {
    "imports/told": _imports("./b.mjs", edit(lambda told: told["imports"].reverse())),
    "imports/told: each once": _imports("./b.mjs", _specifiers("./b.mjs", "../a.mjs", "./b.mjs")),
    "imports/others": _imports("./others.mjs", error("import")),
    "imports/others: import()": _imports("./others.mjs", _specifiers("./others.mjs", "./late.mjs")),
    "imports/broken": _imports("./broken.mjs", result({"imports": []})),
    "imports/broken: no run": when(method("start"), has("not broken"), then=error("invalid_state")),
    "imports/line": _imports("./line.mjs", edit(lambda told: told["imports"][0].update(line=1))),
    "modules/found": when(method("start"), has("./lib/.././lib/a.mjs"), then=error("import")),
    "modules/in-run": when(method("run"), has("./run.mjs"), then=error("import")),
    "modules/circle": _drains("./b.mjs", edit(lambda told: told["calls"].append(told["calls"][0]))),
    "modules/circle: result": _drains("./b.mjs", edit(lambda told: told.update(output={"result": 3}))),
    "modules/missing": when(method("start"), has("./missing.mjs"), then=result({})),
    "modules/missing: specifier": when(has("./missing.mjs"), then=edit_data(specifier="missing.mjs")),
    "modules/dynamic": _drains("./late.mjs", completes("found")),
    "modules/place": when(has("./lib/place.mjs"), then=edit_data(sourceName="w.js")),
    "modules/place: line": when(has("./lib/place.mjs"), then=edit_data(line=1)),
    "modules/checked": when(method("check"), has("{ a }"), has("checked.mjs"), then=error("exception")),
    "modules/checked: not linked": when(
        method("check"), has("{ gone }"), then=result({"dialect": "module", "meta": None})
    ),
}

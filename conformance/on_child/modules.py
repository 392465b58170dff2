"""imports, and the modules of start, run and check."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("imports", "protocol.md: imports")
given = CHILD_CHECKS.theme("modules", "protocol.md: Modules")


@check.must("What stands beside the source is told as the import declarations have it, each once, in order.")
def told(child: ChildPeer) -> None:
    child.require("imports")
    source = (
        "import b from './b.mjs';\nexport * from '../a.mjs';\nimport { c } from './b.mjs';\nexport default c;"
    )
    expect("the specifiers", _imported(child, source), ["./b.mjs", "../a.mjs"])


@check.must("Virtual modules, packages and import() are not told, and refused no more than others.")
def others(child: ChildPeer) -> None:
    child.require("imports")
    source = "import 'workflow:extra';\nimport 'fs';\nimport './others.mjs';\nimport('./late.mjs');"
    expect("the specifiers", _imported(child, source), ["./others.mjs"])


@check.must("A source that does not compile is answered with syntax, and the child can run a workflow.")
def broken(child: ChildPeer) -> None:
    child.require("imports")
    child.refused("syntax", "imports", source="import './broken.mjs';\nconst ;")
    child.expect_result("not broken", 'export default "not broken";')


@check.should("An import has the line of its specifier.")
def line(child: ChildPeer) -> None:
    child.require("imports")
    found = child.request("imports", source="\n\nimport './line.mjs';\nexport default 1;")["imports"]
    expect("the lines", [each.get("line") for each in found], [3])


@given.must("An import finds the module whose name is the folder of its own, joined with the specifier.")
def found(child: ChildPeer) -> None:
    child.require("imports")
    modules = {
        "flows/lib/a.mjs": "import { b } from '../../b.mjs';\nexport const a = b + 1;",
        "b.mjs": "export const b = 1;",
    }
    source = 'import { a } from "./lib/.././lib/a.mjs";\nexport default ["found", a];'
    child.expect_result(["found", 2], source, sourceName="flows/w.js", modules=modules)


@given.must("run takes modules as start does.")
def in_run(child: ChildPeer) -> None:
    child.require("imports")
    source, modules = "import run from './run.mjs';\nexport default run;", {"run.mjs": "export default 7;"}
    expect("the output", child.run(source, modules=modules).get("output"), {"result": 7})


@given.must("Modules may import each other in a circle, and each is evaluated once.")
def circle(child: ChildPeer) -> None:
    child.require("imports")
    modules = {
        "a.mjs": "import { b } from './b.mjs';\nlog('circle');\nexport const a = () => b;",
        "b.mjs": "import { a } from './a.mjs';\nexport const b = 2;\nexport const c = () => a();",
    }
    child.start("import { c } from './b.mjs';\nimport './a.mjs';\nexport default c();", modules=modules)
    drained = child.drain()
    expect("the calls", [call.get("values") for call in drained["calls"]], [["circle"]])
    expect("the output", drained.get("output"), {"result": 2})


@given.must("An import of what did not come with the workflow is refused as import, by its specifier.")
def missing(child: ChildPeer) -> None:
    child.require("imports")
    data = child.refused("import", "start", source="import './missing.mjs';", modules={"other.mjs": ""})
    expect("the specifier", data.get("specifier"), "./missing.mjs")


@given.must("import() finds no module, also where a declaration has imported it.")
def dynamic(child: ChildPeer) -> None:
    child.require("imports")
    source = "import './late.mjs';\nexport default import('./late.mjs').catch(() => 'dynamic');"
    child.expect_result("dynamic", source, modules={"late.mjs": ""})


@given.must("What is wrong in a module is told with its name and line.")
def place(child: ChildPeer) -> None:
    child.require("imports")
    modules = {"lib/place.mjs": "export const a = 1;\nconst ;"}
    data = child.refused("syntax", "start", source="import './lib/place.mjs';", modules=modules)
    expect("the place", [data.get("sourceName"), data.get("line")], ["lib/place.mjs", 2])


@given.must("check finds names that a module does not export, and evaluates none.")
def checked(child: ChildPeer) -> None:
    child.require("check")
    child.require("imports")
    modules = {"checked.mjs": "export const a = 1;\nthrow new Error('it ran');"}
    source = "import {{ {} }} from './checked.mjs';\nexport default 1;"
    child.request("check", source=source.format("a"), modules=modules)
    child.refused("import", "check", source=source.format("gone"), modules=modules)


def _imported(child: ChildPeer, source: str) -> list[str]:
    return [each["specifier"] for each in child.request("imports", source=source)["imports"]]

"""``workflow({scriptPath})`` and ``workflow('name')``: which files may run, and on whose account."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowcage.host import AgentAnswer, AgentCall, RunOptions, run_workflow_blocking
from flowcage.host.process.launch.launcher import Spawned
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.workflows.child_workflows import ChildWorkflows
from flowcage.host.workflows.names import NamedFolder

from ..host.children import Launcher
from ..host.runs import Listener

DEADLINE = 300


async def upper(call: AgentCall) -> AgentAnswer:
    return AgentAnswer(call.prompt.upper(), tokens=10)


def run_file(path: Path, **options: Any) -> Any:
    launcher = Launcher()
    given = RunOptions(agent=upper, launcher=launcher, **options)
    outcome = run_workflow_blocking(path.read_text(), source_name=str(path), options=given)
    launcher.assert_nothing_left()
    return outcome


def ask(caller: Path, ref: str, root: Path) -> Any:
    """What `caller` gets for a ref, which is JavaScript: the result, or the message of the rejection."""
    caller.parent.mkdir(parents=True, exist_ok=True)
    caller.write_text(f"export default workflow({ref}).catch((error) => error.message)")
    return run_file(caller, workflow=ChildWorkflows(root)).result


def test_a_child_workflow_runs_in_a_process_of_its_own_on_the_parents_account(tmp_path: Path) -> None:
    (tmp_path / "kid.js").write_text("export default async (a) => [a, await agent(`kid`)]")
    parent = tmp_path / "parent.js"
    parent.write_text('export default workflow({scriptPath: "kid.js"}, {n: 1})')
    outcome = run_file(parent, workflow=ChildWorkflows(tmp_path))
    assert outcome.result == [{"n": 1}, "KID"]
    assert outcome.usage.agents == 1


def the_root(tmp_path: Path) -> Path:
    """A root with every kind of file, and one file beside it."""
    root = tmp_path / "root"
    (root / "sub" / "deeper").mkdir(parents=True)
    (tmp_path / "outside.js").write_text("export default 'the secret'")
    (root / "kid.js").write_text("export default 'kid'")
    (root / "sub" / "kid.js").write_text("export default 'sub/kid'")
    (root / "latin.js").write_bytes(b"// \xe9\nexport default 1")
    (root / "broken.js").write_text("export default 1 1")
    (root / "grandparent.js").write_text('export default workflow({scriptPath: "missing.js"})')
    (root / "mark.js").write_bytes(b"\xef\xbb\xbfexport default 'mark'")
    (root / ".env").write_text("KEY=secret_123")
    os.mkfifo(root / "pipe.js")
    for name, target in {
        "link.js": "../outside.js",
        "absolute-link.js": str(tmp_path / "outside.js"),
        "out": "..",
        "loop.js": "loop.js",
        "disguised.js": ".env",
        "inside.js": "sub/kid.js",
        "absolute-inside.js": str(root / "sub" / "kid.js"),
        "folder": "sub/deeper",
        "up-and-down.js": "sub/../sub/./deeper/../kid.js",
    }.items():
        (root / name).symlink_to(target)
    return root


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("kid.js", "kid"),
        ("./sub//kid.js", "sub/kid"),
        ("sub/../kid.js", "kid"),
        ("{root}/kid.js", "kid"),
        ("{root}/sub/../kid.js", "kid"),
        ("inside.js", "sub/kid"),
        ("absolute-inside.js", "sub/kid"),
        ("up-and-down.js", "sub/kid"),
        ("folder/../kid.js", "sub/kid"),  # as the kernel has it: up from where the link leads
        ("mark.js", "mark"),
    ],
)
def test_a_path_below_the_root_runs_also_by_links_that_stay_there(
    tmp_path: Path, path: str, result: str
) -> None:
    root = the_root(tmp_path)
    assert ask(root / "parent.js", f"{{scriptPath: '{path.format(root=root)}'}}", root) == result


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../outside.js", "outside the root"),
        ("../root/kid.js", "outside the root"),
        ("sub/../../outside.js", "outside the root"),
        ("/etc/passwd", "outside the root"),
        ("link.js", "outside the root"),
        ("absolute-link.js", "outside the root"),
        ("out/outside.js", "outside the root"),
        ("out", "outside the root"),
        ("loop.js", "cannot be read: Too many levels of symbolic links"),
        ("missing.js", "no such file"),
        ("kid.js/more.js", "no such file"),
        (".", "is a folder"),
        ("sub", "is a folder"),
        ("sub/deeper/..", "is a folder"),
        ("latin.js", "not UTF-8"),
        ("pipe.js", "not a regular file"),
        (".env", "called neither *.js nor *.mjs"),
        ("disguised.js", "called neither *.js nor *.mjs"),
        ("grandparent.js", "workflows of its own"),
        ("broken.js", "broken.js:1:18: SyntaxError"),
        ("nul\\0.js", "null"),
        ("a/".rjust(5000, "x"), "File name too long"),
    ],
)
def test_a_child_workflow_that_may_not_run_is_rejected_with_the_reason_and_no_place_of_the_host(
    tmp_path: Path, path: str, reason: str
) -> None:
    root = the_root(tmp_path)
    message = ask(root / "parent.js", f'{{scriptPath: "{path}"}}', root)
    assert reason in message
    assert str(tmp_path) not in message
    assert "secret" not in message


def test_a_path_is_relative_to_its_caller_and_the_child_is_called_by_its_path_below_the_root(
    tmp_path: Path,
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "kid.js").write_text("export default new Error('x').stack")
    stack = ask(tmp_path / "sub" / "parent.js", "{scriptPath: '../kid.js'}", tmp_path)
    assert "at <anonymous> (kid.js:1:" in stack
    assert str(tmp_path) not in stack


def test_the_caller_may_lie_outside_the_root_and_start_what_is_in_it(tmp_path: Path) -> None:
    root = the_root(tmp_path)
    source = "export default [await workflow({scriptPath: 'root/kid.js'}), await workflow('x').catch(String)]"
    options = RunOptions(workflow=ChildWorkflows(root, tmp_path))
    found, missing = run_workflow_blocking(source, source_name="main.js", options=options).result
    assert found == "kid"
    assert "no x.js or x.mjs in workflows, .flowcage/workflows, .claude/workflows below" in missing


def test_a_relative_source_name_is_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "kid.js").write_text("export default 'kid'")
    source = "export default workflow({scriptPath: 'kid.js'})"
    options = RunOptions(workflow=ChildWorkflows(tmp_path))
    assert run_workflow_blocking(source, source_name="sub/w.js", options=options).result == "kid"


@pytest.mark.parametrize(
    ("files", "name", "result"),
    [
        (["lib/kid.js"], "kid", "lib/kid.js"),
        (["lib/kid.mjs"], "kid", "lib/kid.mjs"),
        ([".claude/workflows/kid.js"], "kid", ".claude/workflows/kid.js"),
        ([".claude/workflows/kid.js", "lib/kid.mjs"], "kid", "lib/kid.mjs"),
        (["lib/two words, ünd.js"], "two words, ünd", "lib/two words, ünd.js"),
        (["workflows/kid.js", ".flowcage/workflows/kid.js"], "kid", "workflows/kid.js"),
        ([".flowcage/workflows/kid.js", ".claude/workflows/kid.js"], "kid", ".flowcage/workflows/kid.js"),
        ([], "kid", "there is no workflow 'kid': no kid.js or kid.mjs in lib, workflows, "
                    ".flowcage/workflows, .claude/workflows below the root folder"),
        (["kid.js"], "kid", "there is no workflow 'kid'"),  # the root itself is nobody's folder
        ([".claude/workflows/quality-gate.js"], "qualty-gate", "did you mean 'quality-gate'?"),
        (["lib/Kid.js"], "kid", "did you mean 'Kid'?"),
        (["lib/kid.js"], "kid.js", "did you mean 'kid'?"),
        (["lib/kid.js", "lib/kid.mjs"], "kid", "'kid' is ambiguous: there are lib/kid.js and lib/kid.mjs"),
    ],
)  # fmt: skip
def test_a_name_is_looked_for_beside_its_caller_and_then_among_the_saved_workflows(
    tmp_path: Path, files: list[str], name: str, result: str
) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(f"export default {file!r}")
    assert result in ask(tmp_path / "lib" / "parent.js", f"'{name}'", tmp_path)


def test_a_name_is_found_elsewhere_last_and_nothing_beside_it_is(tmp_path: Path) -> None:
    root, own = tmp_path / "root", tmp_path / "own" / "workflows"
    for file in (root / "near.js", own / "near.js", own / "far.js", own / "sub" / "deep.js"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"export default {str(file.relative_to(tmp_path))!r}")
    (own / "out.js").symlink_to(root / "near.js")
    (own / "with.mjs").write_text("import { word } from './word.mjs'; export default word")
    (own / "word.mjs").write_text("export const word = 'beside it'")
    (root / "word.mjs").write_text("export const word = 'below another root'")
    options = RunOptions(workflow=ChildWorkflows(root, root, (NamedFolder(own),)))
    source = """const told = [];
    for (const name of ['near', 'far', 'with', 'deep', 'out', 'faar'])
      told.push(await workflow(name).catch((error) => error.message));
    export default told"""
    near, far, imports, deep, out, alike = run_workflow_blocking(source, options=options).result
    assert (near, far, imports) == ("root/near.js", "own/workflows/far.js", "beside it")
    assert "below the root folder, and in the folders of project and user" in deep
    assert "lies outside the root folder" in out
    assert "did you mean 'far'?" in alike
    assert str(tmp_path) not in f"{deep}{out}{alike}"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../kid", "/kid", "lib/kid", "a\\\\b", ".kid", "a\\0", "x" * 101]
)
def test_a_name_that_is_a_path_is_refused(tmp_path: Path, name: str) -> None:
    message = ask(tmp_path / "parent.js", f"'{name}'", tmp_path)
    assert "is no workflow's name" in message
    assert "scriptPath" in message


def test_a_name_that_links_out_of_the_root_is_refused(tmp_path: Path) -> None:
    root = the_root(tmp_path)
    assert "outside the root" in ask(root / "parent.js", "'link'", root)


def test_a_child_that_the_host_cannot_start_tells_the_workflow_no_place_of_the_host(tmp_path: Path) -> None:
    class Once(Launcher):
        async def launch(self) -> Spawned:
            return await Spawn((str(tmp_path / "none"),)).launch() if self.pids else await super().launch()

    (tmp_path / "kid.js").write_text("export default 1")
    events = Listener()
    options = RunOptions(workflow=ChildWorkflows(tmp_path), launcher=Once(), listener=events)
    source = "export default workflow('kid').catch((error) => error.message)"
    assert (
        run_workflow_blocking(source, options=options).result
        == "workflow 'kid' failed: it ended as not_started"
    )
    assert str(tmp_path) in events.of("child_ended")[0]["error"]


# The hook is called before each open(2): somebody else swaps what was looked up, at the worst moment.
SWAPPED = """
import os, sys
from pathlib import Path
from flowcage.host import RunOptions, run_workflow_blocking
from flowcage.host.workflows.child_workflows import ChildWorkflows

root, step, target = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def swap(event, arguments):
    if event != "open" or not isinstance(arguments[0], str | Path):
        return
    if Path(arguments[0]).name == step and (root / step).exists():
        os.rename(root / step, root.parent / "moved")
        os.mkfifo(root / step) if target == "pipe" else os.symlink(target, root / step)

source = f"export default workflow({{scriptPath: {sys.argv[4]!r}}}).catch((error) => error.message)"
options = RunOptions(workflow=ChildWorkflows(root), timeout_seconds=300)
sys.addaudithook(swap)
print(run_workflow_blocking(source, source_name=str(root / "main.js"), options=options).result)
print((root.parent / "moved").exists())
"""


@pytest.mark.parametrize(
    ("step", "target", "path", "message"),
    [
        ("kid.js", "../outside.js", "kid.js", "Too many levels of symbolic links"),
        ("sub", "../elsewhere", "sub/kid.js", "no such file"),
        ("kid.js", "pipe", "kid.js", "not a regular file"),
    ],
)
def test_what_is_swapped_between_look_up_and_opening_is_not_followed(
    tmp_path: Path, step: str, target: str, path: str, message: str
) -> None:
    root = the_root(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kid.js").write_text("export default 'the secret'")
    done = subprocess.run(
        [sys.executable, "-c", SWAPPED, root, step, target, path],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.stderr == ""
    said, was_swapped = done.stdout.splitlines()
    assert was_swapped == "True"
    assert message in said

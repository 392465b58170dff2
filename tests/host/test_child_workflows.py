"""``workflow({scriptPath})``: which files may run as children, and on whose account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowcage.host import AgentAnswer, AgentCall, RunOptions, run_workflow_blocking
from flowcage.host.sourcefile import ChildWorkflows

from .children import Launcher


async def upper(call: AgentCall) -> AgentAnswer:
    return AgentAnswer(call.prompt.upper(), tokens=10)


def run_file(path: Path, **options: Any) -> Any:
    launcher = Launcher()
    given = RunOptions(agent=upper, launcher=launcher, **options)
    outcome = run_workflow_blocking(path.read_text(), source_name=str(path), options=given)
    launcher.assert_nothing_left()
    return outcome


def test_a_child_workflow_runs_in_a_process_of_its_own_on_the_parents_account(tmp_path: Path) -> None:
    (tmp_path / "kid.js").write_text("export default async (a) => [a, await agent(`kid`)]")
    parent = tmp_path / "parent.js"
    parent.write_text('export default workflow({scriptPath: "kid.js"}, {n: 1})')
    outcome = run_file(parent, workflow=ChildWorkflows(tmp_path))
    assert outcome.result == [{"n": 1}, "KID"]
    assert outcome.usage.agents == 1


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../outside.js", "outside the root"),
        ("/etc/passwd", "outside the root"),
        ("link.js", "outside the root"),
        ("missing.js", "no such file"),
        (".", "is a folder"),
        ("latin.js", "not UTF-8"),
        ("grandparent.js", "workflows of its own"),
        ("broken.js", "broken.js:1:18: SyntaxError"),
        ("nul\\0.js", "null"),
    ],
)
def test_a_child_workflow_that_may_not_run_is_rejected_with_the_reason(
    tmp_path: Path, path: str, reason: str
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside.js").write_text("export default 1")
    (root / "link.js").symlink_to(tmp_path / "outside.js")
    (root / "latin.js").write_bytes(b"// \xe9\nexport default 1")
    (root / "broken.js").write_text("export default 1 1")
    (root / "grandparent.js").write_text('export default workflow({scriptPath: "missing.js"})')
    parent = root / "parent.js"
    parent.write_text(f'export default workflow({{scriptPath: "{path}"}}).catch((error) => error.message)')
    assert reason in run_file(parent, workflow=ChildWorkflows(root)).result

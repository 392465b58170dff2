"""The real claude program, told by a server of ours to call the tools: ``make test-agents``."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ..agents.clis.record import real_program
from ..agents.clis.stage import DEADLINE_S, set_up
from ..agents.servers import anthropic
from ..agents.servers.loopback import Answer, Request
from ..agents.servers.said import Said
from .client import command

pytestmark = pytest.mark.skipif(
    "FLOWCAGE_TEST_AGENTS" not in os.environ, reason="make test-agents runs the real programs"
)
WORKFLOW = "export const meta = { name: 'hello' };\nreturn await agent('What?', { label: 'one' });\n"
RUN_ID = re.compile(r'"runId\\*":\s*\\*"([^"\\]+)')


class Model:
    """Calls one tool after the other, and notes what each has told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._calls = 0

    def __call__(self, request: Request) -> Answer:
        if "messages" not in request.path or "count_tokens" in request.path:
            return anthropic.usual(request)
        names = [each.get("name") for each in request.body.get("tools") or []]
        if "WaitForMcpServers" in names and "mcp__flowcage__check" not in names:
            return self._call(request, ("WaitForMcpServers", {}))
        if "mcp__flowcage__check" not in names:  # a title of the conversation, and the like
            return anthropic.answer(Said("hello"), request)
        self.told = [_text(each) for each in _results(request.body)]
        steps = self._steps()
        done = len(self.told)
        if done >= len(steps):
            return anthropic.answer(Said("All is done."), request)
        return self._call(request, steps[done])

    def _call(self, request: Request, tool: tuple[str, dict[str, Any]]) -> Answer:
        self._calls += 1
        answer = anthropic.answer(Said("", tool), request)
        known = f"toolu_{self._calls}_{'wait' if tool[0] == 'WaitForMcpServers' else 'step'}"
        pieces = [
            each.replace(b"toolu_1", known.encode()) if isinstance(each, bytes) else each
            for each in answer.pieces
        ]
        return replace(answer, pieces=pieces)

    def _steps(self) -> list[tuple[str, dict[str, Any]]]:
        found = RUN_ID.search(self.told[2]) if len(self.told) > 2 else None
        run = {"run": found[1] if found else ""}
        return [
            ("mcp__flowcage__check", {"workflow": "hello"}),
            ("mcp__flowcage__plan", {"workflow": "hello"}),
            ("mcp__flowcage__run", {"workflow": "hello"}),
            ("mcp__flowcage__wait", run | {"seconds": 100}),
            ("mcp__flowcage__resume", run | {"way": "retry-failed"}),
            (
                "ReadMcpResourceTool",
                {"server": "flowcage", "uri": f"flowcage://runs/{run['run']}/report"},
            ),
        ]


def test_claude_checks_plans_runs_waits_resumes_and_reads_the_report(tmp_path: Path) -> None:
    real = real_program("claude")
    if real is None:
        pytest.skip("claude is not in PATH, and FLOWCAGE_TEST_CLAUDE is not set")
    model = Model()
    with anthropic.server().always(model) as server:
        stage = set_up("claude", tmp_path, server.url)
        (stage.folder / "hello.js").write_text(WORKFLOW)
        program, *words = command(tmp_path / "runs.db")
        config = {"mcpServers": {"flowcage": {"type": "stdio", "command": program, "args": words}}}
        done = subprocess.run(
            [
                Path(real).resolve(),
                "-p",
                "Run the workflow hello.",
                "--strict-mcp-config",
                f"--mcp-config={json.dumps(config)}",
                "--allowedTools=mcp__flowcage,ReadMcpResourceTool",
                "--output-format=json",
            ],
            env=dict(stage.variables),
            cwd=stage.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["result"] == "All is done.", model.told
    check, plan, _, wait, resume, report = model.told
    assert '"errors":0' in check
    assert '"plan":1' in plan
    assert '"because":"it has ended"' in wait
    assert '"result":"echo: What?"' in wait
    assert '"started":false' in resume
    assert "## `hello`: completed" in report


def _results(body: dict[str, Any]) -> list[dict[str, Any]]:
    blocks = [each for message in body["messages"] if isinstance(message["content"], list)
              for each in message["content"]]  # fmt: skip
    return [
        each for each in blocks if each["type"] == "tool_result" and each["tool_use_id"].endswith("_step")
    ]


def _text(result: dict[str, Any]) -> str:
    content = result["content"]
    return content if isinstance(content, str) else "".join(each.get("text", "") for each in content)

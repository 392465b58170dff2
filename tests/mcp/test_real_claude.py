"""The real claude program, told by a server of ours to call the tools: ``make test-agents``."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowcage.host.cli.mcp.tools import TOOLS

from ..agents.clis.record import real_program
from ..agents.clis.stage import DEADLINE_S, set_up
from ..agents.servers import anthropic
from ..agents.servers.loopback import Answer, Request
from ..agents.servers.said import Said
from .client import HTTP, STDIO, command, listening
from .story import REPORT, Story, as_text

pytestmark = pytest.mark.skipif(
    "FLOWCAGE_TEST_AGENTS" not in os.environ, reason="make test-agents runs the real programs"
)

_TOOLS = "select:" + ",".join([*(f"mcp__flowcage__{each}" for each in TOOLS), "ReadMcpResourceTool"])


class Model:
    """Calls one tool after the other."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._calls = 0

    def __call__(self, request: Request) -> Answer:
        if "messages" not in request.path or "count_tokens" in request.path:
            return anthropic.usual(request)
        names = [each.get("name") for each in request.body.get("tools") or []]
        if "mcp__flowcage__check" not in names:
            return self._find(request, names)
        step = self._story.next([as_text(each["content"]) for each in _results(request.body)])
        if step is None:
            return anthropic.answer(Said("All is done."), request)
        name, given = step
        return self._call(
            request, "ReadMcpResourceTool" if name == REPORT else f"mcp__flowcage__{name}", given
        )

    def _find(self, request: Request, names: list[Any]) -> Answer:
        """Have the tools brought, as versions of claude have it; a title of the conversation needs none."""
        for tool, given in {"WaitForMcpServers": {}, "ToolSearch": {"query": _TOOLS}}.items():
            if tool in names:
                return self._call(request, tool, given)
        return anthropic.answer(Said("hello"), request)

    def _call(self, request: Request, tool: str, given: dict[str, Any]) -> Answer:
        self._calls += 1
        answer = anthropic.answer(Said("", (tool, given)), request)
        known = f"toolu_{self._calls}_{'wait' if tool in ('WaitForMcpServers', 'ToolSearch') else 'step'}"
        pieces = [
            each.replace(b"toolu_1", known.encode()) if isinstance(each, bytes) else each
            for each in answer.pieces
        ]
        return replace(answer, pieces=pieces)


@pytest.mark.parametrize("over", [STDIO, HTTP])
def test_claude_checks_plans_runs_waits_resumes_and_reads_the_report(tmp_path: Path, over: str) -> None:
    real = real_program("claude")
    if real is None:
        pytest.skip("claude is not in PATH, and FLOWCAGE_TEST_CLAUDE is not set")
    with ExitStack() as stack:
        server = stack.enter_context(anthropic.server())
        stage = set_up("claude", tmp_path, server.url)
        story = Story(stage.folder)
        server.always(Model(story))
        variables = dict(stage.variables)

        def claude(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [Path(real).resolve(), *words],
                env=variables,
                cwd=stage.folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
                check=False,
            )

        where = ["--", *command(stage.folder / "runs.db")]
        transport = "stdio"
        if over == HTTP:
            served = stack.enter_context(listening(stage.folder))
            variables["FLOWCAGE_MCP_TOKEN"] = served.token
            where = [served.url, "--header", "Authorization: Bearer ${FLOWCAGE_MCP_TOKEN}"]
            transport = "http"
        added = claude("mcp", "add", "--transport", transport, "flowcage", *where)
        assert added.returncode == 0, added.stdout + added.stderr
        allowed = "--allowedTools=mcp__flowcage,ReadMcpResourceTool"
        done = claude("-p", "Run the workflow hello.", allowed, "--output-format=json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["result"] == "All is done.", story.told
    story.require_told()


def _results(body: dict[str, Any]) -> list[dict[str, Any]]:
    blocks = [each for message in body["messages"] if isinstance(message["content"], list)
              for each in message["content"]]  # fmt: skip
    return [
        each for each in blocks if each["type"] == "tool_result" and each["tool_use_id"].endswith("_step")
    ]

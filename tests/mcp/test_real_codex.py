"""The real codex program, told by a server of ours to call the tools: ``make test-agents``."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ..agents.clis.record import real_program
from ..agents.clis.stage import DEADLINE_S, set_up
from ..agents.servers import openai
from ..agents.servers.loopback import Answer, Request
from ..agents.servers.said import Said
from .client import HTTP, STDIO, command, listening
from .story import REPORT, Story, as_text

pytestmark = pytest.mark.skipif(
    "FLOWCAGE_TEST_AGENTS" not in os.environ, reason="make test-agents runs the real programs"
)


class Model:
    """Calls one tool after the other."""

    def __init__(self, story: Story) -> None:
        self._story = story

    def __call__(self, request: Request) -> Answer:
        if not request.path.endswith("/responses"):
            return openai.usual(request)
        items = [each for each in request.body["input"] if each["type"] == "function_call_output"]
        step = self._story.next([as_text(each["output"]) for each in items])
        if step is None:
            return openai.answer(Said("All is done."), request)
        name, given = step
        tool = "read_mcp_resource" if name == REPORT else f"mcp__flowcage.{name}"
        answer = openai.answer(Said("", (tool, given)), request)
        call = f"call_{len(items) + 2}".encode()
        pieces = [
            each.replace(b"call_1", call) if isinstance(each, bytes) else each for each in answer.pieces
        ]
        return replace(answer, pieces=pieces)


@pytest.mark.parametrize("over", [STDIO, HTTP])
def test_codex_checks_plans_runs_waits_resumes_and_reads_the_report(tmp_path: Path, over: str) -> None:
    real = real_program("codex")
    if real is None:
        pytest.skip("codex is not in PATH, and FLOWCAGE_TEST_CODEX is not set")
    with ExitStack() as stack:
        server = stack.enter_context(openai.server())
        stage = set_up("codex", tmp_path, server.url)
        story = Story(stage.folder)
        server.always(Model(story))
        variables = dict(stage.variables)

        def codex(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [real, *words],
                env=variables,
                cwd=stage.folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
                check=False,
            )

        where = ["--", *command(stage.folder / "runs.db")]
        if over == HTTP:
            served = stack.enter_context(listening(stage.folder))
            variables["FLOWCAGE_MCP_TOKEN"] = served.token
            where = ["--url", served.url, "--bearer-token-env-var", "FLOWCAGE_MCP_TOKEN"]
        added = codex("mcp", "add", "flowcage", *where)
        assert added.returncode == 0, added.stdout + added.stderr
        with open(stage.home / ".codex" / "config.toml", "a") as config:
            config.write("required = true\n")
        words = (
            "--json",
            "--skip-git-repo-check",
            "-c",
            'mcp_servers.flowcage.default_tools_approval_mode="approve"',
        )
        done = codex("exec", *words, "Run the workflow hello.")
    assert done.returncode == 0, done.stdout + done.stderr
    assert _last_message(done.stdout) == "All is done.", story.told
    story.require_told()


def _last_message(told: str) -> Any:
    events = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    items = [each["item"] for each in events if each["type"] == "item.completed"]
    return [each["text"] for each in items if each["type"] == "agent_message"][-1]

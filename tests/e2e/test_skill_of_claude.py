"""The real claude program, in a project that ``flowcage init`` wrote to: ``make test-agents``."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ..agents.clis.record import real_program
from ..agents.clis.stage import DEADLINE_S, set_up
from ..agents.servers import anthropic
from ..agents.servers.loopback import Answer, Request
from ..agents.servers.said import Said
from .command import flowcage

pytestmark = pytest.mark.skipif(
    "FLOWCAGE_TEST_AGENTS" not in os.environ, reason="make test-agents runs the real programs"
)


class Model:
    """Opens the skill, once it is offered, and keeps what it is told."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, request: Request) -> Answer:
        if "messages" not in request.path or "count_tokens" in request.path:
            return anthropic.usual(request)
        names = [each.get("name") for each in request.body.get("tools") or []]
        if "Skill" not in names:  # a title of the conversation, and the like
            return anthropic.answer(Said("hello"), request)
        self.asked.append(str(request.body))
        if len(self.asked) == 1:
            return anthropic.answer(Said("", ("Skill", {"skill": "flowcage"})), request)
        return anthropic.answer(Said("All is done."), request)


def test_claude_offers_the_skill_and_opens_it(tmp_path: Path) -> None:
    real = real_program("claude")
    if real is None:
        pytest.skip("claude is not in PATH, and FLOWCAGE_TEST_CLAUDE is not set")
    with anthropic.server() as server:
        stage = set_up("claude", tmp_path, server.url)
        assert flowcage("init", cwd=stage.folder).status == 0
        model = Model()
        server.always(model)
        done = subprocess.run(
            [Path(real).resolve(), "-p", "Write a workflow.", "--output-format", "json"],
            env=dict(stage.variables),
            cwd=stage.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Use when a task needs many agents" in model.asked[0]
    assert "A workflow is one JavaScript file" not in model.asked[0]
    assert "A workflow is one JavaScript file" in model.asked[1]

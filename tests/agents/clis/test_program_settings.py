"""What flowcage.toml says of the two programs, and which options of a call they follow."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentSpecError, OptionNotHonoured, ShareTooSmall
from flowcage.host.agents.programs.codex.rollout import Rollout, rollout_of
from flowcage.host.agents.programs.json_lines import MAX_LINE_BYTES, JsonLines
from flowcage.host.agents.settings import AgentSettings

from .situation import Situation
from .stage import only
from .tape import calls, played, script, transcript


@pytest.mark.parametrize(
    ("program", "own", "arguments"),
    [
        ("claude", {}, ["--permission-mode=default"]),
        ("claude", {"permission_mode": "acceptEdits"}, ["--permission-mode=acceptEdits"]),
        ("claude", {"permission_mode": "bypassPermissions"}, ["--permission-mode=bypassPermissions"]),
        ("claude", {"allowed_tools": ["Bash(git *)", "Edit"]}, ["--allowedTools=Bash(git *),Edit"]),
        ("claude", {"disallowed_tools": ["WebFetch"]}, ["--disallowedTools=WebFetch"]),
        ("claude", {"max_turns": 3}, ["--max-turns=3"]),
        ("claude", {"max_budget_usd": 0.25}, ["--max-budget-usd=0.250000"]),
        ("claude", {"args": ["--strict-mcp-config"]}, ["--strict-mcp-config"]),
        ("codex", {}, ["--sandbox=read-only"]),
        ("codex", {"sandbox": "workspace-write"}, ["--sandbox=workspace-write"]),
        ("codex", {"config": ['web_search="disabled"']}, ['--config=web_search="disabled"']),
        ("codex", {"args": ["--ephemeral"]}, ["--ephemeral"]),
    ],
)
def test_settings_become_arguments(program: str, own: Any, arguments: list[str], tmp_path: Path) -> None:
    stage = played(program, tmp_path, transcript(program, "plain")["runs"])
    stage.ask(Situation("set up", own=own))
    given = calls(tmp_path)[0]["arguments"]
    assert [each for each in arguments if each not in given] == []
    assert len([each for each in given if each.startswith(("--permission-mode", "--sandbox"))]) == 1


def test_the_least_of_two_limits_of_costs_counts(tmp_path: Path) -> None:
    stage = played("claude", tmp_path, transcript("claude", "plain")["runs"])
    stage.ask(Situation("limits", own={"max_budget_usd": 0.25}, call={"cost_left": 0.0}))
    assert "--max-budget-usd=0.000001" in calls(tmp_path)[0]["arguments"]


def test_beside_others_claude_is_told_its_share_but_for_one_request_of_a_bounded_size(tmp_path: Path) -> None:
    stage = played("claude", tmp_path, transcript("claude", "plain")["runs"])
    stage.ask(Situation("share", options={"model": "sonnet"}, call={"cost_left": 5.0, "is_held": True}))
    run = calls(tmp_path)[0]
    assert "--max-budget-usd=3.320000" in run["arguments"]  # 200,000 tokens into a cache, and 32,000 written
    assert run["variables"]["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] == "32000"
    assert run["variables"]["CLAUDE_CODE_MAX_TOOL_USE_CONCURRENCY"] == "1"
    assert run["variables"]["CLAUDE_CODE_DISABLE_1M_CONTEXT"] == "1"


@pytest.mark.parametrize(
    ("program", "options", "call", "needs"),
    [
        ("claude", {"model": "sonnet"}, {"cost_left": 1.5}, (2.1, 0)),
        ("claude", {"model": "sonnet"}, {"tokens_left": 280_000}, (0.0, 290_000)),
        ("claude", {"model": "nobody-knows"}, {"cost_left": 99.0}, (None, 0)),
        ("claude", {}, {"cost_left": 99.0}, (None, 0)),
        ("codex", {}, {"cost_left": 99.0, "tokens_left": 9}, (None, None)),
    ],
)
def test_a_program_that_cannot_keep_to_a_share_is_not_run_beside_others(
    program: str, options: Any, call: Any, needs: Any, tmp_path: Path
) -> None:
    stage = played(program, tmp_path, [])
    error = stage.ask(Situation("share", options=options, call=call | {"is_held": True}))
    assert isinstance(error, ShareTooSmall), error
    assert (error.needs_usd, error.needs_tokens) == needs
    assert not (tmp_path / "runs.jsonl").exists()


@pytest.mark.parametrize("program", ["claude", "codex"])
def test_the_model_of_a_call_comes_before_that_of_the_agent(program: str, tmp_path: Path) -> None:
    plain = transcript(program, "plain")["runs"]
    stage = played(program, tmp_path, plain * 2)
    make = import_module(f"flowcage.host.agents.programs.{program}").make
    with only(stage.variables):
        agent = make("of-the-agent", AgentSettings())
        trio.run(agent, AgentCall("1", "p", {}))
        trio.run(agent, AgentCall("2", "p", {"model": "--of-the-call"}))
    first, second = calls(tmp_path)
    assert "--model=of-the-agent" in first["arguments"]
    assert "--model=--of-the-call" in second["arguments"]


@pytest.mark.parametrize(
    ("program", "own", "words"),
    [
        ("claude", {"permision_mode": "plan"}, ["agents.claude", "'permision_mode'", "'permission_mode'"]),
        ("claude", {"permission_mode": "bypass"}, ["agents.claude.permission_mode", "'bypassPermissions'"]),
        ("claude", {"permission_mode": True}, ["agents.claude.permission_mode must be", "not True"]),
        ("claude", {"allowed_tools": "Bash"}, ["agents.claude.allowed_tools must be a list of texts"]),
        ("claude", {"allowed_tools": ["Bash", 5]}, ["agents.claude.allowed_tools must be a list of texts"]),
        ("claude", {"max_turns": 0}, ["agents.claude.max_turns must be a number above 0"]),
        ("claude", {"max_turns": 1.5}, ["agents.claude.max_turns must be a whole number"]),
        ("claude", {"max_budget_usd": "5"}, ["agents.claude.max_budget_usd must be a number above 0"]),
        ("claude", {"max_budget_usd": float("inf")}, ["agents.claude.max_budget_usd"]),
        ("claude", {"program": ""}, ["agents.claude.program must be text that is not empty"]),
        ("codex", {"sandbox": "none"}, ["agents.codex.sandbox must be one of 'read-only'"]),
        ("codex", {"config": {"a": 1}}, ["agents.codex.config must be a list of texts"]),
        ("codex", {"args": ["a\0"]}, ["agents.codex.args must be a list of texts"]),
        ("codex", {"colour": 1}, ["agents.codex has no setting 'colour'", "sandbox"]),
    ],
)
def test_wrong_settings_are_named_before_anything_runs(program: str, own: Any, words: list[str]) -> None:
    with pytest.raises(AgentSpecError) as caught:
        import_module(f"flowcage.host.agents.programs.{program}").make(None, AgentSettings(own=own))
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("program", "options", "call", "words"),
    [
        (
            "claude",
            {"effort": "gigantic"},
            {},
            ["options.effort 'gigantic'", "low, medium"],
        ),
        ("claude", {"effort": ["low"]}, {}, ["options.effort"]),
        ("claude", {"provider": "openai"}, {}, ["options.provider 'openai'", "anthropic"]),
        ("claude", {"temperature": 0}, {}, ["options.temperature"]),
        ("codex", {"effort": "gigantic"}, {}, ["options.effort 'gigantic'", "minimal, low"]),
        ("codex", {"provider": "anthropic"}, {}, ["options.provider 'anthropic'", "openai"]),
        ("codex", {}, {"tools": ("Read",)}, ["tools"]),
        ("codex", {}, {"session": "by name"}, ["no session 'by name'"]),
    ],
)
def test_what_a_program_does_not_follow_is_refused_before_it_runs(
    program: str, options: Any, call: Any, words: list[str], tmp_path: Path
) -> None:
    error = played(program, tmp_path, []).ask(Situation("odd", options=options, call=call))
    assert type(error) is OptionNotHonoured, error
    assert [word for word in words if word not in str(error)] == []
    assert not (tmp_path / "runs.jsonl").exists()


@pytest.mark.parametrize("program", ["claude", "codex"])
def test_a_program_is_found_with_its_version(program: str, tmp_path: Path) -> None:
    module = import_module(f"flowcage.host.agents.programs.{program}")
    folder = script(tmp_path / "bin", program, "player")
    with only({"PATH": "/nowhere"}):
        assert module.found() is None
    with only({"PATH": f"{folder}:/usr/bin:/bin"}):
        assert module.found() == f"{folder / program} (it does not tell its version)"
        (folder / program).write_text("#!/bin/sh\necho 2.3.4 of it\n")
        assert module.found() == f"{folder / program} (2.3.4 of it)"


def test_lines_are_put_together_from_any_pieces() -> None:
    told: list[Any] = []
    text = '\ufeff{"a": 1}\r\nWarning\n\n {"b": "\u2028"} \n{"c": [{}]}'.encode()
    for size in (1, 2, 3, 7, 1000):
        told.clear()
        lines = JsonLines(told.append)
        for at in range(0, len(text), size):
            lines.feed(text[at : at + size])
        lines.finish()
        assert told == [{"a": 1}, {"b": "\u2028"}, {"c": [{}]}]
        assert lines.said == "Warning"


@pytest.mark.parametrize(
    ("text", "is_cut"),
    [('{"a": 1}', False), ('{"a": 1}\n{"b": ', True), ("{}\nWarning\n", False), ("", False)],
)
def test_a_last_line_that_breaks_off_is_told_from_a_whole_one(text: str, is_cut: bool) -> None:
    lines = JsonLines(lambda _message: None)
    lines.feed(text.encode())
    lines.finish()
    assert lines.is_cut is is_cut


def test_a_line_that_is_too_long_is_left_out_and_not_held() -> None:
    told: list[Any] = []
    lines = JsonLines(told.append)
    for _ in range(MAX_LINE_BYTES // 2**20 + 1):
        lines.feed(b"x" * 2**20)
    lines.feed(b'\n{"a": 1}\n')
    assert told == [{"a": 1}]
    assert lines.said == ""


@pytest.mark.parametrize(
    "thread", [None, "", "*", "../../x", "a" * 200, "11111111-1111-4111-8111-111111111111"]
)
def test_a_conversation_that_is_not_stored_has_no_figures(thread: str | None, tmp_path: Path) -> None:
    assert rollout_of(thread, {"CODEX_HOME": str(tmp_path)}) == Rollout()

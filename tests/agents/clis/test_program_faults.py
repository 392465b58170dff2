"""Programs that are missing, warn first, write what is no message, hang, or are killed."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.errors import AgentError, AgentsUnavailable

from .situation import NAMED, TEXT, Situation
from .stage import KEY, USAGES, require_expected
from .tape import calls, played, transcript

PROGRAMS = ("claude", "codex")
PLAIN = Situation("plain")
SECRET = "secret-0123456789"


def plain_run(program: str) -> dict[str, Any]:
    run: dict[str, Any] = transcript(program, "plain")["runs"][0]
    return run


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_is_not_there_makes_its_agents_unavailable(program: str, tmp_path: Path) -> None:
    stage = played(program, tmp_path, [])
    (tmp_path / "bin" / program).unlink()
    error = stage.ask(PLAIN)
    assert isinstance(error, AgentsUnavailable)
    assert f"needs the program {program!r}, which is not in PATH" in str(error)
    assert "npm install -g" in str(error)


@pytest.mark.parametrize("program", PROGRAMS)
def test_warnings_and_lines_that_are_no_messages_of_the_program_are_passed_over(
    program: str, tmp_path: Path
) -> None:
    run = plain_run(program)
    noise = [
        "Warning: this version is old",
        "",
        '{"type": "unheard-of", "message": 5}',
        '{"type": ["system"]}',
        '{"type": "assistant", "message": {"content": [5, {"type": "text"}, {"type": "tool_use"}]}}',
        '{"type": "item.completed", "item": "none"}',
        '{"type": "item.completed", "item": {"type": "file_change", "changes": [{}, 5]}}',
        '{"type": "error"}',
        '{"type": "system", "subtype": "api_retry", "attempt": "first"}',
        "[1, 2",
        '{"type": "result"',
        "null",
        "[" * 5_000,
        '"a text"',
        "\udcff\udcfe",
    ]
    run["stdout"] = [each for line in run["stdout"] for each in (*noise, line)]
    run["stderr"] = "Warning: something\n" * 10_000
    stage = played(program, tmp_path, [run])
    require_expected(PLAIN, stage.ask(PLAIN), USAGES[program])


@pytest.mark.parametrize("program", PROGRAMS)
def test_numbers_that_are_none_count_as_nothing(program: str, tmp_path: Path) -> None:
    run = plain_run(program)
    run["stored"] = {}
    lines = [json.loads(line) for line in run["stdout"]]
    wrong: list[Any] = ["5", -1, True, 1.5, None, 10**30]
    names = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
    lines[-1] |= {
        "usage": dict(zip(names, wrong, strict=False)),
        "modelUsage": {"m": {"inputTokens": "x"}, "n": 5},
    }
    lines[-1]["total_cost_usd"] = "free"
    for line in lines[:-1]:
        for place in (line, line.get("event", {})):
            if "message" in place:
                place["message"]["usage"] = {"input_tokens": -5, "output_tokens": "many"}
            if "usage" in place:
                place["usage"] = {"output_tokens": 10**30}
    run["stdout"] = [json.dumps(line) for line in lines]
    outcome = played(program, tmp_path, [run]).ask(PLAIN)
    assert isinstance(outcome, AgentAnswer), outcome
    assert (outcome.value, outcome.tokens, outcome.cost_usd) == (TEXT, 0, None)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_is_killed_says_so_and_what_it_cost(program: str, tmp_path: Path) -> None:
    run = plain_run(program)
    run |= {"stdout": run["stdout"][:-1], "status": -signal.SIGKILL}
    error = played(program, tmp_path, [run]).ask(PLAIN)
    assert type(error) is AgentError
    assert "was killed by SIGKILL" in str(error)
    assert error.usage == USAGES[program]
    assert error.model


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_ends_without_a_word_says_so(program: str, tmp_path: Path) -> None:
    run = plain_run(program) | {"stdout": ["Sorry!"], "stored": {}}
    error = played(program, tmp_path, [run]).ask(PLAIN)
    assert str(error) == f"agent {program!r} ended without an answer; it wrote: Sorry!"


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_goes_silent_is_ended(program: str, tmp_path: Path) -> None:
    run = plain_run(program)
    run |= {"stdout": run["stdout"][:2], "status": None}
    error = played(program, tmp_path, [run]).ask(PLAIN, idle_timeout_s=1.0)
    assert type(error) is AgentError
    assert "gave no sign of life for 1 s" in str(error)


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_answer_counts_though_its_program_stays(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowcage.host.agents.programs.cli._LEAVE_SECONDS", 0.1)
    run = plain_run(program) | {"status": None}
    require_expected(PLAIN, played(program, tmp_path, [run]).ask(PLAIN), USAGES[program])


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_key_is_in_answers_errors_and_progress(program: str, tmp_path: Path) -> None:
    run = plain_run(program)
    leaked = [line.replace(TEXT, f"The key is {KEY}.") for line in run["stdout"]]
    ended = {**run, "stdout": leaked[:-1], "stderr": f"key={KEY} {SECRET}", "status": 3}
    stage = played(program, tmp_path, [{**run, "stdout": leaked}, ended])
    situation = Situation("leak", environment={"SOME_PASSWORD": SECRET})

    answer, error = stage.ask(situation), stage.ask(situation)

    assert isinstance(answer, AgentAnswer)
    assert answer.value == "The key is [redacted]."
    assert "key=[redacted] [redacted]" in str(error)
    told = [each.text for each in stage.progress if each.text is not None]
    assert "The key is [redacted]." in told
    assert not [text for text in told if KEY in text]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_works_in_the_folder_of_the_call(program: str, tmp_path: Path) -> None:
    stage = played(program, tmp_path, [plain_run(program)])
    stage.ask(PLAIN)
    assert calls(tmp_path)[0]["folder"] == str(stage.folder)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_second_try_has_the_refused_answer_and_what_was_wrong(program: str, tmp_path: Path) -> None:
    run = transcript(program, "schema")["runs"][0]
    stage = played(program, tmp_path, [run])
    stage.ask(
        Situation(
            "again", options={"schema": NAMED}, call={"problem": "it is short", "refused": '{"name": ""}'}
        )
    )
    said = calls(tmp_path)[0]["stdin"]
    assert said.startswith("What is the answer?\n\n")
    assert '{"name": ""}' in said
    assert "it is short" in said


def test_claude_tells_what_it_costs_while_it_works(tmp_path: Path) -> None:
    run = transcript("claude", "tool")["runs"][0]
    stage = played("claude", tmp_path, [run])
    stage.ask(PLAIN)
    told = [each.usage.output for each in stage.progress if each.usage is not None]
    assert told == sorted(told)
    assert told[-1] == 2 * USAGES["claude"].output
    texts = [each.text for each in stage.progress if each.text is not None]
    assert texts == ["I will look.", "Bash: echo here", TEXT]


@pytest.mark.parametrize(("left", "is_ended"), [(126, True), (127, False)])
def test_claude_is_ended_before_its_model_is_asked_again_where_the_budget_is_used_up(
    left: int, is_ended: bool, tmp_path: Path
) -> None:
    run = transcript("claude", "tool")["runs"][0]
    first = run["stdout"][
        : next(at for at, line in enumerate(run["stdout"]) if line.startswith('{"type":"user"')) + 1
    ]
    stage = played("claude", tmp_path, [{**run, "stdout": first, "status": None} if is_ended else run])
    outcome = stage.ask(Situation("budget", call={"tokens_left": left}))
    if not is_ended:
        assert isinstance(outcome, AgentAnswer)
        return
    assert type(outcome) is AgentError
    assert str(outcome) == (
        "agent 'claude' was ended: the run had 126 tokens left for it, and they are used up"
    )
    assert outcome.usage == USAGES["claude"]


def test_an_answer_by_a_schema_is_taken_though_the_budget_is_used_up(tmp_path: Path) -> None:
    stage = played("claude", tmp_path, transcript("claude", "schema")["runs"])
    outcome = stage.ask(Situation("budget", options={"schema": NAMED}, call={"tokens_left": 1}))
    assert isinstance(outcome, AgentAnswer), outcome
    assert outcome.value == {"name": ""}


def test_an_answer_that_the_schema_refuses_is_not_asked_for_again_where_the_budget_is_used_up(
    tmp_path: Path,
) -> None:
    run = transcript("claude", "schema-not-kept-to")["runs"][0]
    outcome = played("claude", tmp_path, [run | {"status": None}]).ask(
        Situation("budget", options={"schema": NAMED}, call={"tokens_left": 1})
    )
    assert type(outcome) is AgentError
    assert "used up" in str(outcome)


def test_where_claude_does_not_tell_its_providers_stream_its_messages_count(tmp_path: Path) -> None:
    run = transcript("claude", "plain")["runs"][0]
    kept = [line for line in run["stdout"][:-1] if "stream_event" not in line]
    error = played("claude", tmp_path, [run | {"stdout": kept, "status": -signal.SIGKILL}]).ask(PLAIN)
    assert isinstance(error, AgentError)
    assert error.usage is not None
    assert error.usage.input == USAGES["claude"].input


def test_claude_is_not_a_part_of_a_session_around_the_host(tmp_path: Path) -> None:
    stage = played("claude", tmp_path, [plain_run("claude")])
    stage.ask(
        Situation("inside", environment={"CLAUDECODE": "1", "CLAUDE_CODE_ENTRYPOINT": "cli", "OTHER": "x"})
    )
    variables = calls(tmp_path)[0]["variables"]
    assert not {"CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT"} & variables.keys()
    assert variables["OTHER"] == "x"
    assert variables["DISABLE_AUTOUPDATER"] == "1"


def test_a_file_that_a_prompt_of_claude_mentions_is_not_read_for_it(tmp_path: Path) -> None:
    stage = played("claude", tmp_path, [plain_run("claude")])
    stage.ask(PLAIN)
    assert calls(tmp_path)[0]["variables"]["CLAUDE_CODE_DISABLE_ATTACHMENTS"] == "1"

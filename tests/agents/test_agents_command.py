"""Any program as an agent."""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host.agents import AgentAnswer, AgentCall, AgentError, asking, parse_agent
from flowcage.host.agents.answer import Progress
from flowcage.host.agents.errors import ShareTooSmall
from flowcage.host.agents.form import prompt_of
from flowcage.host.agents.programs.command import command_agent
from flowcage.host.agents.settings import AgentSettings

from ..host.checkers import Recorded

WORD = {"type": "object", "required": ["word"], "properties": {"word": {"type": "string", "minLength": 1}}}


def agent_program(folder: Path, code: str) -> str:
    """A program whose `prompt`, `options` and `tries` are ready; `tries` counts its runs from 1."""
    prelude = f"""
import json, os, sys
prompt = sys.stdin.buffer.read().decode()
options = json.loads(os.environ["FLOWCAGE_OPTIONS"] or open(os.environ["FLOWCAGE_OPTIONS_FILE"]).read())
with open({str(folder / "prompts")!r}, "a", encoding="utf-8") as prompts:
    prompts.write(json.dumps(prompt) + "\\n")
tries = open({str(folder / "prompts")!r}, encoding="utf-8").read().count("\\n")
"""
    program = folder / "agent.py"
    program.write_text(prelude + code, encoding="utf-8")
    return f"command:{shlex.join([sys.executable, '-I', '-X', 'utf8', str(program)])}"


def prompts(folder: Path) -> list[str]:
    return [json.loads(line) for line in (folder / "prompts").read_text(encoding="utf-8").splitlines()]


def ask(spec: str, prompt: str = "hi", options: Any = None, timeout_s: float = 60.0) -> AgentAnswer:
    """Ask, and once more with what was wrong where the answer does not fit the schema."""
    agent, schemas = parse_agent(spec, timeout_s=timeout_s), Recorded().checks

    async def main() -> AgentAnswer:
        problem = refused = None
        for _ in range(2):
            call = AgentCall("7", prompt, options or {}, problem, refused=refused)
            reply = await asking.ask(agent, call, schemas=schemas, max_bytes=8_000_000)
            if reply.problem is None:
                return reply.answer
            problem, refused = reply.problem, reply.text
        raise AgentError(problem or "")

    try:
        return trio.run(main)
    finally:
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


def refusal(spec: str, prompt: str = "hi", options: Any = None, timeout_s: float = 60.0) -> str:
    with pytest.raises(AgentError) as caught:
        ask(spec, prompt, options, timeout_s)
    return str(caught.value)


def test_the_prompt_goes_to_stdin_and_stdout_is_the_answer() -> None:
    assert ask("command:cat", "naïve 🐋\nline two\0") == AgentAnswer("naïve 🐋\nline two\0", tokens=0)


def test_options_and_id_are_in_the_environment_beside_the_hosts_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARK", "of the host")
    spec = agent_program(
        tmp_path, "print(json.dumps([options, os.environ['FLOWCAGE_REQUEST_ID'], os.environ['MARK']]))"
    )
    options = {"label": "größe 🐋 \u0000", "phase": None, "lone": "\ud800"}
    answer = ask(spec, options=options)
    assert json.loads(answer.value) == [options, "7", "of the host"]


def test_a_program_is_told_what_became_of_its_attempt_before(tmp_path: Path) -> None:
    names = ("IDEMPOTENCY_KEY", "INTERRUPTED", "HANDLE")
    spec = agent_program(tmp_path, f"print([os.environ['FLOWCAGE_' + name] for name in {names}])")
    agent = parse_agent(spec, timeout_s=60)
    first = AgentCall("7", "p", {}, run_id="r")
    second = replace(first, interrupted=True, handle="größe 7")

    assert trio.run(agent, first).value == "['r/7/1', '', '']"
    assert trio.run(agent, second).value == "['r/7/1', '1', 'größe 7']"


def test_a_program_is_told_which_call_it_answers(tmp_path: Path) -> None:
    names = ("RUN_ID", "REQUEST_ID", "LABEL", "PHASE", "ATTEMPT", "IDEMPOTENCY_KEY", "SESSION_ID", "MODEL")
    spec = agent_program(tmp_path, f"print(json.dumps([os.environ['FLOWCAGE_' + name] for name in {names}]))")
    options = {"label": "größe\0 \ud800", "model": "opus"}
    call = AgentCall("7", "p", options, run_id="c", root_run_id="r", phase="Plan", attempt=3, session="s-1")
    told = json.loads(trio.run(parse_agent(spec, timeout_s=60), call).value)
    assert told == ["r", "7", "größe\ufffd ?", "Plan", "3", "r/7/3", "s-1", "opus"]

    without = json.loads(trio.run(parse_agent(spec, timeout_s=60), AgentCall("7", "p", {}, run_id="r")).value)
    assert without == ["r", "7", "", "", "1", "r/7/1", "", ""]


def test_texts_of_variables_are_cut_at_8_kib_and_between_characters(tmp_path: Path) -> None:
    code = (
        "print(json.dumps([os.environ['FLOWCAGE_' + name] for name in ('LABEL', 'MODEL', 'OPTIONS_FILE')]))"
    )
    options = {"label": "x" + "ö" * 5_000, "model": "m" * 8_192}
    call = AgentCall("7", "p", options, run_id="r")
    told = json.loads(trio.run(parse_agent(agent_program(tmp_path, code), timeout_s=60), call).value)
    assert told == ["x" + "ö" * 4_095, "m" * 8_192, ""]


def test_the_path_of_a_program_is_one_from_the_hosts_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "agent").write_text("#!/bin/sh\npwd")
    (tmp_path / "agent").chmod(0o700)
    monkeypatch.chdir(tmp_path)
    agent = parse_agent("command:./agent", timeout_s=60)
    assert trio.run(agent, AgentCall("7", "p", {}, folder="/")).value == "/"


def test_a_program_is_told_what_the_type_of_its_agent_says_and_what_is_left_to_spend(tmp_path: Path) -> None:
    names = ("TOOLS", "TOKENS_LEFT", "COST_LEFT")
    code = f"print(json.dumps([prompt, *(os.environ['FLOWCAGE_' + name] for name in {names})]))"
    agent = parse_agent(agent_program(tmp_path, code), timeout_s=60)
    call = AgentCall("7", "p", {}, instructions="Be brief.", tools=("Read",), tokens_left=12, cost_left=1e-5)
    assert json.loads(trio.run(agent, call).value) == ["Be brief.\n\np", '["Read"]', "12", "0.000010"]
    without = json.loads(trio.run(agent, AgentCall("7", "p", {}, tools=())).value)
    assert without == ["p", "[]", "", ""]


def test_a_program_that_gives_no_sign_of_life_is_an_error() -> None:
    agent = parse_agent("command:sleep 1000", settings=AgentSettings(idle_timeout_s=0.2))
    with pytest.raises(
        AgentError, match=r"^agent program 'sleep' gave no sign of life for 0\.2 s and was killed$"
    ):
        trio.run(agent, AgentCall("7", "p", {}))


def test_keys_of_the_environment_are_in_no_error_and_in_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "as-secret-as-this")
    code = 'echo "$SOME_API_KEY" >&2; echo "{\\"progress\\": \\"has $SOME_API_KEY\\"}" >&3; exit 1'
    heard: list[Progress] = []
    with pytest.raises(AgentError, match=r"exited with status 1: \[redacted\]$"):
        trio.run(
            command_agent(["sh", "-c", code], timeout_s=60), AgentCall("7", "p", {}, watcher=heard.append)
        )
    assert heard == [Progress("has [redacted]")]


def test_texts_that_no_variable_can_hold_are_cut(tmp_path: Path) -> None:
    spec = agent_program(tmp_path, "print(len(os.environ['FLOWCAGE_LABEL'].encode()))")
    assert ask(spec, options={"label": "aö" * 100_000}).value == "8191"


def test_long_options_are_in_a_file_that_is_removed_afterwards(tmp_path: Path) -> None:
    code = """
path = os.environ["FLOWCAGE_OPTIONS_FILE"]
mode, length = os.stat(path).st_mode & 0o777, len(options["context"])
print(json.dumps([os.environ["FLOWCAGE_OPTIONS"], path, mode, length]))
"""
    options = {"context": "ö" * 4_000_000}
    variable, path, mode, length = json.loads(ask(agent_program(tmp_path, code), options=options).value)
    assert (variable, mode, length) == ("", 0o600, 4_000_000)
    assert not Path(path).exists()


@pytest.mark.parametrize("end", ["sys.exit(1)", "os.unlink(os.environ['FLOWCAGE_OPTIONS_FILE'])"])
def test_the_file_is_removed_however_the_program_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    spec, folder = agent_program(tmp_path, end), tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    if end == "sys.exit(1)":
        refusal(spec, options={"context": "x" * 100_000})
    else:
        ask(spec, options={"context": "x" * 100_000})
    assert not list(folder.iterdir())


def test_options_for_which_no_file_can_be_made_are_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    assert refusal("command:cat", options={"context": "x" * 100_000}) == (
        "agent program 'cat' could not be started: its 100014 bytes of options cannot be written to a file:"
        " No such file or directory"
    )


def test_the_folder_of_the_call_is_the_programs(tmp_path: Path) -> None:
    agent = parse_agent("command:pwd", timeout_s=60)
    assert trio.run(agent, AgentCall("7", "p", {}, folder=str(tmp_path))).value == str(tmp_path)
    with pytest.raises(AgentError, match="'pwd' could not be started: in its folder: No such file"):
        trio.run(agent, AgentCall("7", "p", {}, folder=str(tmp_path / "none")))


def test_without_options_the_variable_is_an_empty_object(tmp_path: Path) -> None:
    assert ask(agent_program(tmp_path, "print(options)")).value == "{}"


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("a\n", "a"),
        ("a", "a"),
        ("a\n\n", "a\n"),
        ("a\r\n", "a"),
        ("\ufeffa", "a"),
        ("\n", ""),
        ("", ""),
        (" a ", " a "),
    ],
)
def test_one_newline_at_the_end_is_not_part_of_the_answer(tmp_path: Path, written: str, answer: str) -> None:
    spec = agent_program(tmp_path, f"sys.stdout.buffer.write({written.encode()!r})")
    assert ask(spec).value == answer


def test_a_lone_surrogate_in_the_prompt_becomes_a_question_mark() -> None:
    assert ask("command:cat", "a\ud800b").value == "a?b"


def test_an_answer_that_is_not_utf_8_is_an_error_that_names_the_program() -> None:
    assert "agent program 'printf' answered with bytes that are not UTF-8" in refusal(
        r"command:printf '\377'"
    )


def test_a_program_that_fails_is_an_error_with_status_and_what_it_said(tmp_path: Path) -> None:
    spec = agent_program(tmp_path, "sys.stderr.write('\\x1b[31mno quota\\x1b[0m\\n'); sys.exit(9)")
    assert refusal(spec) == f"agent program {Path(sys.executable).name!r} exited with status 9: no quota"


def test_a_program_that_does_not_exist_is_an_error_that_names_it() -> None:
    assert refusal("command:no-such-agent --fast") == (
        "agent program 'no-such-agent' could not be started: No such file or directory"
    )


def test_a_program_that_takes_too_long_is_an_error() -> None:
    assert (
        refusal("command:sleep 1000", timeout_s=0.2)
        == "agent program 'sleep' took longer than 0.2 s and was killed"
    )


def test_with_a_schema_the_answer_is_parsed(tmp_path: Path) -> None:
    spec = agent_program(
        tmp_path, "print(json.dumps({'word': prompt[:5], 'seen': options['schema']['required']}))"
    )
    assert ask(spec, "whale", {"schema": WORD}).value == {"word": "whale", "seen": ["word"]}
    assert prompts(tmp_path) == [prompt_of(AgentCall("7", "whale", {"schema": WORD}))]


@pytest.mark.parametrize(
    "written", ['\ufeff{"word": "x"}', 'Sure!\n```json\n{"word": "x"}\n```\n', 'It {is} {"word": "x"}.']
)
def test_with_a_schema_the_answer_may_have_a_fence_a_mark_or_prose_around_it(
    tmp_path: Path, written: str
) -> None:
    assert ask(agent_program(tmp_path, f"print({written!r})"), options={"schema": WORD}).value == {
        "word": "x"
    }
    assert len(prompts(tmp_path)) == 1


def test_without_a_schema_json_stays_text() -> None:
    assert ask("command:cat", '{"word": "x"}', {"schema": None}).value == '{"word": "x"}'


@pytest.mark.parametrize(
    ("first", "problem"),
    [
        ("Sure! Here it is:", "it is not JSON: Expecting value"),
        ("", "it is not JSON: Expecting value"),
        ('{"word": NaN}', "it is not JSON: NaN is not JSON"),
        ("[" * 600, "it is not JSON: nested more than 512 levels deep"),
        ('{"word":""}', '/word: "" is shorter than 1 character'),
        ("{}", '(root): "word" is a required property'),
        ('{"word": "a"} or {"word": "b"}', "it is not JSON: there are several values"),
    ],
)
def test_a_wrong_answer_is_tried_once_more_with_what_was_wrong(
    tmp_path: Path, first: str, problem: str
) -> None:
    spec = agent_program(tmp_path, f"print({first!r} if tries == 1 else json.dumps(dict(word='ok')))")
    assert ask(spec, "Name a whale", {"schema": WORD}).value == {"word": "ok"}
    asked = prompts(tmp_path)
    assert asked[0].startswith("Name a whale\n\nAnswer with one JSON value")
    assert asked[1].startswith(f"{asked[0]}\n\nYour last answer was:\n\n{first}")
    assert f"Your last answer was refused: {problem}" in asked[1]
    assert len(asked) == 2


def test_two_wrong_answers_are_an_error_with_the_last_reason(tmp_path: Path) -> None:
    spec = agent_program(tmp_path, "print('{}' if tries == 1 else '{\"word\": 5}')")
    assert refusal(spec, options={"schema": WORD}) == ('/word: 5 is not of type "string"')
    assert len(prompts(tmp_path)) == 2


def test_a_program_that_fails_is_not_tried_again(tmp_path: Path) -> None:
    assert "exited with status 1" in refusal(agent_program(tmp_path, "sys.exit(1)"), options={"schema": WORD})
    assert len(prompts(tmp_path)) == 1


@pytest.mark.parametrize(
    "schema", ["text", {"type": "text"}, {"$ref": "http://127.0.0.1:9/"}, {"pattern": "("}]
)
def test_a_wrong_schema_is_an_error_before_the_program_runs(tmp_path: Path, schema: Any) -> None:
    message = refusal(agent_program(tmp_path, "print('{}')"), options={"schema": schema})
    assert message.startswith("options.schema ")
    assert not (tmp_path / "prompts").exists()


def test_a_schema_with_references_and_patterns_is_applied_too(tmp_path: Path) -> None:
    schema = {"$ref": "#/$defs/id", "$defs": {"id": {"type": "string", "pattern": "^w-[0-9]+$"}}}
    spec = agent_program(tmp_path, "print(json.dumps('w' if tries == 1 else 'w-1'))")
    assert ask(spec, options={"schema": schema}).value == "w-1"
    assert '(root): "w" does not match "^w-[0-9]+$"' in prompts(tmp_path)[1]


def test_a_program_that_tells_more_than_its_share_is_ended(tmp_path: Path) -> None:
    script = tmp_path / "a.py"
    script.write_text(
        'import os, signal\nos.write(3, b\'{"costUsd": 0.25}\\n{"costUsd": 0.75}\\n\')\nsignal.pause()'
    )
    argv = [sys.executable, "-IS", str(script)]
    asked = AgentCall("1", "p", {}, cost_left=0.5, is_held=True)
    with pytest.raises(ShareTooSmall, match=r"has spent more than its share") as used_up:
        trio.run(command_agent(argv, timeout_s=60, keeps_to_share=True), asked)
    assert (used_up.value.cost_usd, used_up.value.needs_usd) == (0.75, 0.0)
    with pytest.raises(ShareTooSmall, match="cannot be held") as refused:
        trio.run(command_agent(argv, timeout_s=60), asked)
    assert (refused.value.cost_usd, refused.value.needs_usd, refused.value.needs_tokens) == (None, None, 0)

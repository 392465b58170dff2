"""Types of agents: found in folders, applied to calls, refused where something in them cannot be followed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.agents import AgentAnswer, AgentCall, AgentTypes, OptionNotHonoured, TypesFolder, typed
from flowcage.host.agents.types import folders
from flowcage.host.agents.types.agent_type import BUILT_IN
from flowcage.host.agents.types.errors import UnknownAgentType
from flowcage.host.agents.types.folders import MAX_FILES

REVIEWER = """---
name: reviewer
description: Use when: a change is there
tools: Read, Bash(git log:*, git diff)
model: opus
effort: high
isolation: worktree
---
Review strictly.
"""


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def asked(types: AgentTypes, **options: Any) -> AgentCall:
    """What the agent is asked by a call with these options."""
    calls = []

    async def agent(call: AgentCall) -> AgentAnswer:
        calls.append(call)
        return AgentAnswer("fine")

    assert trio.run(typed(agent, types), AgentCall("1", "x", options)).value == "fine"
    return calls[0]


def refusal(types: AgentTypes, name: Any) -> str:
    with pytest.raises(OptionNotHonoured) as caught:
        asked(types, agentType=name)
    return str(caught.value)


def test_a_type_gives_instructions_tools_and_options_that_the_call_lacks(tmp_path: Path) -> None:
    write(tmp_path, "sub/any.md", REVIEWER)
    types = AgentTypes([TypesFolder(tmp_path)])
    call = asked(types, agentType="reviewer", label="a", effort="low", model=None)
    assert call.instructions == "Review strictly."
    assert call.tools == ("Read", "Bash(git log:*, git diff)")
    assert call.options == {"label": "a", "effort": "low", "model": "opus", "isolation": "worktree"}


def test_a_call_without_a_type_is_passed_on_as_it_is(tmp_path: Path) -> None:
    assert asked(AgentTypes([TypesFolder(tmp_path / "none")]), label="a").options == {"label": "a"}


@pytest.mark.parametrize(
    ("line", "tools"),
    [
        ("tools: [Read, Grep]", ("Read", "Grep")),
        ("tools:\n- Read", ("Read",)),
        ("tools: []", ()),
        ("tools: '*'", None),
        ("model: inherit", None),
    ],
)
def test_tools(tmp_path: Path, line: str, tools: Any) -> None:
    write(tmp_path, "a.md", f"---\n{line}\n---\n")
    call = asked(AgentTypes([TypesFolder(tmp_path)]), agentType="a")
    assert (call.tools, call.instructions, call.model) == (tools, None, None)


def test_earlier_folders_have_precedence_and_all_before_what_is_built_in(tmp_path: Path) -> None:
    write(tmp_path / "one", "a.md", "---\nname: a\n---\nfirst")
    write(tmp_path / "two", "b.md", "---\nname: a\n---\nsecond")
    write(tmp_path / "two", "Plan.md", "---\ntools: Read\n---\nmine")
    types = AgentTypes([TypesFolder(tmp_path / "one"), TypesFolder(tmp_path / "two")])
    assert asked(types, agentType="a").instructions == "first"
    assert asked(types, agentType="Plan").instructions == "mine"
    assert asked(types, agentType="Explore").tools == ("Read", "Grep", "Glob")
    assert asked(types, agentType="general-purpose").tools is None


def test_an_unknown_type_is_refused_with_those_there_are(tmp_path: Path) -> None:
    write(tmp_path, "reviewer.md", REVIEWER)
    told = refusal(AgentTypes([TypesFolder(tmp_path)]), "reviwer")
    assert "there is no agentType 'reviwer'; did you mean 'reviewer'?" in told
    assert "known are Explore, Plan, general-purpose, reviewer" in told


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "sub/../../secret", "secret", "..", "", "a\0b"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    write(tmp_path, "secret.md", "---\n---\nhidden")
    write(tmp_path / "in", "a.md", REVIEWER)
    assert "there is no agentType" in refusal(AgentTypes([TypesFolder(tmp_path / "in")]), name)


@pytest.mark.parametrize("name", [True, ["a"], {}, 3])
def test_what_is_no_name_is_refused(name: Any) -> None:
    assert "must be the name of a type" in refusal(AgentTypes(), name)


def test_links_do_not_lead_out_of_a_project_but_may_in_a_folder_of_ones_own(tmp_path: Path) -> None:
    secret = write(tmp_path / "home", "secret.md", "---\nname: secret\n---\nhidden")
    project = tmp_path / "project"
    for folder in ("file", "below"):
        (project / folder).mkdir(parents=True)
    (project / "file" / "secret.md").symlink_to(secret)
    (project / "below" / "sub").symlink_to(secret.parent)
    (project / "whole").symlink_to(secret.parent)
    for folder in ("file", "below", "whole"):
        own = AgentTypes([TypesFolder(project / folder)])
        assert asked(own, agentType="secret").instructions == "hidden"
        hostile = AgentTypes([TypesFolder(project / folder, within=project)])
        assert "secret" not in hostile.names
        assert "hidden" not in refusal(hostile, "secret")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"no front matter", "bad.md:1: expected '---'"),
        (
            b"---\nname: bad\npermissionMode: bypassPermissions\n---",
            "bad.md: 'permissionMode' is not followed",
        ),
        (b"---\ndisallowedTools: Bash\n---", "bad.md: 'disallowedTools' is not followed"),
        (b"---\ntols: Read\n---", "did you mean 'tools'"),
        (b"---\nmodel: [a]\n---", "'model' must be a text, not ['a']"),
        (b"---\ntools:\n---", "'tools' is empty"),
        (b"---\ntools: Read,,Grep\n---", "'tools' has a name that is empty"),
        (b"---\nname: \xff\n---", "bad.md: is not UTF-8"),
        (b"---\n---\n" + b"x" * 70_000, "is longer than 65536 bytes"),
    ],
)
def test_a_file_that_cannot_be_followed_spoils_its_own_type_only(
    tmp_path: Path, text: bytes, why: str
) -> None:
    (tmp_path / "bad.md").write_bytes(text)
    write(tmp_path, "good.md", REVIEWER)
    types = AgentTypes([TypesFolder(tmp_path)])
    assert asked(types, agentType="reviewer").model == "opus"
    assert why in refusal(types, "bad")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("long", f"---\nname: {'n' * 50_000}\n---\n"),
        ("key", f"---\n{'k' * 50_000}: x\n---\n"),
        ("tools", f"---\ntools: '{'a,' * 20_000}'\n---\n"),
    ],
)
def test_a_long_text_of_a_file_is_not_in_messages(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / f"{name}.md").write_text(text)
    types = AgentTypes([TypesFolder(tmp_path)])
    for asked in (name, "another"):
        with pytest.raises(UnknownAgentType) as caught:
            types.find(asked)
        assert len(str(caught.value)) < 600


def test_two_files_for_one_type_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.md", REVIEWER)
    write(tmp_path, "b.md", REVIEWER)
    assert "there are two files for it" in refusal(AgentTypes([TypesFolder(tmp_path)]), "reviewer")


def test_a_pipe_in_the_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    assert "is not a regular file" in refusal(AgentTypes([TypesFolder(tmp_path)]), "pipe")


def test_what_is_wrong_with_a_file_does_not_say_where_the_folder_lies(tmp_path: Path) -> None:
    write(tmp_path / ".claude" / "agents", "bad.md", "x")
    told = refusal(AgentTypes([TypesFolder(tmp_path / ".claude" / "agents")]), "bad")
    assert told.startswith("agentType 'bad' cannot be used: .claude/agents/bad.md:1: expected")


def test_a_folder_is_searched_up_to_a_number_of_levels(tmp_path: Path) -> None:
    write(tmp_path / "1/2/3/4", "reached.md", "---\n---\n")
    write(tmp_path / "1/2/3/4/5", "deep.md", "---\n---\n")
    names = AgentTypes([TypesFolder(tmp_path)]).names
    assert "reached" in names
    assert "deep" not in names


def test_so_many_files_of_a_folder_are_read_and_no_more(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 2):
        write(tmp_path, f"{number}.md", "---\n---\n")
    assert len(AgentTypes([TypesFolder(tmp_path)]).names) == MAX_FILES + len(BUILT_IN)


def test_so_many_entries_of_a_folder_are_looked_at_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MAX_ENTRIES", 50)
    for number in range(60):
        write(tmp_path, f"{number}.md", "---\n---\n")
    assert len(AgentTypes([TypesFolder(tmp_path)]).names) == 50 + len(BUILT_IN)

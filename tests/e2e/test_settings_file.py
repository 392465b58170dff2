"""Files of settings: what they say, what is wrong in them by key, and which of them may say it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from flowcage.host.cli.input_files import InputError
from flowcage.host.cli.setup.choice import choose
from flowcage.host.cli.setup.files import find_files, require_trust
from flowcage.host.cli.setup.places import agent_types, project_file, project_folders
from flowcage.host.cli.setup.settings_file import Settings, read_settings

WHOLE = """
agent = "command:cat"
[models]
opus = "gpt-5.6"
"with space" = "x"
[agents.command]
model = "m"
timeout = 5
idle_timeout = 0.5
nested = { list = [1, "a", true], table = { deep = 1.5 } }
[[route]]
label = "verify:*"
phase = "Review"
agentType = "r"
agent = "mock"
"""
TRUSTED_ONLY = {
    "agent": 'agent = "mock"',
    "agents": "[agents.mock]\nx = 1",
    "route": '[[route]]\nlabel="a"\nagent="mock"',
}


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file, which is not there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "flowcage" / "flowcage.toml"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a folder ``in/it``."""
    (tmp_path / "project" / ".git").mkdir(parents=True)
    (tmp_path / "project" / "in" / "it").mkdir(parents=True)
    return tmp_path / "project"


def given(**options: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("agent", "fixtures"))
    return {**nothing, "model_words": (), "trust_project": False, "ignore_project": False, **options}


def test_a_whole_file(tmp_path: Path) -> None:
    path = write(tmp_path / "f.toml", WHOLE)
    nested = {"list": [1, "a", True], "table": {"deep": 1.5}}
    assert read_settings(path, follows_links=False) == Settings(
        path,
        "command:cat",
        {"opus": "gpt-5.6", "with space": "x"},
        {"command": {"model": "m", "timeout": 5, "idle_timeout": 0.5, "nested": nested}},
        ({"label": "verify:*", "phase": "Review", "agentType": "r", "agent": "mock"},),
    )
    assert read_settings(write(path, ""), follows_links=False) == Settings(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'agnet = "mock"',
            "agnet: there is no such key; did you mean 'agent' or 'agents'?; known are agent, models",
        ),
        ("agent = 3", "agent: expected a text, not 3"),
        ('agent = " "', "agent: expected a text, not ' '"),
        ("models = 3", "models: expected a table, not 3"),
        ("[models]\nopus = 1", "models.opus: expected a text, not 1"),
        ("[agents.cluade]", "agents.cluade: there is no such agent"),
        ("[agents.mok]", "agents.mok: there is no such agent; did you mean 'mock'?"),
        ("[agents.mock]\ntimeout = 0", "agents.mock.timeout: expected seconds above 0, or a length"),
        ("[agents.mock]\ntimeout = true", "agents.mock.timeout: expected seconds above 0"),
        ("[agents.mock]\nidle_timeout = nan", "agents.mock.idle_timeout: expected"),
        ("[agents.mock]\nmodel = []", "agents.mock.model: expected a text"),
        ("[agents.mock]\nx = { y = [2024-01-01] }", "agents.mock.x.y[0]: expected a text, a number"),
        ("agents.mock = 1", "agents.mock: expected a table"),
        ("[route]", "route: expected a list"),
        ('[[route]]\nlabel = "a"', "route[0]: expected `agent` and a pattern"),
        ('[[route]]\nagent = "mock"', "route[0]: expected `agent` and a pattern"),
        (
            '[[route]]\nlabel = "a"\nagent = "mock"\n[[route]]\nlable = "a"\nagent = "b"',
            "route[1].lable: there is",
        ),
        ('trusted = "/a"', "trusted: expected a list"),
        ('trusted = ["."]', "trusted[0]: expected a path that begins with / or ~, not '.'"),
        ("agent = ", "is not TOML: Invalid value (at"),
        (b"agent = '\xff'", "is not UTF-8"),
        ("a = " + "[" * 20_000, "is nested too deeply"),
        ("a = " + "9" * 5_000, "is not TOML: Exceeds the limit (4300"),
        (".".join(["a"] * 30_000) + " = 1", "is longer than 32768 bytes"),
        ("a" * 10_000 + " = 1", "a" * 80 + ": there is no such key"),
        ("#" * (32 * 1024 + 1), "is longer than 32768 bytes"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_the_key(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "f.toml", text)
    with pytest.raises(InputError) as caught:
        read_settings(path, follows_links=False)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_the_project_is_looked_for_up_to_the_root_of_its_repository(project: Path) -> None:
    inner = project / "in" / "it"
    write(project.parent / "flowcage.toml", "")
    assert project_folders(inner) == [inner, project / "in", project]
    assert project_file(inner) is None
    outer = write(project / "flowcage.toml", "")
    assert project_file(inner) == outer
    nearer = write(project / "in" / "flowcage.toml", "")
    assert project_file(inner) == nearer


def test_without_a_repository_only_the_folder_itself_counts(tmp_path: Path) -> None:
    write(tmp_path / "flowcage.toml", "")
    (tmp_path / "in").mkdir()
    assert project_file(tmp_path / "in") is None
    assert project_file(tmp_path) == tmp_path / "flowcage.toml"


def test_options_come_before_the_project_and_that_before_the_user(user: Path, project: Path) -> None:
    text = (
        'agent = "command:{0}"\n[models]\n{1}\n[agents.mock]\n{2}\n[[route]]\nlabel = "{0}"\nagent = "mock"'
    )
    write(user, text.format("user", 'a = "u"\nb = "u"\nc = "u"', "x = 1\ny = 1"))
    write(project / "flowcage.toml", text.format("project", 'b = "p"\nc = "p"', "y = 2"))
    found = given(model_words=("c=o", "default"), trust_project=True)
    assert choose(project / "in", found) is None
    assert found["agent"] == "command:project"
    assert found["model"] == "default"
    assert found["models"] == {"a": "u", "b": "p", "c": "o"}
    assert found["tables"] == {"mock": {"x": 1, "y": 2}}
    assert [each["label"] for each in found["routes"]] == ["project", "user"]
    found = given(agent="command:option", trust_project=True)
    choose(project, found)
    assert found["agent"] == "command:option"
    found = given(ignore_project=True)
    choose(project, found)
    assert (found["agent"], found["models"]["b"]) == ("command:user", "u")


def test_fixtures_are_those_of_mock_and_so_choose_it(user: Path, project: Path) -> None:
    write(user, 'agent = "command:user"')
    found = given(fixtures=Path("f.json"))
    choose(project, found)
    assert found["agent"] == "mock"
    assert Path(found["fixtures"]).is_absolute()


@pytest.mark.parametrize("key", TRUSTED_ONLY)
def test_a_project_does_not_say_who_answers_unless_it_is_trusted(user: Path, project: Path, key: str) -> None:
    write(
        project / "flowcage.toml",
        TRUSTED_ONLY[key],
    )
    with pytest.raises(InputError, match=rf"flowcage.toml: `{key}` would say who answers.*--trust-project"):
        choose(project, given())
    choose(project, given(trust_project=True))
    choose(project, given(ignore_project=True))
    write(user, f'trusted = ["{project.parent}/project/"]')
    choose(project, given())
    write(user, f'trusted = ["{project}-other"]')
    with pytest.raises(InputError, match="--trust-project"):
        choose(project, given())


def test_what_an_option_overrides_needs_no_trust_and_neither_do_aliases(user: Path, project: Path) -> None:
    write(project / "flowcage.toml", 'agent = "command:evil"\n[models]\na = "b"')
    found = given(agent="mock")
    choose(project, found)
    assert (found["agent"], found["models"]) == ("mock", {"a": "b"})
    assert not user.exists()


def test_aliases_of_a_project_that_is_not_trusted_do_not_change_what_the_user_has_chosen(
    user: Path, project: Path
) -> None:
    text = 'small = "u"\n[agents.anthropic]\nmodel = "table"\n[[route]]\nlabel = "a"\nagent = "openai:pin"'
    write(user, f'agent = "anthropic"\n[models]\n{text}')
    names = ("small", "pin", "table", "default", "free")
    write(project / "flowcage.toml", "[models]\n" + "\n".join(f'{name} = "dear"' for name in names))
    found = given(model_words=("default",))
    choose(project, found)
    assert found["models"] == {"small": "u", "free": "dear"}
    found = given(model_words=("default",), trust_project=True)
    choose(project, found)
    assert found["models"] == dict.fromkeys(names, "dear")


def test_a_project_cannot_trust_itself(user: Path, project: Path) -> None:
    path = write(project / "flowcage.toml", 'trusted = ["/"]')
    for trusts in (False, True):
        with pytest.raises(InputError, match=f"trusted: only your own file may say so, {user}"):
            find_files(path.parent, trusts=trusts)


def test_a_trusted_folder_that_is_a_link_elsewhere_trusts_what_it_leads_to(user: Path, project: Path) -> None:
    write(project / "flowcage.toml", 'agent = "mock"')
    link = project.parent / "link"
    link.symlink_to(project)
    write(user, f'trusted = ["{link}"]')
    require_trust(find_files(project), agent_is_given=False)
    write(user, f'trusted = ["{project.parent}/honest"]')
    (project.parent / "honest").mkdir()
    (project.parent / "honest" / "in").symlink_to(project)
    with pytest.raises(InputError, match="--trust-project"):
        require_trust(find_files(project.parent / "honest" / "in"), agent_is_given=False)


def test_a_project_that_is_not_trusted_has_no_file_that_is_a_link(user: Path, project: Path) -> None:
    secret = write(user.parent / "secret.toml", "password = 'x'")
    (project / "flowcage.toml").symlink_to(secret)
    with pytest.raises(InputError) as caught:
        choose(project, given())
    assert str(caught.value) == f"{project}/flowcage.toml: is a symbolic link, which is not followed here"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("",), "expected MODEL, or ALIAS=MODEL"),
        (("=x",), "expected MODEL, or ALIAS=MODEL"),
        (("opus=",), "expected MODEL, or ALIAS=MODEL"),
        (("a", "b"), "is given twice, as 'a' and as 'b'"),
        (("a=1", "a=2"), "is given twice, with '1' and '2'"),
    ],
)
def test_models_that_cannot_be_meant(user: Path, project: Path, words: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"--model .*{message}"):
        choose(project, given(model_words=words))
    assert not user.exists()


def test_types_of_a_home_that_is_a_repository_are_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".git").mkdir()
    elsewhere = write(tmp_path / "dotfiles" / "mine.md", "---\n---\nhi")
    (tmp_path / ".claude" / "agents").mkdir(parents=True)
    (tmp_path / ".claude" / "agents" / "mine.md").symlink_to(elsewhere)
    monkeypatch.chdir(tmp_path)
    assert agent_types(tmp_path).find("mine").instructions == "hi"


def test_types_are_looked_for_in_the_project_of_the_workflow_then_where_the_command_is_run_then_at_home(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    places = [
        project / "in" / ".flowcage",
        project / "in" / ".claude",
        project / ".claude",
        tmp_path / "other" / ".claude",
        tmp_path / "config" / "flowcage",
        tmp_path / "home" / ".claude",
    ]
    for number, place in reversed(list(enumerate(places))):
        write(place / "agents" / "a.md", f"---\nname: a\n---\n{number}")
        assert agent_types(project / "in").find("a").instructions == str(number)


def test_a_user_without_a_home_has_no_settings_of_their_own(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for a user id that nobody knows
    monkeypatch.chdir(project)
    write(project / "~" / ".config" / "flowcage" / "flowcage.toml", 'agent = "command:evil"')
    secret = write(project.parent / "secret.md", "---\n---\nhidden")
    write(project / "~" / ".claude" / "agents" / "a.md", "---\n---\n").unlink()
    (project / "~" / ".claude" / "agents" / "a.md").symlink_to(secret)
    assert find_files(project).all == ()
    assert "a" not in agent_types(project).names


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_settings_in_the_home_of_another_user_are_an_error_that_says_so(user: Path, project: Path) -> None:
    write(user, 'agent = "mock"')
    user.parent.chmod(0o700)
    os.seteuid(65_534)
    try:
        with pytest.raises(InputError) as caught:
            find_files(project)
    finally:
        os.seteuid(0)
    assert str(caught.value) == (
        f"{user}: Permission denied; if HOME or XDG_CONFIG_HOME is a folder of another user, "
        "set it to one of your own"
    )

"""docs/durable.md is true where a program can tell: its commands, their options, and the states."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from flowcage.host.cli.main import cli
from flowcage.host.cli.runs.looking.listing import STATES

PAGE = (Path(__file__).parents[2] / "docs" / "durable.md").read_text()
CLUSTER = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text()
LOOKING = (Path(__file__).parents[2] / "docs" / "looking.md").read_text()
CODE = re.findall(r"`(flowcage [^`]*)`", PAGE) + re.findall(r"^(flowcage .*?)(?:  #.*)?$", PAGE, re.MULTILINE)
# Of one row of the table of commands: the command, and what is said of it.
ROWS = re.findall(r"^\| (`flowcage .*?`) \| (.*) \|$", PAGE, re.MULTILINE)


def options_of(*words: str) -> set[str]:
    """Of a command; further words name one of a group."""
    command = cli.commands[words[0]]
    if isinstance(command, click.Group):
        command = command.commands[words[1]] if len(words) > 1 else command
    return {word for option in command.params for word in option.opts}


@pytest.mark.parametrize("words", CODE)
def test_a_command_of_the_page_is_one_and_has_its_options(words: str) -> None:
    _, *rest = words.split()
    assert {word for word in rest if word.startswith("-")} <= options_of(*rest)


def test_the_options_that_a_row_names_are_those_of_its_command() -> None:
    assert len(ROWS) > 7
    for named, told in ROWS:
        commands = re.findall(r"flowcage (\w+)", named)
        known = set().union(*(options_of(command) for command in commands)) | {"--even-if-cancelled"}
        assert set(re.findall(r"`(-[\w-]+)", told)) <= known, named


def test_all_commands_about_kept_runs_are_on_the_page_or_on_that_about_looking_at_runs() -> None:
    about_runs = {name for name in cli.commands if "--store" in options_of(name)}
    told = set(re.findall(r"flowcage (\w+)", PAGE + LOOKING + CLUSTER))
    assert about_runs - {"run", "replay", "stack", "answer", "fork", "mcp", "host"} <= told


def test_the_states_are_those_of_the_command() -> None:
    rows = re.search(r"\| state \| means \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE)
    assert rows is not None
    assert set(re.findall(r"^\| `(\w+)`", rows[1], re.MULTILINE)) == set(STATES)

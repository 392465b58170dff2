"""The options that choose an agent; apart from what carries them out, which takes long to import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from flowcage.host.cli.console import FilePath
from flowcage.host.cli.names.completion import agents

F = TypeVar("F", bound=Callable[..., Any])

_FOUND = "that of flowcage.toml, then the first of claude and codex on the PATH, then mock"
_OTHERS = (
    click.option("--model", "model_words", metavar="[ALIAS=]MODEL", multiple=True,
                 help="The model for calls that name none; or, as opus=gpt-5.6, the one for calls that name "
                 "opus. May be repeated."),
    click.option("--fixtures", type=FilePath(),
                 help="Answers of mock, by label, phase or prompt: a file of JSON or JSON Lines."),
    click.option("--base", metavar="REF",
                 help="The commit that worktrees of isolation: 'worktree' are made from.  [default: HEAD]"),
    click.option("--worktrees", type=click.Choice(["branch", "patch"]),
                 help="What becomes of the changes of an agent in a worktree.  [default: branch]"),
    click.option("--trust-project", is_flag=True,
                 help="Let the project's flowcage.toml say who answers agent(), with what permissions."),
    click.option("--ignore-project", is_flag=True, help="Do not read the project's flowcage.toml."),
)  # fmt: skip


def choosing(command: F) -> F:
    """Give a command the options that choose an agent."""
    return choosing_or(_FOUND)(command)


def choosing_or(default: str) -> Callable[[F], F]:
    """The same, of a command where somebody else answers, or nobody, unless one is chosen."""
    what = (
        "What answers agent(): claude, codex, anthropic, openai, ollama, command:CMD, or mock, which makes "
        f"answers up.  [default: {default}]"
    )
    agent = click.option("--agent", metavar="NAME[:MODEL]", shell_complete=agents, help=what)

    def give(command: F) -> F:
        for option in reversed((agent, *_OTHERS)):
            command = option(command)
        return command

    return give

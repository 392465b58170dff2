"""Completion in shells: ``flowcage completion``, and what each TAB asks for.

A shell runs the command with a variable that says what was typed. Names that a shell would read as more than
a word are left out, since bash inserts them as they are, and whoever made a folder chose them. Whatever goes
wrong, a TAB gets nothing rather than an error in the middle of what is being typed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, say
from flowcage.host.terminal.text import leave

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem, ShellComplete

Completions: TypeAlias = Callable[[click.Context, click.Parameter, str], "list[CompletionItem[Any]]"]

SHELLS = ("bash", "zsh", "fish")
_PROGRAM, _VARIABLE = "flowcage", "_FLOWCAGE_COMPLETE"
# Of a store.
_MOST_RUNS = 50
_WORD = re.compile(r"[\w@./+:-]+")
_NO_HELP = re.compile(r"[^\w@./+: -]+")


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what a shell needs to complete commands, options, names of workflows and ids of runs.

    \b
    bash   in ~/.bashrc:  source <(flowcage completion bash)
    zsh    in ~/.zshrc, after compinit:  source <(flowcage completion zsh)
    fish   flowcage completion fish > ~/.config/fish/completions/flowcage.fish
    """
    from click.shell_completion import ShellComplete, get_completion_class

    known = get_completion_class(shell)
    assert known is not None
    # Not the method of bash, which runs a bash to ask for its version.
    say(ShellComplete.source(known(Command("flowcage"), {}, _PROGRAM, _VARIABLE)).strip("\n"))


def tell_if_asked(cli: click.Command) -> None:
    """Where a shell asks what could be typed, tell it and leave."""
    instruction = os.environ.get(_VARIABLE)
    if not instruction:
        return
    with suppress(Exception):
        from click.shell_completion import get_completion_class

        known = get_completion_class(instruction.partition("_")[0])
        if known is not None and (told := _told(known(cli, {}, _PROGRAM, _VARIABLE))):
            say("\n".join(told))
    leave(exits.DONE)


def _told(shell: ShellComplete) -> list[str]:
    """What could be typed, as the shell reads it.

    Bash takes ``--agent=x`` for three words and replaces the last; zsh and fish replace the whole.
    """
    args, typed = shell.get_completion_args()
    *args, typed = _joined([*args, typed])
    option = typed[: typed.index("=") + 1] if typed.startswith("--") and "=" in typed else ""
    found = shell.get_completions(args, typed)
    for each in found if shell.name != "bash" else ():
        if each.type == "plain":
            each.value = f"{option}{each.value}"
    return [shell.format_completion(each) for each in found]


def _joined(words: list[str]) -> list[str]:
    """The words with options as they were typed."""
    found: list[str] = []
    for index, word in enumerate(words):
        of_option = index > 0 and words[index - 1].startswith("--") and word == "="
        of_value = index > 1 and words[index - 1] == "=" and words[index - 2].startswith("--")
        if of_option or of_value:
            found[-1] += word
        else:
            found.append(word)
    return found


def items(found: Iterable[tuple[str, str]], typed: str) -> list[CompletionItem[Any]]:
    """What of these can be typed, each with what is told of it.

    Args:
        found: words, and a text about each.
        typed: what they begin with.
    """
    from click.shell_completion import CompletionItem

    return [
        CompletionItem(word, help=_NO_HELP.sub(" ", told) or None)
        for word, told in found
        if word.startswith(typed) and _WORD.fullmatch(word)
    ]


def agents(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem[Any]]:
    """The agents that there are."""
    from flowcage.host.agents.spec import KNOWN_AGENTS

    return items(((name, "") for name in KNOWN_AGENTS), typed)


def runs(ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem[Any]]:
    """The newest runs of the store."""
    import trio

    from flowcage.host.cli.runs import keeping
    from flowcage.host.cli.runs.looking.summaries import standing
    from flowcage.host.durable.records import Filter, Summary

    path = keeping.place_of(ctx.params.get("store"))

    async def newest() -> list[Summary]:
        async with keeping.opened(path, read_only=True) as store:
            return await store.runs(Filter(prefix=typed, limit=_MOST_RUNS))

    # A server may be far away, and nobody waits for a TAB.
    is_here = isinstance(path, Path) and os.path.exists(path)
    found = trio.run(newest) if is_here and not typed.startswith("@") else []
    told = [(run.run_id, f"{standing(run)} {run.source_name}") for run in found]
    return items([("@last", "the newest"), *told], typed)


def runs_or_files(ctx: click.Context, param: click.Parameter, typed: str) -> list[CompletionItem[Any]]:
    """The same, and files."""
    return [files(typed), *runs(ctx, param, typed)]


def files(typed: str) -> CompletionItem[Any]:
    """What has the shell complete files. It comes before words: bash takes files where there are none."""
    from click.shell_completion import CompletionItem

    return CompletionItem(typed, type="file")

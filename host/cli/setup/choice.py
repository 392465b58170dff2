"""Who answers ``agent()``: chosen by options, then by files of settings, then by what is on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flowcage.host.agents.spec import found_program
from flowcage.host.cli.input_files import InputError
from flowcage.host.cli.setup.files import Files, find_files, require_trust
from flowcage.host.cli.setup.places import user_file_name


def choose(folder: Path, given: dict[str, Any]) -> str | None:
    """Put the choice into the options: ``agent``, ``model``, ``models``, ``routes`` and ``tables``.

    Args:
        folder: of the workflow.
        given: the options.

    Returns:
        What the user is told where they have chosen nobody; None where they have.

    Raises:
        InputError: an option or a file is wrong.
    """
    files = find_files(folder, trusts=given["trust_project"], ignores_project=given["ignore_project"])
    agent, told = "mock" if given["fixtures"] and given["agent"] is None else given["agent"], None
    require_trust(files, agent_is_given=agent is not None)
    agent = agent or next((each.agent for each in files.all if each.agent), None)
    if agent is None:
        agent, told = _found()
    given["fixtures"] = given["fixtures"] and os.path.abspath(given["fixtures"])
    given["agent"], given["tables"] = agent, _tables(files)
    given["routes"] = [dict(route) for each in files.all for route in each.routes]
    given["model"], aliases = models_of(given["model_words"])
    given["models"] = {**_aliases(files, given), **aliases}
    return told


def may_ask(source: str) -> bool:
    """Whether a workflow may ask an agent, or start another one that does."""
    return "agent" in source or "workflow" in source


def add_tables(folder: Path, given: dict[str, Any]) -> None:
    """Put the agents' tables into the options of a run that was begun before.

    No store has them. Everything else is as it was chosen then.

    Raises:
        InputError: as `choose`.
    """
    trusts, ignores = bool(given.get("trust_project")), bool(given.get("ignore_project"))
    files = find_files(folder, trusts=trusts, ignores_project=ignores)
    if files.project is not None and files.project.agents:
        require_trust(files, agent_is_given=True)
    given["tables"] = _tables(files)


def _aliases(files: Files, given: Mapping[str, Any]) -> dict[str, str]:
    """The aliases of all files.

    Those of a project that is not trusted are for names that its workflows give: they change neither the
    user's aliases nor what the user's own choices mean.
    """
    if files.is_trusted or files.project is None:
        return _merged(each.models for each in files.all)
    specs = [given["agent"], *(route["agent"] for route in given["routes"])]
    named = {spec.partition(":")[2] for spec in specs}
    named |= {given["model"], *(table.get("model") for table in given["tables"].values())}
    theirs = {alias: model for alias, model in files.project.models.items() if alias not in named}
    return {**theirs, **({} if files.user is None else files.user.models)}


def _tables(files: Files) -> dict[str, dict[str, Any]]:
    """The tables ``[agents.NAME]`` of all files; of a key that is in both, that of the project counts."""
    names = {name for each in files.all for name in each.agents}
    return {name: _merged(each.agents.get(name, {}) for each in files.all) for name in names}


def _merged(tables: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for table in tables:
        found = {**table, **found}
    return found


def models_of(words: tuple[str, ...]) -> tuple[str | None, dict[str, str]]:
    """``--model MODEL`` and ``--model ALIAS=MODEL``: the model for calls that name none, and aliases.

    Raises:
        InputError: a word is neither, or one is said twice.
    """
    default: str | None = None
    aliases: dict[str, str] = {}
    for word in words:
        alias, equals, model = word.partition("=")
        if not alias.strip() or (equals and not model.strip()):
            raise InputError(f"--model {word}: expected MODEL, or ALIAS=MODEL such as --model opus=gpt-5.6")
        if not equals:
            if default is not None:
                raise InputError(f"--model is given twice, as {default!r} and as {word!r}; give one of them")
            default = word
        elif alias in aliases:
            raise InputError(f"--model {alias}= is given twice, with {aliases[alias]!r} and {model!r}")
        else:
            aliases[alias] = model
    return default, aliases


def _found() -> tuple[str, str]:
    """The agent where nobody has chosen one, and what the user is told of it."""
    ways = f'choose by --agent, or for always by agent = "NAME" in {user_file_name()}'
    if (found := found_program()) is None:
        return "mock", (
            "note: no agent is chosen, and no program of one is on the PATH: mock makes the answers up. For "
            f"real ones, {ways}; flowcage doctor lists the agents"
        )
    name, how = found
    return name, (
        f"warning: no agent is chosen, so {name} answers, with the account that it is logged in to: {how}. "
        f"With --agent mock nothing is spent; {ways}"
    )

"""What ``flowcage doctor`` tells of agents and settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flowcage.host.agents.spec import found_agents
from flowcage.host.cli.input_files import InputError
from flowcage.host.cli.setup.files import find_files
from flowcage.host.cli.setup.places import agent_types, project_file, user_file_name


def findings(folder: Path) -> Iterator[tuple[str, str]]:
    """The agents that are here, and the files of settings that count for a workflow in this folder."""
    for name, how in found_agents():
        yield f"agent {name}", how or "no"
    yield "agent mock", "yes (makes answers up, or has them from --fixtures)"
    yield "agent types", ", ".join(agent_types(folder).names)
    yield "settings of the user", _own()
    project = project_file(folder)
    if project is None:
        yield "settings of the project", "none"
        return
    try:
        files = find_files(folder)
    except InputError as error:
        yield "settings of the project", str(error)
        return
    keys = files.untrusted_keys(agent_is_given=False)
    yield "settings of the project", f"{project} ({_trust(files.is_trusted, keys)})"


def _own() -> str:
    try:
        found = find_files(Path("/"), ignores_project=True).user
    except InputError as error:
        return str(error)
    return f"{user_file_name()} (no such file)" if found is None else str(found.path)


def _trust(is_trusted: bool, keys: list[str]) -> str:
    if is_trusted:
        return "trusted"
    return f"not trusted, so it cannot be used: it has {' and '.join(keys)}" if keys else "not trusted"

"""The arguments of ``flowcage run``, read and checked. Each error names the option and says what to do."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flowcage.host.agents.agent import Agent
from flowcage.host.cli.input_files import STDIN, InputError, InputFiles
from flowcage.host.cli.inputs.texts import json_file, unique
from flowcage.host.cli.names.places import elsewhere
from flowcage.host.cli.names.workflow_path import folder_instead, missing
from flowcage.host.cli.runs.times import in_unit_of
from flowcage.host.cli.setup.agents import agent_of, identity_of
from flowcage.host.outcome.errors import RunError, WorkflowFailed
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.run.limits import with_limits
from flowcage.host.run.options import RunOptions
from flowcage.host.workflows.beneath import relative_to
from flowcage.host.workflows.child_workflows import ChildWorkflows
from flowcage.host.workflows.names import NamedFolder
from flowcage.host.workflows.source_files import SourceFileError, source_text
from flowcage.protocol.limits import MIB, Limits
from flowcage.protocol.messages import NO_MODULES, Dialect


class Script(NamedTuple):
    """The workflow that the command line names.

    Attributes:
        text: the file's content.
        name: the source name for child, events and stacks: the path below the root, equal on every machine.
        typed: the path as the user typed it, for messages.
        modules: the files that it imports, by their names.
    """

    text: str
    name: str
    typed: str
    modules: Mapping[str, str] = NO_MODULES

    def as_typed(self, message: str) -> str:
        """The message, with paths as the user typed them in the place of names that a line number follows."""
        typed = {self.name: self.typed}
        if self.typed.endswith(self.name):
            folder = self.typed.removesuffix(self.name)
            typed = {name: folder + name for name in self.modules} | typed
        names = "|".join(map(re.escape, sorted(typed, key=len, reverse=True)))
        places = re.compile(rf"(^|[\s(])({names})(?=:\d)", re.MULTILINE)
        return places.sub(lambda place: place[1] + typed[place[2]], message)

    def text_at(self, error: RunError) -> str:
        """The text that the place of an error is in."""
        name = error.data.get("sourceName") if isinstance(error, WorkflowFailed) else None
        return self.modules.get(name, self.text) if isinstance(name, str) else self.text


def script(files: InputFiles, file: Path, root: Path | None = None, dialect: Dialect = "auto") -> Script:
    """Read the workflow.

    Args:
        files: reads it.
        file: ``-`` for stdin.
        root: the folder to which the source name is relative; by default the file's.
        dialect: of the workflow.

    Raises:
        InputError: the file, or one that it imports, cannot be read, or is not text.
    """
    typed = "<stdin>" if file == STDIN else str(file)
    name = typed if file == STDIN else relative_to(root or file.parent, os.path.abspath(file)) or file.name
    try:
        text = source_text(files.read("FILE", file), typed)
        return Script(text, name, typed, modules_of(text, name, root or file.parent, dialect))
    except SourceFileError as error:
        raise InputError(str(error)) from None
    except FileNotFoundError:
        raise InputError(missing(file)) from None
    except IsADirectoryError:
        raise InputError(folder_instead(file)) from None
    except OSError as error:
        raise InputError(f"{typed}: cannot be read: {error.strerror}") from None


def modules_of(text: str, name: str, root: Path, dialect: Dialect) -> Mapping[str, str]:
    """The files that a workflow imports. Raises `SourceFileError`."""
    from flowcage.host.cli.console import to_the_end
    from flowcage.host.workflows.siblings import may_import, sibling_modules

    if not may_import(text):
        return NO_MODULES
    return to_the_end(lambda: sibling_modules(text, name, root, dialect=dialect))


def options(
    files: InputFiles,
    file: Path,
    *,
    answerer: Agent | None = None,
    modules: Mapping[str, str] = NO_MODULES,
    **given: Any,
) -> RunOptions:
    """The options of the run.

    Args:
        files: reads what options name.
        file: the workflow's.
        answerer: in the place of the agent that was chosen.
        modules: that the workflow may import.
        given: the options.

    Raises:
        InputError: an option is wrong, or the agent's program is missing.
    """
    if given["hard_budget"] is not None and given["budget"] is None:
        name = "--hard-budget" if given["hard_budget"] else "--soft-budget"
        raise InputError(f"{name} needs --budget TOKENS")
    options = RunOptions(
        agent=answerer or agent_of(files, file.parent, given),
        agent_identity=identity_of(given),
        workflow=ChildWorkflows(given["root"] or file.parent, file.parent, _elsewhere(given)),
        dialect=given["dialect"],
        modules=modules,
        isolation=given["isolation"],
        limits=Limits(memory_bytes=given["memory"] * MIB),
        timeout_seconds=given["timeout"],
        expires_seconds=given.get("expires_in"),
        max_agents=given["max_agents"],
        max_total_agents=given["max_total_agents"],
        budget_tokens=given["budget"],
        hard_budget=given["hard_budget"] is not False,
        max_cost_usd=given.get("max_cost"),  # runs of before there was one do not have it
        agent_failure=given["agent_failure"],
        findings=True,
        launcher=Spawn(_command(given["child_command"])),
    )
    for what, members in _limits(files, given["limits_file"], given["limit_pairs"]):
        try:
            options = with_limits(options, members)
        except ValueError as error:
            raise InputError(f"{what}: {error}") from None
    return options


def _elsewhere(given: Mapping[str, Any]) -> tuple[NamedFolder, ...]:
    """Where names are looked for beside the root; nowhere where the user has said which root it is."""
    return elsewhere() if given.get("looks_elsewhere", given["root"] is None) else ()


def _command(text: str | None) -> tuple[str, ...] | None:
    try:
        words = tuple(shlex.split(text)) if text is not None else None
    except ValueError as error:
        raise InputError(f"--child-command: {error}") from None
    if words == ():
        raise InputError("--child-command is empty; expected a program and its arguments")
    return words


def _limits(
    files: InputFiles, file: Path | None, pairs: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, Any]]]:
    if file is not None:
        what = f"--limits {file}"
        members = json_file(files, "--limits", file)
        if not isinstance(members, dict):
            raise InputError(f'{what}: expected a JSON object, such as {{"cpuSeconds": 10}}')
        yield what, members
    yield "--limit", limits_of_pairs(pairs)


def limits_of_pairs(pairs: tuple[str, ...]) -> dict[str, float]:
    """What ``--limit NAME=N`` says. Raises `InputError`."""
    return unique("--limit", map(_limit, pairs))


def _limit(pair: str) -> tuple[str, float]:
    name, _, text = pair.partition("=")
    value = in_unit_of(name, text)
    try:
        return name, int(value) if re.fullmatch(r"[+-]?[0-9]+", value) else float(value)
    except ValueError:
        raise InputError(f"--limit {pair}: expected NAME=NUMBER, such as --limit cpuSeconds=10") from None

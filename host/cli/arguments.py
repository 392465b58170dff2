"""The arguments of ``flowcage run``, read and checked. Each error names the option and says what to do."""

from __future__ import annotations

import codecs
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from flowcage.host.agents.agent import Agent
from flowcage.host.cli.input_files import STDIN, InputError, InputFiles
from flowcage.host.cli.runs.times import in_unit_of
from flowcage.host.cli.setup.agents import agent_of, identity_of
from flowcage.host.cli.workflow_path import folder_instead, missing
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.run.limits import with_limits
from flowcage.host.run.options import RunOptions
from flowcage.host.workflows.beneath import relative_to
from flowcage.host.workflows.child_workflows import ChildWorkflows, SourceFileError, source_text
from flowcage.protocol import strictjson
from flowcage.protocol.limits import DEFAULT_MAX_MESSAGE_BYTES, MIB, Limits
from flowcage.protocol.messages import Json


class Script(NamedTuple):
    """The workflow that the command line names.

    Attributes:
        text: the file's content.
        name: the source name for child, events and stacks: the path below the root, equal on every machine.
        typed: the path as the user typed it, for messages.
    """

    text: str
    name: str
    typed: str

    def as_typed(self, message: str) -> str:
        """The message, with the user's path in the place of `name` where a line number follows it."""
        places = re.compile(rf"(^|[\s(]){re.escape(self.name)}(?=:\d)", re.MULTILINE)
        return places.sub(lambda place: place[1] + self.typed, message)


def script(files: InputFiles, file: Path, root: Path | None = None) -> Script:
    """Read the workflow.

    Args:
        files: reads it.
        file: ``-`` for stdin.
        root: the folder to which the source name is relative; by default the file's.

    Raises:
        InputError: the file cannot be read, or is not text.
    """
    typed = "<stdin>" if file == STDIN else str(file)
    name = typed if file == STDIN else relative_to(root or file.parent, os.path.abspath(file)) or file.name
    try:
        return Script(source_text(files.read("FILE", file), typed), name, typed)
    except SourceFileError as error:
        raise InputError(str(error)) from None
    except FileNotFoundError:
        raise InputError(missing(file)) from None
    except IsADirectoryError:
        raise InputError(folder_instead(file)) from None
    except OSError as error:
        raise InputError(f"{typed}: cannot be read: {error.strerror}") from None


def args(files: InputFiles, text: str | None, file: Path | None, pairs: tuple[str, ...]) -> Json:
    """The workflow's args, from whichever option was given; ``{}`` without any.

    Raises:
        InputError: more than one was given, the text is not JSON, or a name comes twice.
    """
    if sum((text is not None, file is not None, bool(pairs))) > 1:
        raise InputError("give one of --args, --args-file and --arg, not several")
    if text is not None:
        return _parse_json("--args", text.encode("utf-8", "surrogateescape"))
    if file is not None:
        return _json_file(files, "--args-file", file)
    return _unique("--arg", map(_pair, pairs))


def _unique(option: str, pairs: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs as a dict; a name that comes twice is an error, since one of its values would be lost."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InputError(
                f"{option} {name} is given twice, as {found[name]!r} and as {value!r}; give it once"
            )
        found[name] = value
    return found


def _json_file(files: InputFiles, option: str, file: Path) -> Json:
    what = f"{option} {file}"
    try:
        text = files.read(option, file)
    except OSError as error:
        raise InputError(f"{what}: cannot be read: {error.strerror}") from None
    if len(text) > DEFAULT_MAX_MESSAGE_BYTES:
        raise InputError(f"{what}: longer than {DEFAULT_MAX_MESSAGE_BYTES} bytes")
    return _parse_json(what, text)


def _parse_json(what: str, text: bytes) -> Json:
    text = text.removeprefix(codecs.BOM_UTF8)
    try:
        value = strictjson.loads(text)
        # A second pass for names that come twice: the first one keeps only the last value.
        json.loads(text, object_pairs_hook=lambda pairs: _unique(f"{what}:", iter(pairs)))
        return value
    except json.JSONDecodeError as error:
        raise InputError(
            f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} is not JSON: {error}") from None


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError(f"--arg {text}: expected NAME=VALUE, such as --arg topic=whales")
    return name, value


def values_of(option: str, pairs: tuple[str, ...], expected: str) -> dict[str, Json]:
    """The values of an option ``NAME=JSON`` that may be repeated.

    Raises:
        InputError: one has another form, or a name comes twice.
    """

    def parse(pair: str) -> tuple[str, Json]:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InputError(f"{option} {pair}: expected {expected}")
        return name, _parse_json(f"{option} {name}", text.encode("utf-8", "surrogateescape"))

    return _unique(option, map(parse, pairs))


def options(files: InputFiles, file: Path, *, answerer: Agent | None = None, **given: Any) -> RunOptions:
    """The options of the run.

    Args:
        files: reads what options name.
        file: the workflow's.
        answerer: in the place of the agent that was chosen.
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
        workflow=ChildWorkflows(given["root"] or file.parent, file.parent),
        dialect=given["dialect"],
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
        members = _json_file(files, "--limits", file)
        if not isinstance(members, dict):
            raise InputError(f'{what}: expected a JSON object, such as {{"cpuSeconds": 10}}')
        yield what, members
    yield "--limit", _unique("--limit", map(_limit, pairs))


def _limit(pair: str) -> tuple[str, float]:
    name, _, text = pair.partition("=")
    value = in_unit_of(name, text)
    try:
        return name, int(value) if re.fullmatch(r"[+-]?[0-9]+", value) else float(value)
    except ValueError:
        raise InputError(f"--limit {pair}: expected NAME=NUMBER, such as --limit cpuSeconds=10") from None

"""What the command line was given, checked, with an error that says which option and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flowcage.host.agents import AgentSpecError, missing_program, parse_agent
from flowcage.host.options import RunOptions
from flowcage.host.outcome import Outcome
from flowcage.host.sourcefile import ChildWorkflows, SourceFileError, read_source
from flowcage.protocol import strictjson
from flowcage.protocol.framing import DEFAULT_MAX_MESSAGE_BYTES
from flowcage.protocol.limits import MIB, Limits
from flowcage.protocol.messages import Json


class InputError(Exception):
    """Something the user gave cannot be used."""


def source(file: Path) -> str:
    """The text of the workflow file."""
    try:
        return read_source(file)
    except SourceFileError as error:
        raise InputError(str(error)) from None


def args(text: str | None, file: Path | None, pairs: tuple[str, ...]) -> Json:
    """The workflow's args from the one option that was given; ``{}`` without any."""
    if sum((text is not None, file is not None, bool(pairs))) > 1:
        raise InputError("give one of --args, --args-file and --arg, not several")
    if text is not None:
        return _parse_json("--args", text.encode("utf-8", "surrogateescape"))
    if file is not None:
        try:
            with file.open("rb") as stream:
                text_read = stream.read(DEFAULT_MAX_MESSAGE_BYTES + 1)
        except OSError as error:
            raise InputError(f"--args-file {file}: cannot be read: {error.strerror}") from None
        if len(text_read) > DEFAULT_MAX_MESSAGE_BYTES:
            raise InputError(f"--args-file {file}: longer than {DEFAULT_MAX_MESSAGE_BYTES} bytes")
        return _parse_json(f"--args-file {file}", text_read)
    return dict(_pair(pair) for pair in pairs)


def _parse_json(what: str, text: bytes) -> Json:
    try:
        return strictjson.loads(text)
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


def options(file: Path, **given: Any) -> RunOptions:
    """The run's options; a file's child workflows may lie in its own folder."""
    try:
        agent = parse_agent(given["agent"], timeout_s=given["agent_timeout"])
        missing = missing_program(given["agent"])
    except AgentSpecError as error:
        raise InputError(f"--agent: {error}") from None
    if missing is not None:
        raise InputError(f"--agent: there is no program {missing!r} here, or it is not executable")
    return RunOptions(
        agent=agent,
        workflow=ChildWorkflows(given["root"] or file.parent),
        dialect=given["dialect"],
        limits=Limits(memory_bytes=given["memory"] * MIB),
        timeout_seconds=given["timeout"],
        max_agents=given["max_agents"],
        budget_tokens=given["budget"],
    )


def to_json_line(outcome: Outcome) -> str:
    """What stdout gets."""
    members = {
        "runId": outcome.run_id,
        "result": outcome.result,
        "usage": outcome.usage.to_json(),
    }
    return strictjson.dumps(members)

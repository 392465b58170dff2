"""Names of agents, as ``--agent`` takes them."""

from __future__ import annotations

import shlex
import shutil

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.echo import echo
from flowcage.host.agents.errors import AgentSpecError
from flowcage.host.agents.programs.command import command_agent

DEFAULT_TIMEOUT_S = 600.0

_KNOWN = (
    "known are 'echo' (built in, always the same answer) and 'command:CMD'"
    " (runs CMD with the prompt on stdin, such as 'command:python3 agent.py')"
)


def parse_agent(spec: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Agent:
    """Make the agent that a text names.

    Args:
        spec: ``echo``, or ``command:`` and a command line that is split as a POSIX shell would, but not
            given to one.
        timeout_s: seconds that a command may take for one try at an answer.

    Raises:
        AgentSpecError: the text names no agent, or a command line that cannot be split.
        ValueError: `timeout_s` is not above 0.
    """
    if not timeout_s > 0:
        raise ValueError(f"timeout_s must be above 0, not {timeout_s!r}")
    if spec == "echo":
        return echo
    kind, colon, command = spec.partition(":")
    if kind != "command" or not colon:
        raise AgentSpecError(f"there is no agent {spec!r}: {_KNOWN}")
    return command_agent(_split(spec, command), timeout_s=timeout_s)


def missing_program(spec: str) -> str | None:
    """The program of a ``command:`` text, if it is not in PATH or not executable; None otherwise.

    For a check before the run: with a missing program every ``agent()`` call rejects, and ``parallel`` turns
    those rejections into null.
    """
    kind, _, command = spec.partition(":")
    if kind != "command":
        return None
    program = _split(spec, command)[0]
    return None if shutil.which(program) else program


def _split(spec: str, command: str) -> list[str]:
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise AgentSpecError(f"{spec!r} cannot be split into words: {error}") from None
    if not argv or not argv[0]:
        raise AgentSpecError(f"{spec!r} names no program: {_KNOWN}")
    if "\0" in command:
        raise AgentSpecError(f"{spec!r} contains a NUL character, which no command line may")
    return argv

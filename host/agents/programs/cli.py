"""A command line program of an agent: found, run for one call, and why it did not run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import trio

from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentError, AgentsUnavailable, OptionNotHonoured, WrongAnswer
from flowcage.host.agents.form import json_in
from flowcage.host.agents.honour import require_honoured
from flowcage.host.agents.programs.json_lines import JsonLines
from flowcage.host.agents.programs.program import ProgramError, ProgramNotStarted, output_of
from flowcage.host.agents.redaction import redacted
from flowcage.host.agents.settings import AgentSettings
from flowcage.host.terminal.text import cut, plain_text
from flowcage.protocol.messages import Json

_VERSION_SECONDS = 20.0
# A transcript has all that the agent read with its tools. It is not kept, only its messages are looked at.
_MAX_STDOUT_BYTES = 1024 * 1024 * 1024
# What the parsers of arguments of both programs say about an option that they do not know.
_UNKNOWN_OPTION = re.compile(r"unknown option|unexpected argument|unrecognized option|unknown argument")
_MOST_CHARACTERS = 1_000
_LINE_CHARACTERS = 200
_HONOURED = frozenset({"schema", "model", "provider", "effort", "agentType", "continue"})
_LEAVE_SECONDS = 10.0


@dataclass(frozen=True)
class Cli:
    """A program that works as an agent.

    Attributes:
        agent: the agent's name.
        program: name or path of the program.
        install: what installs it, or brings it up to date.
        passed_over: the beginning of its messages that are not read.
    """

    agent: str
    program: str
    install: str
    passed_over: bytes | None = None

    def found(self) -> str | None:
        """Path and version; None where it is not there."""
        path = shutil.which(self.program)
        return None if path is None else f"{path} ({_version(path)})"

    async def run(
        self,
        arguments: Sequence[str],
        prompt: str,
        call: AgentCall,
        settings: AgentSettings,
        take: Callable[[dict[str, Any]], None],
        environment: Mapping[str, str],
    ) -> str:
        """Run the program for one call.

        Args:
            arguments: without the program.
            prompt: for its stdin.
            call: it runs in the call's folder.
            settings: their limits of time.
            take: is given each message that it writes.
            environment: all its variables.

        Returns:
            What can be said of its end, continuing its name, where it wrote no message of its own about that.

        Raises:
            AgentsUnavailable: it is not there, or does not know these arguments.
            AgentError: it could not be started.
        """
        lines = JsonLines(take, self.passed_over)
        try:
            await output_of(
                [self.program, *arguments],
                prompt.encode("utf-8", "replace"),  # a lone surrogate has no UTF-8
                environment=environment,
                folder=call.folder,
                timeout_s=settings.timeout_s,
                idle_timeout_s=settings.idle_timeout_s,
                max_stdout_bytes=_MAX_STDOUT_BYTES,
                on_stdout=lines.feed,
            )
            lines.finish()
            if lines.is_cut:
                return "ended before its last message was written; an answer may be too long for it"
            return "ended without an answer" + (f"; it wrote: {_shown(lines.said)}" if lines.said else "")
        except ProgramNotStarted as error:
            raise self._not_started(error) from None
        except ProgramError as error:
            lines.finish()
            return self._problem(str(error), lines.said)

    def _not_started(self, error: ProgramNotStarted) -> AgentError:
        if shutil.which(self.program) is None:
            return AgentsUnavailable(
                f"agent {self.agent!r} needs the program {os.path.basename(self.program)!r}, which is not in "
                f"PATH; install it ({self.install}), or choose another agent (--agent)"
            )
        return AgentError(f"agent {self.agent!r}: its program {redacted(str(error))}")

    def _problem(self, error: str, said: str) -> str:
        problem = _shown(f"{error}; it wrote: {said}" if said else error)
        if _UNKNOWN_OPTION.search(problem):
            raise AgentsUnavailable(
                f"agent {self.agent!r}: its program does not know an option that flowcage gives it; it is "
                f"too old (update it: {self.install}), or args in its settings are wrong. It {problem}"
            )
        return problem


def require_followed(
    call: AgentCall, agent: str, *, providers: Sequence[str], efforts: Sequence[str]
) -> None:
    """Refuse a call with an option, or a value of one, that the program does not know.

    Raises:
        OptionNotHonoured: it has one. The program would warn at most.
    """
    require_honoured(call, agent, _HONOURED)
    for option, known in (("provider", providers), ("effort", efforts)):
        value = call.options.get(option)
        if value is not None and value not in known:
            raise OptionNotHonoured(
                f"agent {agent!r} cannot follow options.{option} {str(value)[:80]!r}; "
                f"it knows {', '.join(known)}"
            )


def json_answer(text: str, schema: Json, spent: dict[str, Any]) -> Json:
    """The JSON of a program's answer.

    Args:
        text: of the answer.
        schema: that tells its value from others in the text.
        spent: what it cost.

    Raises:
        WrongAnswer: there is none.
    """
    try:
        return json_in(text, schema)
    except ValueError as error:
        raise WrongAnswer(str(error), redacted(text), **spent) from None


def latest_exit() -> float:
    """When a program whose answer is there is ended, of trio's clock: it stores the conversation first."""
    return trio.current_time() + _LEAVE_SECONDS


def first_line(text: str) -> str:
    """Of what a program told, for people who watch."""
    lines = redacted(text).strip().splitlines()
    return cut(lines[0] if lines else "", _LINE_CHARACTERS)


def sentence(words: str) -> str:
    """Words that another sentence follows."""
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _shown(text: str) -> str:
    return cut(redacted(text), _MOST_CHARACTERS)


def _version(path: str) -> str:
    try:
        done = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_VERSION_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"it does not tell its version: {cut(str(error), 200)}"
    lines = redacted(plain_text(done.stdout)).splitlines()
    return cut(lines[0], 200) if lines and done.returncode == 0 else "it does not tell its version"

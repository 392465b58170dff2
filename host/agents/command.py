"""An agent that is any program: the prompt on its stdin, the answer on its stdout."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass

from flowcage.host.agents import referee
from flowcage.host.agents.base import Agent, AgentAnswer, AgentCall, AgentError
from flowcage.host.agents.program import ProgramError, ProgramNotStarted, output_of
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

OPTIONS_VARIABLE = "FLOWCAGE_AGENT_OPTIONS"
ID_VARIABLE = "FLOWCAGE_AGENT_ID"


def command_agent(argv: Sequence[str], *, timeout_s: float) -> Agent:
    """Make an agent that runs a program for each call.

    The program is the host's own: it inherits the host's environment, plus the call's options as JSON in
    ``FLOWCAGE_AGENT_OPTIONS`` and its id in ``FLOWCAGE_AGENT_ID``. Without a schema, its answer is the
    text it writes, less one newline at the end. With one it must write a JSON instance of it; if it does not,
    it is run once more with a prompt that ends in what was wrong.

    Args:
        argv: program and arguments.
        timeout_s: seconds for one run of the program; it is killed then, and so is all of its group.
    """
    return _Command(tuple(argv), timeout_s).answer


@dataclass(frozen=True)
class _Answer:
    """What the program said, or why that is not an answer."""

    value: Json
    problem: str | None = None


@dataclass(frozen=True)
class _Command:
    argv: tuple[str, ...]
    timeout_s: float

    async def answer(self, call: AgentCall) -> AgentAnswer:
        """Answer one call; raises `AgentError`."""
        if call.schema is None:
            return AgentAnswer(_without_newline(await self._run(call, call.prompt)))
        await referee.check(call.schema)  # before the program runs for nothing
        answer = await self._try(call, call.prompt)
        if answer.problem is not None:
            answer = await self._try(call, f"{call.prompt}\n\n{_what_was_wrong(answer.problem)}")
        if answer.problem is not None:
            raise AgentError(f"{self._name} gave no valid answer in two tries: {answer.problem}")
        return AgentAnswer(answer.value)

    async def _try(self, call: AgentCall, prompt: str) -> _Answer:
        text = await self._run(call, prompt)
        try:
            value = strictjson.loads(text.encode())
        except (ValueError, RecursionError) as error:
            return _Answer(None, f"it is not JSON: {error}")
        return _Answer(value, await referee.why_not(call.schema, value))

    async def _run(self, call: AgentCall, prompt: str) -> str:
        options = strictjson.dumps(dict(call.options))
        # As bytes the variable is UTF-8, whatever the locale's encoding is.
        variables = {OPTIONS_VARIABLE: os.fsdecode(options.encode()), ID_VARIABLE: call.id}
        try:
            output = await output_of(
                self.argv,
                prompt.encode("utf-8", "replace"),  # a lone surrogate has no bytes
                environment={**os.environ, **variables},
                timeout_s=self.timeout_s,
            )
            return output.decode("utf-8")
        except ProgramNotStarted as error:
            about = f" (the call's options are {len(options)} characters of JSON)"
            raise AgentError(f"{self._name} {error}{about if error.errno == errno.E2BIG else ''}") from None
        except ProgramError as error:
            raise AgentError(f"{self._name} {error}") from None
        except UnicodeDecodeError as error:
            raise AgentError(f"{self._name} answered with bytes that are not UTF-8: {error}") from None

    @property
    def _name(self) -> str:
        return f"agent program {self.argv[0]!r}"


def _without_newline(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def _what_was_wrong(problem: str) -> str:
    return (
        f"Your last answer to this was refused: {problem}\n"
        f"Answer again, with nothing but JSON that is an instance of the schema in {OPTIONS_VARIABLE}."
    )

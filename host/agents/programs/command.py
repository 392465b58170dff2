"""An agent that is any program: the prompt on its stdin, the answer on its stdout."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentError, WrongAnswer
from flowcage.host.agents.programs.program import ProgramError, ProgramNotStarted, output_of
from flowcage.protocol import strictjson

OPTIONS_VARIABLE = "FLOWCAGE_AGENT_OPTIONS"
ID_VARIABLE = "FLOWCAGE_AGENT_ID"
KEY_VARIABLE = "FLOWCAGE_AGENT_IDEMPOTENCY_KEY"
INTERRUPTED_VARIABLE = "FLOWCAGE_AGENT_INTERRUPTED"
HANDLE_VARIABLE = "FLOWCAGE_AGENT_HANDLE"


def command_agent(argv: Sequence[str], *, timeout_s: float) -> Agent:
    """Make an agent that runs a program for each call.

    The program is trusted and not caged: it inherits the host's environment, plus the call's options as JSON
    in ``FLOWCAGE_AGENT_OPTIONS``, its id in ``FLOWCAGE_AGENT_ID``, its idempotency key in
    ``FLOWCAGE_AGENT_IDEMPOTENCY_KEY``; ``FLOWCAGE_AGENT_INTERRUPTED`` is 1 where the same attempt was begun
    before, by a host that ended, and ``FLOWCAGE_AGENT_HANDLE`` is what was remembered in it; otherwise both
    are empty. Without a schema its answer is the text
    that it writes, less one newline at the end. With a schema it must write a JSON instance; if it does not,
    the run asks once more, and then the prompt ends in what was wrong.

    Args:
        argv: program and arguments.
        timeout_s: seconds for one run of the program, which is then killed with its process group.
    """
    return _Command(tuple(argv), timeout_s).answer


@dataclass(frozen=True)
class _Command:
    argv: tuple[str, ...]
    timeout_s: float

    async def answer(self, call: AgentCall) -> AgentAnswer:
        """Run the program for one call.

        Raises:
            AgentError: it could not be started, failed, or wrote no UTF-8.
            WrongAnswer: it wrote no JSON, where the call has a schema.
        """
        text = await self._run(call, _prompt(call))
        if call.schema is None:
            return AgentAnswer(_without_newline(text))
        try:
            return AgentAnswer(strictjson.loads(text.encode()))
        except (ValueError, RecursionError) as error:
            raise WrongAnswer(f"it is not JSON: {error}", text) from None

    async def _run(self, call: AgentCall, prompt: str) -> str:
        options = strictjson.dumps(dict(call.options))
        # Through os.fsdecode the variable is UTF-8 in any locale: it is encoded back to the same bytes.
        variables = {
            OPTIONS_VARIABLE: os.fsdecode(options.encode()),
            ID_VARIABLE: call.id,
            KEY_VARIABLE: call.idempotency_key,
            INTERRUPTED_VARIABLE: "1" if call.interrupted else "",
            HANDLE_VARIABLE: os.fsdecode((call.handle or "").encode("utf-8", "replace")),
        }
        try:
            output = await output_of(
                self.argv,
                prompt.encode("utf-8", "replace"),  # a lone surrogate has no UTF-8
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
        # Without its folder: the workflow reads this, and paths of the host are not its business.
        return f"agent program {os.path.basename(self.argv[0])!r}"


def _without_newline(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def _prompt(call: AgentCall) -> str:
    if call.problem is None:
        return call.prompt
    return (
        f"{call.prompt}\n\nYour last answer to this was refused: {call.problem}\n"
        f"Answer again, with nothing but JSON that is an instance of the schema in {OPTIONS_VARIABLE}."
    )

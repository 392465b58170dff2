"""An agent that is any program: the prompt on its stdin, the answer on its stdout."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentError, ShareTooSmall, WrongAnswer
from flowcage.host.agents.form import json_in, prompt_of
from flowcage.host.agents.held import Limit, require_share
from flowcage.host.agents.programs.environment import environment_of
from flowcage.host.agents.programs.program import ProgramError, output_of
from flowcage.host.agents.programs.told import Told
from flowcage.host.agents.redaction import redacted
from flowcage.protocol.messages import Json


def command_agent(
    argv: Sequence[str],
    *,
    timeout_s: float,
    idle_timeout_s: float | None = None,
    keeps_to_share: bool = False,
) -> Agent:
    """Make an agent that runs a program for each call. docs/agents.md has the contract.

    The program is trusted and not caged: it inherits the host's environment, with the call's variables. What
    it starts ends with it.

    Args:
        argv: program and arguments. The path of a program is one from the host's folder, though a call may
            have another.
        timeout_s: seconds for one run of the program, which is then killed.
        idle_timeout_s: seconds without a byte on its stdout or a line on its descriptor 3, after which it is
            killed; None for no such limit.
        keeps_to_share: whether the program spends no more than ``FLOWCAGE_COST_LEFT`` and
            ``FLOWCAGE_TOKENS_LEFT`` say. Else it is not run beside others where there is a ceiling.
    """
    program = os.path.abspath(argv[0]) if "/" in argv[0] else argv[0]
    return _Command((program, *argv[1:]), timeout_s, idle_timeout_s, keeps_to_share).answer


@dataclass(frozen=True)
class _Command:
    argv: tuple[str, ...]
    timeout_s: float
    idle_timeout_s: float | None
    keeps_to_share: bool

    async def answer(self, call: AgentCall) -> AgentAnswer:
        """Run the program for one call.

        Raises:
            AgentError: it could not be started, failed, or wrote no UTF-8.
            WrongAnswer: it wrote no JSON, where the call has a schema.
            ShareTooSmall: the call is held to a share, which the program cannot keep to or has used up.
        """
        if not self.keeps_to_share:
            require_share(call, self._name, usd=None, tokens=None)
        limit = Limit(call)
        told = Told(limit.tell)
        try:
            with limit.scope:
                value = self._value(await self._run(call, told), call, told)
                return AgentAnswer(value, session_id=told.session_id, **told.spent)
        except ProgramError as error:
            raise AgentError(redacted(f"{self._name} {error}"), **told.spent) from None
        except UnicodeDecodeError as error:
            why = f"answered with bytes that are not UTF-8: {error}"
            raise AgentError(f"{self._name} {why}", **told.spent) from None
        why = f"{self._name} was ended: it has spent more than its share"
        raise ShareTooSmall(why, needs_usd=0.0, needs_tokens=0, **told.spent)

    async def _run(self, call: AgentCall, told: Told) -> bytes:
        with environment_of(call) as environment:
            return await output_of(
                self.argv,
                _prompt(call).encode("utf-8", "replace"),  # a lone surrogate has no UTF-8
                environment=environment,
                folder=call.folder,
                timeout_s=self.timeout_s,
                idle_timeout_s=self.idle_timeout_s,
                on_note=told.note,
                on_bad_note=told.leave_out,
            )

    def _value(self, output: bytes, call: AgentCall, told: Told) -> Json:
        text = output.decode("utf-8")
        if call.schema is None:
            return text.removeprefix("\ufeff").removesuffix("\n").removesuffix("\r")
        try:
            return json_in(text, call.schema)
        except ValueError as error:
            raise WrongAnswer(str(error), text, **told.spent) from None

    @property
    def _name(self) -> str:
        # Without its folder: the workflow reads this, and paths of the host are not its business.
        return f"agent program {os.path.basename(self.argv[0])!r}"


def _prompt(call: AgentCall) -> str:
    """The prompt, behind the instructions of the agent's type, for which a program need not have a place."""
    return prompt_of(call) if call.instructions is None else f"{call.instructions}\n\n{prompt_of(call)}"

"""One question as all of the providers put it: turns of a conversation."""

from __future__ import annotations

from typing import NamedTuple

from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.form import prompt_of
from flowcage.host.agents.http.forms.means import Means, Way

Turn = dict[str, str]
# OpenAI refuses a lower limit.
LEAST_TOKENS = 16
# Each model takes a limit of so many. A higher one may be more than the model can write, and be refused.
SURE_TOKENS = 4096


class Question(NamedTuple):
    """What is asked.

    Attributes:
        call: of the workflow.
        model: that is to answer.
        means: by which the form of the answer is asked for.
        agent: its name.
        max_tokens: of the answer, as the agent is set up; None for the provider's own limit.
        held: that the answer may have within the share of its call; None where it is held to none.
    """

    call: AgentCall
    model: str
    means: Means
    agent: str
    max_tokens: int | None
    held: int | None = None

    @property
    def limit(self) -> int | None:
        """Tokens that the answer may have: no more than the run may still spend."""
        if self.held is not None:
            return self.held
        left, most = self.call.tokens_left, self.max_tokens
        if left is None or left >= (SURE_TOKENS if most is None else most):
            return most
        return max(LEAST_TOKENS, left)

    @property
    def is_short(self) -> bool:
        """Whether an answer that was cut at its limit was cut at the share of its call."""
        return self.held is not None and self.held != self.max_tokens

    def cut_off(self) -> str:
        """What an answer is that was cut at that limit, and what to do."""
        if self.limit is None:
            return "cut its answer off at a limit of the model's own"
        if self.limit != self.max_tokens:
            return f"cut its answer off at {self.limit:,} tokens, which are what the run could still spend"
        return (
            f"cut its answer off at {self.limit:,} tokens; [agents.{self.agent}] max_tokens sets that limit"
        )

    def turns(self, *, says_schema: bool = False) -> list[Turn]:
        """The prompt, and where its answer was refused, that answer and why.

        A lone surrogate has no UTF-8, and becomes a question mark.

        Args:
            says_schema: whether the prompt has the schema also where the provider holds its model to it.
        """
        call = self.call
        if says_schema or self.means.way is Way.PROMPT:
            return [_turn("user", prompt_of(call))]
        turns = [_turn("user", call.prompt)]
        if call.problem is not None:
            refused = call.refused if call.refused and call.refused.strip() else "(no answer)"
            why = f"This answer was refused: {call.problem}\nAnswer the question again."
            turns += [_turn("assistant", refused), _turn("user", why)]
        return turns

    def system(self) -> list[Turn]:
        """The instructions of the agent's type, as a turn before the others."""
        return [] if self.call.instructions is None else [_turn("system", self.call.instructions)]


def plain(text: str) -> str:
    """A text that UTF-8 can encode."""
    return text.encode("utf-8", "replace").decode()


def _turn(role: str, text: str) -> Turn:
    return {"role": role, "content": plain(text)}

"""One question as all of the providers put it: turns of a conversation."""

from __future__ import annotations

from typing import NamedTuple

from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.form import prompt_of
from flowcage.host.agents.http.forms.means import Means, Way

Turn = dict[str, str]


class Question(NamedTuple):
    """What is asked.

    Attributes:
        call: of the workflow.
        model: that is to answer.
        means: by which the form of the answer is asked for.
    """

    call: AgentCall
    model: str
    means: Means

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

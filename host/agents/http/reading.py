"""What has come of one answer so far."""

from __future__ import annotations

import math
from dataclasses import replace

from flowcage.host.agents.answer import AgentUsage
from flowcage.host.agents.http.network.failure import Failure
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

# Twice what a run takes by default. More is no answer, and memory that all runs share.
MAX_CHARACTERS = 16 * 1024 * 1024
# Of English. Of most other texts it is less, and what is reckoned by it too low.
_BYTES_PER_TOKEN = 4


class Reading:
    """Takes the messages of one answer, in their order.

    Attributes:
        usage: as far as it is known.
        model: that answers.
        id: the provider's name of the answer.
        is_whole: whether the end of the answer was told.
        refusal: what the model says in place of an answer; None where it answers.
        shortfall: why the answer is not complete; None where it is.
        size: characters of the answer.
        written: bytes that the model has written, with its thoughts.
    """

    def __init__(self) -> None:
        self.usage: AgentUsage | None = None
        self.model: str | None = None
        self.id: str | None = None
        self.is_whole = False
        self.refusal: str | None = None
        self.shortfall: str | None = None
        self.size = 0
        self.written = 0
        self._parts: list[str] = []

    def feed(self, message: Json) -> None:
        """Take one message.

        Raises:
            Failure: it tells of an error, or the answer gets too long.
        """
        raise NotImplementedError

    def close(self) -> None:
        """The body has ended."""

    @property
    def text(self) -> str:
        """The answer's."""
        return "".join(self._parts)

    @property
    def has_begun(self) -> bool:
        """Whether something has come that the provider may charge for."""
        return self.usage is not None or self.written > 0

    def usage_of(self, asked: int) -> AgentUsage | None:
        """What was spent: as the provider tells, and what it has not told yet by the length of the texts.

        All but Anthropic tell it at the very end, and some servers never. A run that cuts its calls off would
        otherwise spend without an end, whatever its ceilings are.

        Args:
            asked: bytes of the request.
        """
        is_told = self.is_whole and self.usage is not None
        if is_told or not (self.has_begun or self.model is not None):
            return self.usage
        told = self.usage or AgentUsage(_tokens(asked))
        return replace(told, output=max(told.output, _tokens(self.written)))

    def add(self, text: str | None) -> None:
        """Take a part of the text."""
        if not text:
            return
        self.count(text)
        self.size += len(text)
        if self.size > MAX_CHARACTERS:
            raise Failure(f"sent an answer of more than {MAX_CHARACTERS:,} characters")
        self._parts.append(text)

    def count(self, text: str | None) -> None:
        """Count a text that is no part of the answer, such as a thought."""
        self.written += len((text or "").encode("utf-8", "surrogatepass"))

    def add_json(self, value: Json) -> None:
        """Take a value as a part of the text."""
        self.add(strictjson.dumps(value))

    def clear(self) -> None:
        """Forget the text."""
        self._parts.clear()
        self.size = 0

    def replace(self, text: str | None) -> None:
        """Take the whole text, where it comes once more at the end."""
        if text:
            self.clear()
            self.written = 0
            self.add(text)


def _tokens(size: int) -> int:
    return math.ceil(size / _BYTES_PER_TOKEN)

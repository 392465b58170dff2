"""What has come of one answer so far."""

from __future__ import annotations

from flowcage.host.agents.answer import AgentUsage
from flowcage.host.agents.http.network.failure import Failure
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

# Twice what a run takes by default. More is no answer, and memory that all runs share.
MAX_CHARACTERS = 16 * 1024 * 1024


class Reading:
    """Takes the messages of one answer, in their order.

    Attributes:
        usage: as far as it is known.
        model: that answers.
        id: the provider's name of the answer.
        is_whole: whether the end of the answer was told.
        refusal: what the model says in place of an answer; None where it answers.
        shortfall: why the answer is not complete; None where it is.
    """

    def __init__(self) -> None:
        self.usage: AgentUsage | None = None
        self.model: str | None = None
        self.id: str | None = None
        self.is_whole = False
        self.refusal: str | None = None
        self.shortfall: str | None = None
        self.size = 0
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
        return self.usage is not None or self.size > 0

    def add(self, text: str | None) -> None:
        """Take a part of the text."""
        if not text:
            return
        self.size += len(text)
        if self.size > MAX_CHARACTERS:
            raise Failure(f"sent an answer of more than {MAX_CHARACTERS:,} characters")
        self._parts.append(text)

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
            self.add(text)

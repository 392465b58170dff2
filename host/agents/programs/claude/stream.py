"""What the `claude` program writes: one JSON message a line, of which those that are known are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flowcage.host.agents.answer import AgentUsage, Progress, is_cost
from flowcage.host.agents.http.told import at, count_at, each_at, text_at
from flowcage.host.agents.programs.cli import first_line

_SCHEMA_TOOL = "StructuredOutput"
_SYNTHETIC = "<synthetic>"  # messages of the program, in place of the model's
# Inputs of tools that say what these do.
_TELLING = ("command", "file_path", "path", "pattern", "url", "query", "description", "prompt", "subject")


class ClaudeStream:
    """The messages of one call so far.

    Args:
        tell: is given word of the progress.

    Attributes:
        model: that answers; None until it is known.
        session_id: the program's name for the conversation.
        result: the last message; None until it is there.
        error: the program's name for what went wrong; None for nothing.
        goes_on: whether the last message means that the model is asked once more.
        has_schema: whether the model has the tool for answers by a schema; None until it is known.
    """

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell = tell
        self._usages = _Usages()
        self.model: str | None = None
        self.session_id: str | None = None
        self.result: dict[str, Any] | None = None
        self.error: str | None = None
        self.goes_on = False
        self.has_schema: bool | None = None
        self._is_answered = False

    def take(self, message: dict[str, Any]) -> None:
        """Take the next message; one that is not known changes nothing."""
        self.goes_on = message.get("type") == "user" and not (self._is_answered and _is_taken(message))
        match message.get("type"), message.get("subtype"):
            case "system", "init":
                self._begin(message)
            case "system", "api_retry":
                self._tell_of_retry(message)
            case "assistant", _:
                self._hear(message)
            case "stream_event", _:
                self._count(message)
            case "result", _:
                self.result = message
                self.session_id = text_at(message, "session_id") or self.session_id

    @property
    def usage(self) -> AgentUsage | None:
        """What was spent so far; None where nothing is known."""
        parts = [] if self.result is None else [_of_model(each) for each in _models(self.result)]
        if not parts and (whole := at(self.result, "usage")) is not None:
            parts = [_of_message(whole)]
        if not any(map(_is_some, parts)):
            parts = self._usages.all()
        return _sum(parts) if parts else None

    @property
    def cost_usd(self) -> float | None:
        """As the program reckons it; None where it does not say."""
        cost = at(self.result, "total_cost_usd")
        return float(cost) if is_cost(cost) else None

    @property
    def spent(self) -> dict[str, Any]:
        """What an error says that it cost."""
        return {"usage": self.usage, "cost_usd": self.cost_usd, "model": self.model}

    def _begin(self, message: dict[str, Any]) -> None:
        self.model, self.session_id = text_at(message, "model"), text_at(message, "session_id")
        self.has_schema = _SCHEMA_TOOL in each_at(message, "tools")
        self._tell(Progress(model=self.model, session_id=self.session_id))

    def _hear(self, message: dict[str, Any]) -> None:
        self.error = text_at(message, "error")
        model, identifier = text_at(message, "message", "model"), text_at(message, "message", "id")
        if model == _SYNTHETIC:
            return
        if text_at(message, "parent_tool_use_id") is None:  # else it is of an agent below this one
            self.model = model or self.model
        if identifier is not None:
            self._usages.whole[identifier] = _of_message(at(message, "message", "usage"))
        names = [text_at(block, "name") for block in each_at(message, "message", "content")]
        self._is_answered = _SCHEMA_TOOL in names
        for line in _lines(message):
            self._tell(Progress(text=line, usage=self.usage, model=self.model))

    def _count(self, message: dict[str, Any]) -> None:
        """An event of the provider's stream: where a message of the model begins, and where it ends."""
        agent, event = text_at(message, "parent_tool_use_id"), message.get("event")
        match text_at(event, "type"):
            case "message_start":
                self._usages.begin(agent, _of_message(at(event, "message", "usage")))
            case "message_delta":
                self._usages.add(agent, _of_message(at(event, "usage")))
                self._tell(Progress(usage=self.usage))

    def _tell_of_retry(self, message: dict[str, Any]) -> None:
        why = text_at(message, "error") or "an error"
        attempt, most = count_at(message, "attempt"), count_at(message, "max_retries")
        self._tell(Progress(text=first_line(f"tries again after {why} ({attempt} of {most})")))


def _is_taken(message: dict[str, Any]) -> bool:
    """Whether no tool has refused its input."""
    return not any(at(block, "is_error") is True for block in each_at(message, "message", "content"))


class _Usages:
    """What the messages of the model have cost so far.

    Attributes:
        whole: as messages say it by their names, where the provider's stream is not told.
    """

    def __init__(self) -> None:
        self.whole: dict[str, AgentUsage] = {}
        self._streamed: list[AgentUsage] = []
        self._begun: dict[str | None, int] = {}  # the last one of each agent

    def begin(self, agent: str | None, usage: AgentUsage) -> None:
        """A message begins."""
        self._begun[agent] = len(self._streamed)
        self._streamed.append(usage)

    def add(self, agent: str | None, usage: AgentUsage) -> None:
        """The message so far; a count that is not told again is 0."""
        at = self._begun.get(agent)
        if at is not None:
            before = self._streamed[at]
            self._streamed[at] = AgentUsage(*map(max, vars(before).values(), vars(usage).values()))

    def all(self) -> list[AgentUsage]:
        """Each message's."""
        return self._streamed or list(self.whole.values())


def _lines(message: dict[str, Any]) -> Iterator[str]:
    """A line for each thing that the model says or does."""
    for block in each_at(message, "message", "content"):
        kind, name = text_at(block, "type"), text_at(block, "name")
        if kind == "text" and (text := text_at(block, "text")):
            yield first_line(text)
        elif kind == "tool_use" and name is not None and name != _SCHEMA_TOOL:
            told = next((text for each in _TELLING if (text := text_at(block, "input", each))), "")
            yield first_line(f"{name}: {told}" if told else name)


def _models(result: dict[str, Any]) -> list[Any]:
    usages = at(result, "modelUsage")
    return list(usages.values()) if isinstance(usages, dict) else []


def _of_model(told: Any) -> AgentUsage:
    names = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    return AgentUsage(*(count_at(told, name) for name in names))


def _of_message(told: Any) -> AgentUsage:
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return AgentUsage(*(count_at(told, name) for name in names))


def _is_some(usage: AgentUsage) -> bool:
    return usage != AgentUsage()


def _sum(usages: list[AgentUsage]) -> AgentUsage:
    return AgentUsage(
        sum(each.input for each in usages),
        sum(each.output for each in usages),
        sum(each.cache_read for each in usages),
        sum(each.cache_write for each in usages),
    )

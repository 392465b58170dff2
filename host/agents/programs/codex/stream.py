"""What the `codex` program writes: one JSON event a line, of which those that are known are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flowcage.host.agents.answer import AgentUsage, Progress
from flowcage.host.agents.http.told import at, count_at, each_at, text_at
from flowcage.host.agents.programs.cli import first_line
from flowcage.host.agents.redaction import redacted
from flowcage.host.terminal.text import cut

# Members of items that say what these are about.
_TELLING = ("command", "query", "tool", "text", "message")


class CodexStream:
    """The events of one call so far.

    Args:
        tell: is given word of the progress.

    Attributes:
        thread_id: the program's name for the conversation.
        text: the last message of the model; None for none.
        usage: of the conversation, earlier calls included; None until it is told.
        error: the last error, which the program may have got over; None for none.
        failure: why the turn failed; None where it did not.
        is_done: whether the turn has ended.
    """

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell = tell
        self.thread_id: str | None = None
        self.text: str | None = None
        self.usage: AgentUsage | None = None
        self.error: str | None = None
        self.failure: str | None = None
        self.is_done = False

    def take(self, event: dict[str, Any]) -> None:
        """Take the next event; one that is not known changes nothing."""
        match event.get("type"):
            case "thread.started":
                self.thread_id = text_at(event, "thread_id")
                self._tell(Progress(session_id=self.thread_id))
            case "item.started" | "item.completed" as kind:
                self._take_item(event.get("item"), is_over=kind == "item.completed")
            case "error":
                self.error = _words(text_at(event, "message"))
                self._tell(Progress(text=first_line(self.error)))
            case "turn.completed":
                self.usage, self.is_done = usage_of(event.get("usage")), True
            case "turn.failed":
                self.failure, self.is_done = _words(text_at(event, "error", "message")), True

    def _take_item(self, item: Any, *, is_over: bool) -> None:
        kind = text_at(item, "type")
        text = text_at(item, "text") if kind == "agent_message" else None
        if text is not None and is_over:
            self.text = text
        # What takes time is told as it begins, and the rest when it is there.
        begins_first = kind in ("command_execution", "mcp_tool_call", "web_search")
        if kind is not None and is_over is not begins_first:
            self._tell(Progress(text=first_line(_told(kind, item))))


def usage_of(told: Any) -> AgentUsage | None:
    """Tokens as the program counts them: its input has what came from a cache, too."""
    if at(told, "input_tokens") is None:
        return None
    cached, written = count_at(told, "cached_input_tokens"), count_at(told, "cache_write_input_tokens")
    new = max(count_at(told, "input_tokens") - cached - written, 0)
    return AgentUsage(new, count_at(told, "output_tokens"), cached, written)


def since(usage: AgentUsage, before: AgentUsage) -> AgentUsage:
    """What was spent beyond what had been spent before."""
    return AgentUsage(
        max(usage.input - before.input, 0),
        max(usage.output - before.output, 0),
        max(usage.cache_read - before.cache_read, 0),
        max(usage.cache_write - before.cache_write, 0),
    )


def _told(kind: str, item: Any) -> str:
    if kind == "file_change":
        paths = [path for each in each_at(item, "changes") if (path := text_at(each, "path")) is not None]
        return f"file_change: {', '.join(paths)}"
    told = next((text for name in _TELLING if (text := text_at(item, name))), "")
    return told if kind == "agent_message" else f"{kind}: {told}"


def _words(message: str | None) -> str:
    """What an error says; it may be the JSON of the provider's answer."""
    try:
        inside = text_at(json.loads(message or ""), "error", "message")
    except (ValueError, RecursionError):
        inside = None
    return cut(redacted(inside or message or "it does not say why").strip(), 1_000)

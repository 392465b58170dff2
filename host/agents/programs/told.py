"""What a program tells of its work by lines of JSON: progress, and what was spent so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowcage.host.agents.answer import AgentUsage, Progress, is_cost
from flowcage.host.agents.redaction import redacted
from flowcage.host.terminal.text import cut
from flowcage.protocol.messages import Json

MAX_PROGRESS_CHARACTERS = 1_000
MAX_NAME_CHARACTERS = 1_000
# Of lines that were left out, so many are told of.
MAX_COMPLAINTS = 10
_MAX_NUMBER = 2**53
_USAGE = {"input": "input", "output": "output", "cacheRead": "cache_read", "cacheWrite": "cache_write"}


class Told:
    """The last word of a program on each thing. Lines that say nothing of use are left out, and told of.

    Args:
        tell: is given each progress.
    """

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell = tell
        self._complaints = 0
        self._last = Progress()

    def note(self, line: Json) -> None:
        """Take in one line: ``{"usage"?, "costUsd"?, "model"?, "sessionId"?, "progress"?}``."""
        try:
            progress = progress_of(line)
        except ValueError as error:
            self.leave_out(str(error))
            return
        told = {name: value for name, value in vars(progress).items() if value is not None}
        if told:
            self._last = Progress(**{**vars(self._last), **told})
            self._tell(progress)

    def leave_out(self, why: str) -> None:
        """Tell of a line that is none; of the first ones."""
        self._complaints += 1
        if self._complaints <= MAX_COMPLAINTS:
            further = "; further ones are not told of" if self._complaints == MAX_COMPLAINTS else ""
            self._tell(Progress(f"a line on descriptor 3 was left out, which {_shown(why)}{further}"))

    @property
    def spent(self) -> dict[str, Any]:
        """As `AgentError` takes it."""
        last = self._last
        return {"usage": last.usage, "cost_usd": last.cost_usd, "model": last.model}

    @property
    def session_id(self) -> str | None:
        return self._last.session_id


def progress_of(line: Json) -> Progress:
    """The progress that a line tells of. Members that are null or not known are left out.

    Raises:
        ValueError: a member has another type, or the line is no object. The message has no subject.
    """
    if not isinstance(line, dict):
        raise ValueError("is no JSON object")
    usage, cost = line.get("usage"), line.get("costUsd")
    text = _text(line, "progress")
    if cost is not None and not is_cost(cost):
        raise ValueError("has a costUsd that is no number of 0 or more")
    return Progress(
        None if text is None else _shown(text),
        None if usage is None else _usage(usage),
        cost,
        _name(line, "model"),
        _name(line, "sessionId"),
    )


def _shown(text: str) -> str:
    """A text without keys, and cut after that: half of one is not found."""
    return cut(redacted(text), MAX_PROGRESS_CHARACTERS)


def _usage(usage: Json) -> AgentUsage:
    if not isinstance(usage, dict):
        raise ValueError('has a usage that is no object such as {"input": 10, "output": 5}')
    for name in _USAGE:
        count = usage.get(name, 0)
        if type(count) is not int or not 0 <= count <= _MAX_NUMBER:
            raise ValueError(f"has a usage.{name} that is no whole number of 0 or more")
    return AgentUsage(**{ours: usage.get(name, 0) for name, ours in _USAGE.items()})


def _text(line: dict[str, Json], name: str) -> str | None:
    text = line.get(name)
    if text is not None and not isinstance(text, str):
        raise ValueError(f"has a {name} that is no text")
    return text


def _name(line: dict[str, Json], name: str) -> str | None:
    text = _text(line, name)
    if text is not None and not 0 < len(text) <= MAX_NAME_CHARACTERS:
        raise ValueError(f"has a {name} of {len(text)} characters, and may have 1 to {MAX_NAME_CHARACTERS}")
    return text

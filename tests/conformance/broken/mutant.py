"""A child that is broken in one way: flowcage's own session, but what it reads or says is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from flowcage.protocol.errors import CODES


class Turn(NamedTuple):
    """One line from the host, without its newline, and the real child's answer; `past` is oldest first."""

    line: bytes
    answer: bytes
    past: list[Turn]

    @property
    def message(self) -> dict[str, Any]:
        """The request, as far as it can be read."""
        return _read(self.line)

    @property
    def method(self) -> str:
        """Its method, or nothing."""
        return str(self.message.get("method", ""))

    @property
    def reply(self) -> dict[str, Any]:
        """What the real child answers."""
        reply: dict[str, Any] = json.loads(self.answer or b"{}")
        return reply

    @property
    def source(self) -> str:
        """The workflow that was started, now or before."""
        for turn in (*self.past, self):
            if turn.method in ("start", "run") and "source" in turn.message.get("params", {}):
                return str(turn.message["params"]["source"])
        return ""


Condition: TypeAlias = Callable[[Turn], bool]
Action: TypeAlias = Callable[[Turn], bytes]


@cache
def _read(data: bytes) -> dict[str, Any]:
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


class Mutant(NamedTuple):
    """What is changed.

    Attributes:
        after: what to say in place of the answer.
        before: what the child reads in place of a line.
        ends: by the turns so far, whether stdin ended, and the unfinished line: the exit status, what to say
            before leaving with status 0, or None for a child that does not leave.
        breaks_lines: how received bytes become lines, in place of splitting at newlines.
        mutters: when to say something on stderr.
    """

    after: Action = lambda turn: turn.answer
    before: Callable[[bytes], bytes] = lambda line: line
    ends: Callable[[list[Turn], bool, bytes], int | bytes | None] = lambda _past, _ended, _held: 0
    breaks_lines: Callable[[bytes], list[bytes]] | None = None
    mutters: Condition = lambda _turn: False


# ---- when ------------------------------------------------------------------------------------


def has(text: str | bytes) -> Condition:
    """The line holds this text."""
    marker = text.encode() if isinstance(text, str) else text
    return lambda turn: marker in turn.line


def method(name: str, nth: int = 0) -> Condition:
    """The line is such a message; `nth` of them, from 1, or any."""

    def holds(turn: Turn) -> bool:
        return turn.method == name and nth in (0, 1 + sum(past.method == name for past in turn.past))

    return holds


def run(text: str) -> Condition:
    """The workflow's source holds this text."""
    return lambda turn: text in turn.source


def says(text: str) -> Condition:
    """The real answer holds this text."""
    return lambda turn: text.encode() in turn.answer


def earlier(text: str) -> Condition:
    """A line before held this text."""
    return lambda turn: any(text.encode() in past.line for past in turn.past)


def when(*conditions: Condition, then: Action) -> Mutant:
    """Say something else where all conditions hold."""
    return Mutant(lambda turn: then(turn) if all(holds(turn) for holds in conditions) else turn.answer)


# ---- then ------------------------------------------------------------------------------------


def line(value: Any) -> bytes:
    """A line of JSON."""
    return json.dumps(value).encode() + b"\n"


def silence(_turn: Turn) -> bytes:
    """No answer."""
    return b""


def twice(turn: Turn) -> bytes:
    """The answer, and again."""
    return turn.answer * 2


def result(value: Any) -> Action:
    """This result, under the request's id."""
    return lambda turn: line({"jsonrpc": "2.0", "id": turn.message.get("id"), "result": value})


def error(kind: str, identifier: Any = ..., **data: Any) -> Action:
    """An error of this kind, under the request's id or this one."""
    more = {"name": "Error", "message": "m", "stack": "", "path": "", "schema": "s", "state": "s", "id": "1"}
    body = {"code": CODES[kind], "message": "m", "data": {"kind": kind, **more, "supported": ["1.0"], **data}}

    def action(turn: Turn) -> bytes:
        own = turn.message.get("id") if identifier is ... else identifier
        return line({"jsonrpc": "2.0", "id": own, "error": body})

    return action


def edit(change: Callable[[Any], Any]) -> Action:
    """The real result, changed in place; an error stays as it is."""

    def action(turn: Turn) -> bytes:
        reply = turn.reply
        if "result" not in reply:
            return turn.answer
        change(reply["result"])
        return line(reply)

    return action


def edit_data(**members: Any) -> Action:
    """The real error, with other members in its data; None takes one out."""

    def action(turn: Turn) -> bytes:
        reply = turn.reply
        if "error" not in reply:
            return turn.answer
        data = reply["error"]["data"]
        data.update(members)
        reply["error"]["data"] = {name: value for name, value in data.items() if value is not None}
        return line(reply)

    return action


def replaced(old: str, new: str) -> Action:
    """The real answer with a text in it exchanged."""
    return lambda turn: turn.answer.replace(old.encode(), new.encode())


def completes(value: Any) -> Action:
    """A drain that is complete with this result."""
    return result({"calls": [], "requests": [], "state": "complete", "output": {"result": value}})


def reading(old: str | bytes, new: str | bytes, within: str = "") -> Mutant:
    """The child reads another text than the host wrote, in lines of one method or in all."""
    one, other = (text.encode() if isinstance(text, str) else text for text in (old, new))
    marker = f'"method": "{within}"'.encode() if within else b""
    return Mutant(before=lambda data: data.replace(one, other) if marker in data else data)

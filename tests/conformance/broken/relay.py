"""What a broken service does otherwise: lines between the kit and flowcage's own host are changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from flowcage.conformance.contract import OF_HOST

Message: TypeAlias = dict[str, Any]


class State:
    """What was said so far.

    Attributes:
        sent: the client's messages.
        said: the host's, as it said them.
        kept: of a mutant's own.
        to_host, to_client: write a message in between.
    """

    def __init__(self, to_host: Callable[[Message], None], to_client: Callable[[Message], None]) -> None:
        self.sent: list[Message] = []
        self.said: list[Message] = []
        self.kept: list[Any] = []
        self.to_host, self.to_client = to_host, to_client

    def method_of(self, answer: Message) -> str:
        """The method that the host answers, with ``=`` before it; of a request, its method."""
        if "method" in answer:
            return str(answer["method"])
        for message in reversed(self.sent):
            if "method" in message and message.get("id") == answer.get("id"):
                return f"={message['method']}"
        return ""

    def count(self, method: str) -> int:
        """How often the client has sent a method."""
        return sum(message.get("method") == method for message in self.sent)


# The message in place of this one; None for none.
Change: TypeAlias = Callable[[State, Message], Message | None]


class Broken(NamedTuple):
    """What is changed.

    Attributes:
        hears: what the host hears of the client's message.
        says: what the client hears of the host's.
        status: exit status at the end, in place of 0.
        leaves: whether a process is left behind.
        mutters: whether it says something on stderr.
        last: what it says when stdin ends in half a line, or after it answered `shutdown`.
        arguments: of the host, in place of a store.
    """

    hears: Change = lambda _state, message: message
    says: Change = lambda _state, message: message
    status: int = 0
    leaves: bool = False
    mutters: bool = False
    last: Message | None = None
    arguments: tuple[str, ...] = ()


def failure(kind: str, identifier: Any = None, **data: Any) -> Message:
    """An error of this kind."""
    more = {
        "path": "",
        "message": "m",
        "runId": "r",
        "supported": ["1.0"],
        "quota": "q",
        "retryAfterSeconds": 1,
    }
    error = {"code": OF_HOST.codes[kind], "message": "m", "data": {"kind": kind, **more, **data}}
    return {"jsonrpc": "2.0", "id": identifier, "error": error}


# ---- of the client's messages ----------------------------------------------------------------


def instead(method: str, answer: Callable[[State, Message], Message | None]) -> Broken:
    """Answer such a message in place of the host; None lets it pass."""

    def hears(state: State, message: Message) -> Message | None:
        said = answer(state, message) if message.get("method") == method else None
        if said is None:
            return message
        if said:
            state.to_client(said)
        return None

    return Broken(hears=hears)


def refuses(method: str, kind: str, nth: int = 1) -> Broken:
    """Answer the nth message of a method by an error."""
    return instead(
        method,
        lambda state, message: failure(kind, message.get("id")) if state.count(method) == nth else None,
    )


def accepts(method: str, result: Message, nth: int = 1) -> Broken:
    """Answer the nth message of a method by this result."""
    return instead(
        method,
        lambda state, message: (
            {"jsonrpc": "2.0", "id": message["id"], "result": result} if state.count(method) == nth else None
        ),
    )


def heard(change: Callable[[Message], Any], method: str | None = None) -> Broken:
    """Change the client's messages in place: those of a method, or its answers."""

    def hears(_state: State, message: Message) -> Message:
        if message.get("method") == method:
            change(message)
        return message

    return Broken(hears=hears)


def params(method: str, change: Callable[[Message], Any]) -> Broken:
    """Change the params of a method in place."""
    return heard(lambda message: change(message.setdefault("params", {})), method)


def without(*path: str) -> Broken:
    """The host does not hear of this member of `run.start`."""

    def change(told: Message) -> None:
        for name in path[:-1]:
            told = told.get(name, {})
        told.pop(path[-1], None)

    return params("run.start", change)


def error_heard(change: Callable[[Message], Any]) -> Broken:
    """Change the errors of the client in place."""
    return heard(lambda message: change(message["error"]) if "error" in message else None)


def kind_heard(old: str, new: str) -> Broken:
    """An error of the client counts as another kind."""

    def change(error: Message) -> None:
        if error.get("data", {}).get("kind") == old:
            error["data"]["kind"] = new

    return error_heard(change)


def result_heard(change: Callable[[Message], Any]) -> Broken:
    """Change the results of the client in place."""
    return heard(
        lambda message: change(message["result"]) if isinstance(message.get("result"), dict) else None
    )


# ---- of the host's messages ------------------------------------------------------------------


def said(name: str, change: Callable[[Message], Any], nth: int = 0) -> Broken:
    """Change messages of the host in place: those of a method, or answers to ``=METHOD``; the nth, or all."""

    def says(state: State, message: Message) -> Message:
        if state.method_of(message) == name:
            number = sum(state.method_of(before) == name for before in state.said)
            if nth in (0, number):
                change(message)
        return message

    return Broken(says=says)


def asked(method: str, nth: int = 0, **members: Any) -> Broken:
    """Set params of requests of the host."""
    return said(method, lambda message: message["params"].update(members), nth)


def answered(method: str, change: Callable[[Message], Any], nth: int = 0) -> Broken:
    """Change results of the host in place."""
    return said(f"={method}", lambda message: change(message["result"]) if "result" in message else None, nth)


def outcome(change: Callable[[Message], Any]) -> Broken:
    """Change the outcomes in place."""
    return answered("run.wait", lambda result: change(result["outcome"]))


def verdict(old: str, new: str) -> Broken:
    """Another verdict."""
    return outcome(lambda told: told.update(verdict=new) if told["verdict"] == old else None)


def forgives(method: str, kind: str, result: Message) -> Broken:
    """A result where the host has an error of this kind."""

    def says(state: State, message: Message) -> Message:
        is_refused = state.method_of(message) == f"={method}" and "error" in message
        if is_refused and message["error"]["data"]["kind"] == kind:
            return {"jsonrpc": "2.0", "id": message["id"], "result": result}
        return message

    return Broken(says=says)


def drops(holds: Callable[[Message], bool], nth: int = 0) -> Broken:
    """The client does not hear of these."""

    def says(state: State, message: Message) -> Message | None:
        if not holds(message):
            return message
        number = sum(map(holds, state.said))
        return None if nth in (0, number) else message

    return Broken(says=says)


def events(change: Callable[[Message], Any]) -> Broken:
    """Change events in place."""
    return said("run.event", lambda message: change(message["params"]["event"]))


def event(kind: str) -> Callable[[Message], bool]:
    """Events of this type."""
    return lambda message: message.get("params", {}).get("event", {}).get("type") == kind

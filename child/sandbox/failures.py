"""The error replies of runs that failed, and which kind each of the engine's errors is."""

from __future__ import annotations

from flowcage._hints import Any
from flowcage.child.engine.errors import Interrupted
from flowcage.protocol import errors
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.messages import Advance, Message, Replay, Resolve

OUT_OF_MEMORY = {"name": "InternalError", "message": "out of memory", "stack": ""}


def out_of_memory() -> ErrorReply:
    """The reply for a failed allocation whose error the engine has lost."""
    return ErrorReply(errors.MEMORY, OUT_OF_MEMORY["message"], OUT_OF_MEMORY)


def heap_is_full(memory_bytes: int, where: str) -> ErrorReply:
    """The reply for a heap that has reached its limit.

    Args:
        memory_bytes: the limit.
        where: the author's frames of the stack, one on a line.
    """
    message = f"out of memory: the heap is full (memoryBytes {memory_bytes})"
    return ErrorReply(errors.MEMORY, message, {"name": "InternalError", "message": message, "stack": where})


def failure_kind(error: dict[str, Any]) -> str:
    """The kind of failure of an error, which the engine's own messages tell.

    Args:
        error: its ``name`` and ``message``.
    """
    if error["name"] == "InternalError" and error["message"].startswith("out of memory"):
        return errors.MEMORY
    if error["name"] == "RangeError" and error["message"] == "Maximum call stack size exceeded":
        return errors.STACK
    return errors.EXCEPTION


def thrown_failure(error: dict[str, Any], prefix: str) -> ErrorReply:
    """The reply for a thrown error that ended the run.

    Args:
        error: ``name``, ``message`` and ``stack``, which become the reply's data.
        prefix: what the message begins with, such as where the error was thrown.
    """
    return ErrorReply(failure_kind(error), prefix + error["message"], error)


def interruption(stopped: Interrupted) -> ErrorReply:
    """The reply for a limit of time that ended the run."""
    return errors.run_failure(stopped.kind, "InternalError", stopped.message)


def unknown_request(identifier: str, turn: int | None = None) -> ErrorReply:
    """The reply to a `resolve`, or to this turn of an `advance`, with an id that is not outstanding."""
    message = f"unknown workflow request id: {identifier}"
    data = {"id": identifier} if turn is None else {"id": identifier, "turn": turn}
    return ErrorReply(errors.UNKNOWN_REQUEST, message, data)


def without_run(message: Message, failure: ErrorReply) -> ErrorReply:
    """The reply to a message about a run that `failure` has prevented: no request of it is outstanding."""
    match message:
        case Resolve():
            return unknown_request(message.id)
        case Advance() | Replay():
            return unknown_request(message.turns[0][0].id, 0)
        case _:
            return failure


def missing_default(exported: list[str]) -> ErrorReply:
    """The reply for a module that exports no default.

    Args:
        exported: the names that it exports.
    """
    names = [name for name in exported if name != "meta"]
    advice = f"add `export default {names[0]};`" if names else "end it with `return …` or `export default …`"
    has = f"only {', '.join(names[:5])}" if names else "nothing that could be one"
    message = f"workflow module must default export a workflow result or function; it exports {has}: {advice}"
    return errors.run_failure(errors.MISSING_DEFAULT, "SyntaxError", message)

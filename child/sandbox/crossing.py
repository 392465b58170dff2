"""Values that cross between the host and the workflow: args, budget and answers in, the result out."""

import json

from flowcage._hints import Any, NamedTuple, assert_never
from flowcage.child.engine.capi import JSValue
from flowcage.child.engine.context import integer
from flowcage.child.engine.errors import JavaScriptError
from flowcage.child.sandbox.failures import thrown_failure
from flowcage.child.sandbox.realm import Realm
from flowcage.protocol import encode, errors, strictjson
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.messages import (
    DIALECTS,
    MISSING,
    Dialect,
    Ok,
    OkUndefined,
    Rejected,
    Resolve,
    Run,
    Start,
)

BEFORE_ARGS = "workflow args: "
_BEFORE_ANSWER = "workflow request answer: "
_DIALECTS: dict[str, Dialect] = {name: name for name in DIALECTS}


def install(realm: Realm, message: Start | Run) -> None:
    """Give the workflow its args and its budget.

    Raises:
        ErrorReply: the heap or the stack is too small for them.
        Interrupted: a limit of time was reached.
    """
    given = {} if message.args is MISSING else message.args, encode.budget(message.budget)
    with realm.context.scope():
        texts = map(strictjson.dumps_ascii, given)
        try:
            realm.show_limits()
            realm.call("install", *map(realm.string, texts))
        except JavaScriptError:
            raise thrown_failure(take_error(realm), BEFORE_ARGS) from None


class UsualLine(NamedTuple):
    """A line of the usual form, which the prelude may judge (`child/short_cut.py`).

    Attributes:
        data: with its newline.
        method: of the message.
        id: of the message.
        budgets: how many members named ``budget`` it has.
    """

    data: bytes
    method: str
    id: int
    budgets: int


class Opened(NamedTuple):
    """What a `run` asks to compile."""

    source: bytes
    name: str
    dialect: Dialect
    describe: bool


def open_run(realm: Realm, line: UsualLine) -> Opened | None:
    """As `install`, for the line of a `run`; None where it is not in order, and then nothing was changed."""
    try:
        realm.show_limits()
        with realm.context.scope():
            opened = realm.call_on_json("openRun", line.data, integer(line.id), integer(line.budgets))
            text = b"" if opened is None else realm.context.utf8(opened)
    except JavaScriptError:
        realm.clear_error()
        return None
    if not text:
        return None
    head, _, source = text.partition(b"\n")
    dialect, describe, named = head.decode("utf-8", "surrogatepass").split(",", 2)
    defaults = Run._field_defaults
    return Opened(
        source,
        named[1:] if named else defaults["source_name"],
        _DIALECTS[dialect] if dialect else defaults["dialect"],
        describe != "",
    )


def settle_turn(realm: Realm, line: UsualLine) -> bool:
    """Settle the requests of the line of an `advance`. Raises as `install`.

    Returns:
        Whether it was in order. If not, nothing was changed.
    """
    try:
        settled = realm.call_on_json("settleTurn", line.data, integer(line.id), integer(line.budgets))
        return settled is not None and settled.is_true()
    except JavaScriptError:
        raise thrown_failure(take_error(realm), _BEFORE_ANSWER) from None


def open_replay(realm: Realm, line: UsualLine) -> bool:
    """Take the turns of the line of a `replay`. Returns whether it was in order; nothing is settled yet."""
    try:
        opened = realm.call_on_json("openReplay", line.data, integer(line.id), integer(line.budgets))
        return opened is not None and opened.is_true()
    except JavaScriptError:
        realm.clear_error()
        return False


def ids_of_turn(line: UsualLine, number: int) -> list[str]:
    """The ids of one turn of a line that was in order."""
    return [settled["id"] for settled in json.loads(line.data)["params"]["turns"][number]]


def settle_next(realm: Realm) -> bool:
    """Settle the requests of the next turn that `open_replay` has taken. Raises as `install`.

    Returns:
        Whether there was one, and all of its requests were outstanding.
    """
    try:
        return realm.is_true("settleNext")
    except JavaScriptError:
        raise thrown_failure(take_error(realm), _BEFORE_ANSWER) from None


def settle(realm: Realm, message: Resolve) -> None:
    """Settle the promise of an outstanding request. Raises as `install`."""
    resolution = message.resolution
    match resolution:
        case Ok():
            kind, text = "ok", strictjson.dumps_ascii(resolution.value)
        case OkUndefined():
            kind, text = "ok_undefined", "null"
        case Rejected():
            kind, text = "error", strictjson.dumps_ascii(resolution.message)
        case _:
            assert_never(resolution)
    with realm.context.scope():
        try:
            if isinstance(resolution, Ok) and resolution.budget is not None:
                budget = strictjson.dumps_ascii(encode.budget(resolution.budget))
                realm.call("setBudget", realm.string(budget))
            realm.call("settle", *map(realm.string, (message.id, kind, text)))
        except JavaScriptError:
            raise thrown_failure(take_error(realm), _BEFORE_ANSWER) from None


def result_text(realm: Realm, value: JSValue) -> str:
    """The workflow's result as JSON text. Its ``toJSON`` and getters run here, within the step.

    Raises:
        ErrorReply: kind ``serialization`` where JSON cannot hold the value, ``memory`` where the heap cannot.
        Interrupted: the time of the step is over.
    """
    try:
        text = realm.call_text("encodeResult", value)
    except JavaScriptError:
        error = take_error(realm)
        reply = thrown_failure(error, "workflow result cannot be serialized: ")
        if reply.kind != errors.MEMORY:
            reply = ErrorReply(errors.SERIALIZATION, reply.message, error)
        raise reply from None
    try:
        strictjson.check_structure(text.encode(), strictjson.MAX_VALUE_DEPTH)
    except strictjson.StructureError as refused:
        message = f"workflow result cannot be serialized: {refused}"
        raise errors.run_failure(errors.SERIALIZATION, "RangeError", message) from None
    return text


def take_error(realm: Realm) -> dict[str, Any]:
    """Describe the pending exception, as `Realm.take_error`.

    Raises:
        Interrupted: the exception is that of the watchdog.
    """
    error = realm.take_error()
    realm.watchdog.check()
    return error

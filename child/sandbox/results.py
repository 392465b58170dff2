"""Turns the value that a workflow returns into the JSON text of its result."""

from __future__ import annotations

from typing import Any

from flowcage.child.engine.capi import JSValue
from flowcage.child.engine.errors import JavaScriptError
from flowcage.child.sandbox.failures import thrown_failure
from flowcage.child.sandbox.realm import Realm
from flowcage.protocol import errors, strictjson
from flowcage.protocol.errors import ErrorReply


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

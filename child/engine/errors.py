"""The exceptions of this room."""

from __future__ import annotations


class EngineUnavailable(Exception):
    """The installed quickjs-ng cannot be used; the message says why and what to install."""


class JavaScriptError(Exception):
    """An exception is pending in the context; `Context.take_exception` returns it."""


class Interrupted(Exception):
    """The watchdog stopped JavaScript; `kind` is the error kind on the wire, such as ``timeout``."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class OutOfMemory(Exception):
    """The heap's limit leaves no room for a realm."""

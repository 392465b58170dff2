"""What the engine can answer instead of a value."""

from __future__ import annotations


class EngineUnavailable(Exception):
    """The installed quickjs-ng cannot be driven; the message says why and what to install."""


class JavaScriptError(Exception):
    """An exception is pending in the context; `Context.take_exception` hands it out."""


class Interrupted(Exception):
    """The watchdog stopped JavaScript; `kind` is the wire's name for the limit that was reached."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class OutOfMemory(Exception):
    """The engine could not allocate even a string for us."""

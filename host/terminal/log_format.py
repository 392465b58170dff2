"""Log records as lines on stderr: JSON for machines, plain text for people.

Whatever a record holds comes out as one line that cannot steer a terminal. A handler never waits for whoever
reads stderr, and never raises.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from flowcage.host.terminal import form
from flowcage.host.terminal.text import MAX_CHARACTERS, cut, escaped, safe, tell, wait_until_told

LogFormat: TypeAlias = Literal["text", "json"]
FORMATS: tuple[LogFormat, ...] = ("text", "json")

# What every record has; everything else was given as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_MOST_FIELDS = 50


class JsonFormatter(logging.Formatter):
    """One JSON object a record: ``time``, ``level``, ``logger``, ``message``, then its ``extra`` fields.

    A traceback is in ``exception``. A field that is no JSON is told as text.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its newline."""
        members: dict[str, Any] = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _text(_message(record)),
        }
        members |= {name: _value(value) for name, value in fields_of(record).items() if name not in members}
        if record.exc_info:
            members["exception"] = _text(self.formatException(record.exc_info))
        return escaped(json.dumps(members, ensure_ascii=False))


class TextFormatter(logging.Formatter):
    """``flowcage: warning: …``, as the command line tells all else; fields are left out."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its newline."""
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        return f"flowcage: {level}{safe(_message(record))}".replace("\n", " ")


class StderrHandler(logging.Handler):
    """Writes to stderr without waiting for its reader."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; one that cannot be formatted is left out."""
        try:
            tell(self.format(record))
        except Exception:  # a record of somebody else's may hold anything
            self.handleError(record)

    def flush(self) -> None:
        """Wait a few seconds at most for whoever reads stderr."""
        wait_until_told()

    def handleError(self, record: logging.LogRecord) -> None:
        """Say that a record is missing; the standard library would print a traceback."""
        missing = f"a log record of {safe(record.name)} could not be written"
        is_json = isinstance(self.formatter, JsonFormatter)
        tell(
            form.record("message", level="warning", message=missing)
            if is_json
            else f"flowcage: warning: {missing}"
        )


def handler_for(form: LogFormat) -> logging.Handler:
    """A handler that writes to stderr in this form."""
    handler = StderrHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    return handler


def log_to_stderr(form: LogFormat, level: int = logging.INFO) -> logging.Handler:
    """Have flowcage's loggers write to stderr, for a program that has set up no logging of its own."""
    root = logging.getLogger("flowcage")
    handler = handler_for(form)
    root.addHandler(handler)
    root.setLevel(level)
    root.propagate = False
    return handler


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What a record was given as ``extra``."""
    given = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    return dict(list(given.items())[:_MOST_FIELDS])


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # arguments that do not fit, or whose text fails
        return str(record.msg)


def _time(created: float) -> str:
    return datetime.fromtimestamp(created, UTC).isoformat(timespec="microseconds")


def _value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    try:
        return _text(value if isinstance(value, str) else str(value))
    except Exception:  # the class is somebody else's
        return f"a {type(value).__name__}, which has no text"


def _text(text: str) -> str:
    return cut(text, MAX_CHARACTERS).encode("utf-8", "replace").decode()

"""The form of what a command says on stderr: text, or with ``--log-format json`` an object on each line.

It is known before anything is said, since errors of the command line itself are said in it, and so is what
the way to stderr adds, such as the count of lines that nobody read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

_OPTION = "--log-format"
_chosen = {"json": False}


def choose(words: Sequence[str]) -> None:
    """Take the form that a command line asks for; of several, the last one counts."""
    before = ""
    for word in words:
        if before == _OPTION or word.startswith(f"{_OPTION}="):
            _chosen["json"] = word.removeprefix(f"{_OPTION}=") == "json"
        before = word


def is_json() -> bool:
    """Whether each line is an object."""
    return _chosen["json"]


def record(kind: str, /, **members: Any) -> str:
    """One such line, of ASCII alone."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"type": kind, "time": now, **members})


def of_text(text: str, level: str) -> str:
    """A line of flowcage's own in the form that is chosen."""
    return record("message", level=level, message=text) if is_json() else f"flowcage: {text}"

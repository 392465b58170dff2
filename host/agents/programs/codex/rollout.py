"""What the `codex` program has stored of a conversation, where its events do not say it.

Its events count the tokens of the whole conversation, and name no model. The file of the conversation has
both. It is the program's own and may change: where it does not say, nothing is known.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from flowcage.host.agents.answer import AgentUsage
from flowcage.host.agents.http.told import at, text_at
from flowcage.host.agents.programs.codex.stream import usage_of
from flowcage.protocol import strictjson

_THREAD = re.compile(r"[\w-]{1,100}")
_OF_INTEREST = (b'"token_count"', b'"turn_context"')
_MAX_LINE_BYTES = 1024 * 1024


class Rollout(NamedTuple):
    """What is stored of a conversation.

    Attributes:
        usage: of all its turns; None where it is not known.
        model: of its last turn.
    """

    usage: AgentUsage | None = None
    model: str | None = None


def rollout_of(thread: str | None, environment: dict[str, str]) -> Rollout:
    """What is stored of a conversation; it reads a file.

    Args:
        thread: its name.
        environment: of the program.
    """
    usage, model = None, None
    try:
        for message in _messages(thread, environment):
            if text_at(message, "type") == "turn_context":
                model = text_at(message, "payload", "model")
            total = usage_of(at(message, "payload", "info", "total_token_usage"))
            usage = usage if total is None else total
    except OSError:
        return Rollout()
    return Rollout(usage, model)


def _messages(thread: str | None, environment: dict[str, str]) -> Iterator[Any]:
    path = _path(thread, environment)
    if path is None:
        return
    with path.open("rb") as file:
        for line in file:
            if len(line) <= _MAX_LINE_BYTES and any(name in line for name in _OF_INTEREST):
                try:
                    yield strictjson.loads(line)
                except (ValueError, RecursionError):
                    continue


def _path(thread: str | None, environment: dict[str, str]) -> Path | None:
    if thread is None or not _THREAD.fullmatch(thread):
        return None
    home = environment.get("CODEX_HOME") or os.path.join(environment.get("HOME") or "~", ".codex")
    found = Path(
        glob.escape(os.path.expanduser(home)), "sessions", "*", "*", "*", f"rollout-*-{thread}.jsonl"
    )
    return next(map(Path, glob.iglob(str(found))), None)

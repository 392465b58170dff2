"""Why the `codex` program has no answer, by the words of its last error: it has no codes."""

from __future__ import annotations

import re
from typing import Any

from flowcage.host.agents.errors import AgentError, AgentsUnavailable
from flowcage.host.agents.programs.cli import sentence
from flowcage.host.agents.programs.codex.stream import CodexStream

_ACCOUNT_WORDS = re.compile(
    r"\b40[123] (?:unauthorized|payment|forbidden)|api key|quota|usage limit|hit your .{0,60}\blimit"
    r"|not logged in|codex login|missing environment variable|billing|credits",
    re.IGNORECASE,
)
_SCHEMA_WORDS = re.compile(r"schema|response_format|text\.format", re.IGNORECASE)
_MODEL_WORDS = re.compile(r"\bmodel\b.{0,200}not (?:exist|found|supported)", re.IGNORECASE | re.DOTALL)
_BUSY_WORDS = re.compile(r"\b429\b|\b5\d\d\b|high demand|overloaded|disconnected|reconnecting", re.IGNORECASE)


def refuses_schema(told: CodexStream) -> bool:
    """Whether the provider took the schema for wrong, before anything was spent."""
    is_refused = told.failure is not None and told.text is None
    return is_refused and _SCHEMA_WORDS.search(told.failure or "") is not None


def failure_of(told: CodexStream, end: str, spent: dict[str, Any]) -> AgentError:
    """The error that events without an answer stand for.

    Args:
        told: the events.
        end: how the program ended, continuing its name.
        spent: what they cost.
    """
    if told.failure is None:
        last = f"; the last error that it told: {told.error}" if told.error else ""
        silent = "ended without an answer, as where the model refuses to give one" if told.is_done else end
        return AgentError(f"agent 'codex' {silent}{last}", **spent)
    if _ACCOUNT_WORDS.search(told.failure):
        return AgentsUnavailable(
            f"agent 'codex' cannot use its account: {sentence(told.failure)} Log in (run 'codex login'), "
            "set the key of its provider, or see to its credit; then resume the run",
            **spent,
        )
    return AgentError(f"agent 'codex' {_reason(told.failure)}", **spent)


def _reason(words: str) -> str:
    if _MODEL_WORDS.search(words):
        return f"may not use this model, or there is none: {sentence(words)} See --agent codex:MODEL"
    if "content_filter" in words:
        return f"refused to answer: {words}"
    if _BUSY_WORDS.search(words):
        return f"gave up after tries of its own: {sentence(words)} options.retry tries the call again later"
    return f"failed: {words}"

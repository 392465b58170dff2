"""Why the `claude` program has no answer, as its last message says it."""

from __future__ import annotations

import re

from flowcage.host.agents.errors import AgentError, AgentsUnavailable
from flowcage.host.agents.http.told import at, each_at, text_at
from flowcage.host.agents.programs.claude.stream import ClaudeStream
from flowcage.host.agents.programs.cli import sentence
from flowcage.host.agents.redaction import redacted
from flowcage.host.terminal.text import cut
from flowcage.protocol.messages import Json

_ACCOUNT_ERRORS = frozenset({"authentication_failed", "oauth_org_not_allowed", "billing_error"})
_ACCOUNT_STATUSES = frozenset({401, 402, 403})
# A subscription that is used up has the error and status of any limit on a rate.
_ACCOUNT_WORDS = re.compile(
    r"hit your .{0,60}\blimit|(?:usage|session|weekly|monthly|spend) limit"
    r"|out of (?:extra )?(?:usage|credits)|credit balance|not logged in|/login",
    re.IGNORECASE,
)
_SCHEMA_WORDS = re.compile(r"schema", re.IGNORECASE)


def refuses_schema(told: ClaudeStream) -> bool:
    """Whether the provider took the schema for wrong, before anything was spent."""
    is_refused = at(told.result, "is_error") is True and at(told.result, "api_error_status") == 400
    return is_refused and told.cost_usd == 0 and _SCHEMA_WORDS.search(_words(told)) is not None


def failure_of(told: ClaudeStream) -> AgentError:
    """The error that a last message stands for which is no answer."""
    words, result = _words(told), told.result or {}
    subtype, status = text_at(result, "subtype"), at(result, "api_error_status")
    if told.error in _ACCOUNT_ERRORS or status in _ACCOUNT_STATUSES or _ACCOUNT_WORDS.search(words):
        return AgentsUnavailable(
            f"agent 'claude' cannot use its account: {sentence(words)} Log in (run 'claude', then /login), "
            "set ANTHROPIC_API_KEY, or see to its credit; then resume the run",
            **told.spent,
        )
    return AgentError(f"agent 'claude' {_reason(told, subtype, status, words)}", **told.spent)


def _reason(told: ClaudeStream, subtype: str | None, status: Json, words: str) -> str:
    if text_at(told.result, "stop_reason") == "refusal":
        return f"refused to answer: {words}"
    if subtype == "error_max_turns":
        return f"was not done after as many turns as its settings allow: {words}"
    if subtype == "error_max_budget_usd":
        return f"was not done within the costs that it was given: {words}"
    if told.error == "model_not_found" or status == 404:
        return f"may not use this model, or there is none: {sentence(words)} See --agent claude:MODEL"
    if status == 429 or (isinstance(status, int) and status >= 500):
        return f"gave up after tries of its own: {sentence(words)} options.retry tries the call again later"
    return f"failed: {words}"


def _words(told: ClaudeStream) -> str:
    result = told.result or {}
    errors = [text for text in each_at(result, "errors") if isinstance(text, str)]
    words = (
        text_at(result, "result") or "; ".join(errors) or text_at(result, "subtype") or "it does not say why"
    )
    return cut(redacted(words).strip(), 1_000)

"""Why there is no answer: what the provider's error says, and whether another request can mend it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from flowcage.host.agents.http.network.backoff import may_pass, retry_after
from flowcage.host.agents.http.told import at, text_at
from flowcage.host.terminal.text import plain_text

_ACCOUNT_STATUSES = frozenset({401, 402, 403})
# Types and codes of both providers' errors that are about the account, whichever status they come with.
_ACCOUNT_CODES = re.compile(
    r"authentication_error|permission_error|billing_error|insufficient_quota|billing_\w+|invalid_api_key"
    r"|account_deactivated|\w*spend_limit_reached|organization_on_hold|\w*billing_unavailable"
    r"|insufficient_credits?|credit_balance\w*|quota_exceeded"
)
# Anthropic says this with the type and status of any wrong request.
_ACCOUNT_WORDS = re.compile(
    r"credit balance is too low|exceeded your current quota|insufficient (?:credit|balance)", re.I
)
_FORM_WORDS = re.compile(
    r"schema|response_format|text\.format|output_config\.format|output_format|tool_choice|grammar"
    r"|structured output|\bformat\b",
    re.I,
)
# Statuses of the errors that may come in the middle of a stream, where there is no other status.
_STATUS_BY_CODE = {
    "overloaded_error": 529,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
}


class Kind(Enum):
    """What can be done about a failure."""

    FINAL = auto()
    PASSING = auto()  # the same request may succeed later
    UNAVAILABLE = auto()  # no request can succeed: of this account, or as long as nobody is there
    FORM = auto()  # the provider does not take the way in which the form of the answer was asked for


@dataclass(eq=False)
class Failure(Exception):
    """A request has no answer.

    Attributes:
        message: continues the name of the agent. It may have the key, and is not cut: half of one would
            not be found.
        kind: what can be done.
        after_s: seconds that the server asks to wait.
    """

    message: str
    kind: Kind = Kind.FINAL
    after_s: float | None = None

    def __str__(self) -> str:
        return self.message


def refusal_of(status: int, headers: Mapping[str, str], content: bytes, now: float) -> Failure:
    """The failure that an answer with an error status stands for.

    Args:
        status: of the answer.
        headers: by name in lower case.
        content: the beginning of its body.
        now: seconds since the epoch.
    """
    told = _json(content)
    if 300 <= status < 400:
        return Failure(
            f"was redirected (status {status}), and no redirect is followed, since it would carry the key "
            "elsewhere; set base_url to the address that answers"
        )
    kind = _kind(status, headers, told)
    after_s = retry_after(headers, now) if kind is Kind.PASSING else None
    return Failure(f"was refused (status {status}): {_words(told, content)}", kind, after_s)


def failure_told(told: Any) -> Failure:
    """The failure that an error in the middle of a stream stands for."""
    status = next((known for code in _codes(told) if (known := _STATUS_BY_CODE.get(code))), 400)
    return Failure(f"broke off: {_words(told, b'')}", _kind(status, {}, told))


def _kind(status: int, headers: Mapping[str, str], told: Any) -> Kind:
    if status in _ACCOUNT_STATUSES or any(map(_ACCOUNT_CODES.fullmatch, _codes(told))):
        return Kind.UNAVAILABLE
    words = _message(told) or ""
    if status in (400, 429) and _ACCOUNT_WORDS.search(words):
        return Kind.UNAVAILABLE
    if status in (400, 422, 500) and _FORM_WORDS.search(f"{words} {text_at(told, 'error', 'param') or ''}"):
        return Kind.FORM
    return Kind.PASSING if may_pass(status, headers) else Kind.FINAL


def _codes(told: Any) -> list[str]:
    paths = (("type",), ("code",), ("details", "error_code"))
    return [code for path in paths if (code := text_at(told, "error", *path)) is not None]


def _message(told: Any) -> str | None:
    for path in (("error", "message"), ("error",), ("message",), ("detail",)):
        if (text := text_at(told, *path)) is not None:
            return text
    return None


def _words(told: Any, content: bytes) -> str:
    message = _message(told)
    codes = [code for code in _codes(told) if code != "invalid_request_error"]
    text = plain_text(content if message is None else message.encode("utf-8", "replace")).strip()
    return f"{codes[0]}: {text}" if codes and text else text or (codes[0] if codes else "no reason is given")


def _json(content: bytes) -> Any:
    try:
        return at(json.loads(content))
    except (ValueError, RecursionError):
        return None

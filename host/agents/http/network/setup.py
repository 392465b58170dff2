"""How an agent reaches its provider: from the environment and from ``[agents.NAME]`` of flowcage.toml."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from flowcage.host.agents.errors import AgentSpecError
from flowcage.host.agents.http.network.secret import Secret
from flowcage.host.agents.settings import AgentSettings
from flowcage.protocol.messages import Json

_COMMON = frozenset(
    {"base_url", "api_key_env", "max_tokens", "max_retries", "connect_timeout_s", "body", "structured"}
)
# Of each table in flowcage.toml; whoever reads that follows these, and an agent sees none of them.
_OF_ALL_AGENTS = frozenset({"model", "timeout", "idle_timeout"})
_MAX_RETRIES = 6
_CONNECT_TIMEOUT_S = 10.0
# What an agent says itself, and what it could not read the answer of.
_RESERVED = frozenset(
    {"model", "messages", "input", "stream", "stream_options", "tools", "tool_choice", "n"}
    | {"max_tokens", "max_output_tokens", "max_completion_tokens", "background", "previous_response_id"}
)


@dataclass(frozen=True)
class Setup:
    """What an agent needs to send a request.

    Attributes:
        name: of the agent.
        base_url: without a slash at its end.
        key: None where the server needs none.
        max_tokens: of an answer; None for the provider's own limit.
        max_retries: how often a request that failed is sent again.
        connect_timeout_s: for one connection.
        body: members of the request that the user adds.
        timeout_s, idle_timeout_s: as in `AgentSettings`.
    """

    name: str
    base_url: str
    key: Secret | None
    max_tokens: int | None
    max_retries: int
    connect_timeout_s: float
    body: Mapping[str, Json]
    timeout_s: float
    idle_timeout_s: float | None

    def hide(self, text: str) -> str:
        """A text without the key."""
        return text if self.key is None else self.key.hide(text)


class Own:
    """The table ``[agents.NAME]``, read member by member.

    Args:
        name: of the agent.
        settings: with the table.
        known: members of this agent beside the common ones.

    Raises:
        AgentSpecError: the table has another member.
    """

    def __init__(self, name: str, settings: AgentSettings, known: Collection[str] = ()) -> None:
        self.name = name
        self.settings = settings
        unknown = sorted(settings.own.keys() - _COMMON - set(known))
        if unknown:
            names = ", ".join(sorted(_COMMON | _OF_ALL_AGENTS | set(known)))
            raise AgentSpecError(f"[agents.{name}] has no member {unknown[0]!r}; it has {names}")

    def text(self, member: str) -> str | None:
        found: str | None = self._of(member, str, "text")
        return found

    def flag(self, member: str, usual: bool) -> bool:
        found = self._of(member, bool, "true or false")
        return usual if found is None else found

    def table(self, member: str) -> Mapping[str, Json]:
        return self._of(member, Mapping, "a table") or {}

    def count(self, member: str, least: int) -> int | None:
        found = self._of(member, int, "a whole number")
        if found is not None and (isinstance(found, bool) or found < least):
            raise self._wrong(member, f"a whole number of {least} or more")
        return found

    def seconds(self, member: str, usual: float) -> float:
        found = self._of(member, int | float, "a number of seconds")
        if found is not None and (isinstance(found, bool) or not found > 0):
            raise self._wrong(member, "a number of seconds above 0")
        return usual if found is None else float(found)

    def choice(self, member: str, choices: Collection[str]) -> str | None:
        found = self.text(member)
        if found is not None and found not in choices:
            raise self._wrong(member, f"one of {', '.join(choices)}")
        return found

    def _of(self, member: str, kind: Any, called: str) -> Any:
        found = self.settings.own.get(member)
        if found is not None and not isinstance(found, kind):
            raise self._wrong(member, called)
        return found

    def _wrong(self, member: str, expected: str) -> AgentSpecError:
        return AgentSpecError(f"[agents.{self.name}] {member} must be {expected}")


def setup(own: Own, base_url: str, key: Secret | None, max_tokens: int | None = None) -> Setup:
    """What the table and the environment come to.

    Raises:
        AgentSpecError: a member of the table is wrong, or the base URL is.
    """
    body = own.table("body")
    if _RESERVED & body.keys():
        raise AgentSpecError(f"[agents.{own.name}] body may not have {min(_RESERVED & body.keys())!r}")
    retries = own.count("max_retries", 0)
    url = _checked(base_url, own.name)
    _require_secrecy(own, url, key)
    return Setup(
        own.name,
        url,
        key,
        own.count("max_tokens", 1) or max_tokens,
        _MAX_RETRIES if retries is None else retries,
        own.seconds("connect_timeout_s", _CONNECT_TIMEOUT_S),
        body,
        own.settings.timeout_s,
        own.settings.idle_timeout_s,
    )


def base_url_of(own: Own, variable: str, usual: str) -> str:
    """The base URL of the table, or of a variable, or the provider's own."""
    return own.text("base_url") or os.environ.get(variable) or usual


def key_of(own: Own, variable: str, *, is_needed: bool) -> Secret | None:
    """The key of the variable that the table names, or of the usual one.

    Raises:
        AgentSpecError: there is none, and one is needed; or what is there is no key.
    """
    named = own.text("api_key_env")
    if named == "":
        return None
    variable = named or variable
    if value := os.environ.get(variable, "").strip():
        return Secret(value, f"the environment variable {variable}")
    if is_needed or named:
        raise AgentSpecError(
            f"agent {own.name!r} needs a key in the environment variable {variable}, which is not set"
        )
    return None


def without_key(settings: AgentSettings) -> AgentSettings:
    """The same settings for an agent that sends nothing, and so needs no key."""
    return replace(settings, own={**settings.own, "api_key_env": ""})


def is_here(host: str) -> bool:
    """Whether a host is this machine."""
    return host in ("localhost", "::1") or host.startswith("127.")


def _require_secrecy(own: Own, url: str, key: Secret | None) -> None:
    """Refuse to send a key where others can read it, unless the user names the key for this very address."""
    parts = urlsplit(url)
    if key is None or parts.scheme == "https" or is_here(parts.hostname or "") or own.text("api_key_env"):
        return
    raise AgentSpecError(
        f"agent {own.name!r} would send its key over http, which everybody between here and "
        f"{parts.hostname} can read; use https, or set [agents.{own.name}] api_key_env to the variable "
        'of a key for that server, or to "" for none'
    )


def _checked(url: str, name: str) -> str:
    try:
        parts = urlsplit(url.strip())
        is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right or parts.query or parts.fragment or not url.isprintable():
        raise AgentSpecError(f"the base URL of agent {name!r} must be like https://host/path")
    if "@" in parts.netloc:
        raise AgentSpecError(f"the base URL of agent {name!r} must have no user and password; set a key")
    return url.strip().rstrip("/")

"""The interface between a run and what answers its ``agent()`` calls."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from flowcage.host.outcome.errors import RequestRejected
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

# Of what `AgentCall.remember` takes, in UTF-8: a name of a session, and not the session.
MAX_HANDLE_BYTES = 8 * 1024

# Options that say how a call is made and shown, not what is asked.
_NOT_IN_KEY = frozenset({"label", "phase", "retry", "timeoutMs"})


class Memory(Protocol):
    """Where one attempt leaves notes for the next life of its host.

    Attributes:
        request: id of the request in the run's tree.
    """

    @property
    def request(self) -> str: ...

    async def keep(self, handle: str) -> None:
        """Keep a note. Raises RuntimeError where the attempt is over."""


@dataclass(frozen=True, init=False)
class AgentCall:
    """One attempt at one ``agent(prompt, options)``.

    Attributes:
        id: the request's number, unique in its workflow.
        prompt: any text; a lone surrogate may be in it.
        options: empty where the workflow gave none. ``model`` and ``provider`` may come from its `meta`.
        problem: what was wrong with the answer to the same call, where this asks once more; else None.
        run_id: the workflow's; `root_run_id` is the same unless it is a child workflow.
        tenant: whose run it is; "" where no `Host` runs it.
        phase: that the call is charged to; None for none.
        attempt: counted from 1; see ``options.retry``.
        deadline: on trio's clock, in seconds, when this attempt is cancelled; infinite without
            ``options.timeoutMs``.
        interrupted: whether this attempt was begun before, by a host that ended: it may have had effects.
        handle: what `remember` was given last in this attempt, by an earlier host or for the answer that had
            a `problem`; None for nothing.
        memory: what `remember` uses.
    """

    id: str
    prompt: str
    options: Mapping[str, Json]
    problem: str | None = None
    run_id: str = ""
    root_run_id: str = ""
    tenant: str = ""
    phase: str | None = None
    attempt: int = 1
    deadline: float = math.inf
    interrupted: bool = False
    handle: str | None = None
    memory: Memory | None = field(default=None, repr=False, compare=False)

    # One is made for each attempt. The `__init__` of a frozen dataclass takes three times as long.
    def __init__(
        self,
        id: str,
        prompt: str,
        options: Mapping[str, Json],
        problem: str | None = None,
        run_id: str = "",
        root_run_id: str = "",
        tenant: str = "",
        phase: str | None = None,
        attempt: int = 1,
        deadline: float = math.inf,
        interrupted: bool = False,
        handle: str | None = None,
        memory: Memory | None = None,
    ) -> None:
        own = self.__dict__
        own["id"], own["prompt"], own["options"], own["problem"] = id, prompt, options, problem
        own["run_id"], own["root_run_id"], own["tenant"] = run_id, root_run_id, tenant
        own["phase"], own["attempt"], own["deadline"] = phase, attempt, deadline
        own["interrupted"], own["handle"], own["memory"] = interrupted, handle, memory

    @property
    def schema(self) -> Json:
        """The JSON Schema that the answer must satisfy; None where any text is an answer."""
        return self.options.get("schema")

    @property
    def label(self) -> str | None:
        """``options.label``, where it is text."""
        return self._text("label")

    @property
    def model(self) -> str | None:
        """``options.model``, where it is text."""
        return self._text("model")

    @property
    def provider(self) -> str | None:
        """``options.provider``, where it is text."""
        return self._text("provider")

    @property
    def key(self) -> str:
        """What is asked, as 32 hexadecimal digits: calls that ask the same have the same key.

        BLAKE2b-128 (RFC 7693) of the prompt and the options as JSON with sorted names, without `None` and
        without ``label``, ``phase``, ``retry`` and ``timeoutMs``.
        """
        asked = {
            name: value
            for name, value in self.options.items()
            if value is not None and name not in _NOT_IN_KEY
        }
        text = strictjson.dumps([self.prompt, _sorted(asked)])
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    @property
    def idempotency_key(self) -> str:
        """``run/request/attempt``, with the ids of the root run and of the request in its tree.

        It is the same where an attempt that was interrupted is asked once more, and another for a retry. A
        second try after a wrong answer is another question, and its key ends in ``.2``.
        """
        request = self.id if self.memory is None else self.memory.request
        again = "" if self.problem is None else ".2"
        return f"{self.root_run_id or self.run_id}/{request}/{self.attempt}{again}"

    async def remember(self, handle: str) -> None:
        """Leave a note for the host that may have to ask this again, such as the name of a session.

        Of a run with a store it is durable when this returns. Of several notes the last counts.

        Args:
            handle: text of at most `MAX_HANDLE_BYTES` in UTF-8, without NUL.

        Raises:
            TypeError, ValueError: it is no text, too long, or has a NUL.
            RuntimeError: the call has ended.
        """
        _require_handle(handle)
        if self.memory is not None:
            await self.memory.keep(handle)

    def _text(self, name: str) -> str | None:
        value = self.options.get(name)
        return value if isinstance(value, str) else None


def _require_handle(handle: object) -> None:
    if not isinstance(handle, str):
        raise TypeError(f"a handle must be text, not {type(handle).__name__}")
    size = len(handle.encode("utf-8", "surrogatepass"))
    if size > MAX_HANDLE_BYTES:
        raise ValueError(f"a handle may have {MAX_HANDLE_BYTES:,} bytes of UTF-8, not {size:,}")
    if "\0" in handle:
        raise ValueError("a handle must have no NUL: programs find it in their environment")


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class AgentUsage:
    """Tokens of one answer, as the model's provider counts them.

    Attributes:
        input, output: what was read anew, and what was written.
        cache_read, cache_write: what the provider took from its cache, and put there.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    def __post_init__(self) -> None:
        for name in ("input", "output", "cache_read", "cache_write"):
            _require_count(name, getattr(self, name))

    def to_json(self) -> dict[str, int]:
        """As events have it."""
        names = {"input": self.input, "output": self.output}
        return names | {"cacheRead": self.cache_read, "cacheWrite": self.cache_write}


def usage_of(told: Json) -> AgentUsage | None:
    """The usage that has this JSON; None for anything else, which a damaged store may have."""
    if not isinstance(told, dict):
        return None
    try:
        return AgentUsage(told["input"], told["output"], told["cacheRead"], told["cacheWrite"])
    except (KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True, init=False)
class AgentAnswer:
    """What the workflow gets, and what it cost.

    Attributes:
        value: text, or the JSON value that the call's schema asks for; whoever asked checks it.
        tokens: that count for the budget. Left out, they are the input and output of `usage`, or 0.
        usage: the tokens in detail, where they are known.
        cost_usd: US dollars, where they are known.
        model: the one that answered.
        session_id: the agent's own name for the conversation.
    """

    value: Json
    tokens: int = 0
    usage: AgentUsage | None = None
    cost_usd: float = 0.0
    model: str | None = None
    session_id: str | None = None

    def __init__(
        self,
        value: Json,
        tokens: int = 0,
        usage: AgentUsage | None = None,
        cost_usd: float = 0.0,
        model: str | None = None,
        session_id: str | None = None,
    ) -> None:
        if type(tokens) is not int or tokens < 0:
            _require_count("tokens", tokens)
        if not tokens and usage is not None:
            tokens = usage.input + usage.output
        if cost_usd != 0:
            _require_cost(cost_usd)
        own = self.__dict__
        own["value"], own["tokens"], own["usage"], own["cost_usd"] = value, tokens, usage, cost_usd
        own["model"], own["session_id"] = model, session_id


def _require_cost(cost: object) -> None:
    if isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 <= cost < math.inf:
        raise ValueError(f"cost_usd must be a finite number of 0 or more, not {cost!r}")


def _require_count(name: str, value: object) -> None:
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} must be a whole number of 0 or more, not {value!r}")


class AgentError(RequestRejected):
    """An agent has no answer; the workflow's ``agent()`` rejects with this message."""


class WrongAnswer(AgentError):
    """The agent answered, but not with what the call's schema asks for; it is asked once more.

    Attributes:
        text: the answer, as far as it is text.
        tokens: that it cost.
    """

    def __init__(self, message: str, text: str | None = None, tokens: int = 0) -> None:
        super().__init__(message)
        self.text = text
        self.tokens = tokens


class AgentSpecError(ValueError):
    """A text such as ``--agent`` takes does not name an agent."""


Agent: TypeAlias = Callable[[AgentCall], Awaitable[AgentAnswer]]

"""One question to an agent, as the run puts it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from flowcage.host.agents.answer import Progress
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

# Of what `AgentCall.remember` takes, in UTF-8: a name of a session, and not the session.
MAX_HANDLE_BYTES = 8 * 1024

# Options that say how a call is made and shown, not what is asked.
_NOT_IN_KEY = frozenset({"label", "phase", "retry", "timeoutMs", "handle"})


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
        refused: the answer that had the `problem`, as text that may have been cut.
        session: of an earlier answer, which this call continues (``options.continue``); None for a new one.
        folder: that the agent works in; None for the host's own.
        watcher: what `tell` uses.
        instructions: of the agent's type (``options.agentType``), which the agent follows as its system
            prompt; None for none.
        tools: names of those that the agent may use at most; None for all that it has otherwise.
        cost_left, tokens_left: US dollars and tokens that the run may still spend on this call when it is
            asked, with what others at work may cost taken off; None without such a ceiling. An agent that can
            be given a limit of its own takes this for it.
        is_held: whether the call must not spend more than is left, since others are at work beside it. An
            agent that cannot keep to that raises `ShareTooSmall` before it spends anything.
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
    refused: str | None = None
    session: str | None = None
    folder: str | None = None
    watcher: Callable[[Progress], None] | None = field(default=None, repr=False, compare=False)
    instructions: str | None = None
    tools: tuple[str, ...] | None = None
    cost_left: float | None = None
    tokens_left: int | None = None
    is_held: bool = False

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
        refused: str | None = None,
        session: str | None = None,
        folder: str | None = None,
        watcher: Callable[[Progress], None] | None = None,
        instructions: str | None = None,
        tools: tuple[str, ...] | None = None,
        cost_left: float | None = None,
        tokens_left: int | None = None,
        is_held: bool = False,
    ) -> None:
        own = self.__dict__
        own["id"], own["prompt"], own["options"], own["problem"] = id, prompt, options, problem
        own["run_id"], own["root_run_id"], own["tenant"] = run_id, root_run_id, tenant
        own["phase"], own["attempt"], own["deadline"] = phase, attempt, deadline
        own["interrupted"], own["handle"], own["memory"] = interrupted, handle, memory
        own["refused"], own["session"], own["folder"], own["watcher"] = refused, session, folder, watcher
        own["instructions"], own["tools"] = instructions, tools
        own["cost_left"], own["tokens_left"], own["is_held"] = cost_left, tokens_left, is_held

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
    def effort(self) -> str | None:
        """``options.effort``, where it is text."""
        return self._text("effort")

    @property
    def provider(self) -> str | None:
        """``options.provider``, where it is text."""
        return self._text("provider")

    @property
    def key(self) -> str:
        """What is asked, as 32 hexadecimal digits: calls that ask the same have the same key.

        BLAKE2b-128 (RFC 7693) of the prompt and the options as JSON with sorted names, without `None` and
        without ``label``, ``phase``, ``retry``, ``timeoutMs`` and ``handle``.
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

    def tell(self, progress: Progress) -> None:
        """Report progress: it becomes an event, ``agent_progress``. It may be called at any rate."""
        if self.watcher is not None:
            self.watcher(progress)

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

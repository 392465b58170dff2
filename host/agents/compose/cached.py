"""Answers that are kept, and given again without asking."""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Protocol

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json


class AnswerStore(Protocol):
    """Where answers are kept, by text of 32 hexadecimal digits."""

    async def get(self, key: str) -> Json:
        """What was put there: an object; None for nothing."""

    async def put(self, key: str, answer: Json) -> None:
        """Keep an object."""


def cached(agent: Agent, store: AnswerStore | MutableMapping[str, Json], *, name: str = "") -> Agent:
    """Make an agent that is asked once for what is the same in prompt, options and type.

    An answer from the store costs nothing: it has no tokens. An answer that the run refuses, because it is
    not what the schema asks for, is replaced by that of the second try. A call that continues a session,
    gives the handle of one, or works in a folder of its own, is always asked.

    Args:
        agent: is asked where the store has nothing.
        store: keeps ``{"value", "model"}``; a mapping will do. What it holds is believed.
        name: of the agent, where several share a store.
    """
    kept = _Memory(store) if isinstance(store, MutableMapping) else store

    async def answer(call: AgentCall) -> AgentAnswer:
        if _is_its_own(call):
            return await agent(call)
        key = _key(call, name)
        if call.problem is None and (found := _answer(await kept.get(key))) is not None:
            return found
        fresh = await agent(call)
        await kept.put(key, {"value": fresh.value, "model": fresh.model})
        return fresh

    return answer


def _is_its_own(call: AgentCall) -> bool:
    """Whether a call is about more than its answer: a session, or files."""
    if call.session is not None or call.folder is not None:
        return True
    return any(call.options.get(name) for name in ("continue", "handle", "isolation"))


def _key(call: AgentCall, name: str) -> str:
    tools = None if call.tools is None else list(call.tools)
    # Of the call alone, whatever is wrong with an earlier answer to it.
    asked = replace(call, problem=None, refused=None)
    text = strictjson.dumps([name, asked.key, call.instructions, tools])
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _answer(kept: Json) -> AgentAnswer | None:
    if not isinstance(kept, dict) or "value" not in kept:
        return None
    model = kept.get("model")
    return AgentAnswer(kept["value"], cost_usd=0.0, model=model if isinstance(model, str) else None)


class _Memory:
    """A mapping as a store."""

    def __init__(self, answers: MutableMapping[str, Json]) -> None:
        self._answers = answers

    async def get(self, key: str) -> Json:
        return self._answers.get(key)

    async def put(self, key: str, answer: Json) -> None:
        self._answers[key] = answer

"""A deterministic fake agent without a model. Replace it with your own."""

from __future__ import annotations

from functools import partial

import trio

from flowcage import Agent, AgentAnswer, AgentCall


def fake_agent(delay_seconds: float) -> Agent:
    """An agent that counts the words of its prompt after a while, as a slow model would."""
    return partial(_count_words, delay_seconds)


async def _count_words(delay_seconds: float, call: AgentCall) -> AgentAnswer:
    await trio.sleep(delay_seconds)
    words = len(call.prompt.split())
    return AgentAnswer(f"{words} words", tokens=words)

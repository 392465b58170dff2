"""A deterministic fake agent without a model. Replace it with your own."""

from __future__ import annotations

import asyncio

from flowcage import Agent, AgentAnswer, AgentCall


def fake_agent(delay_seconds: float) -> Agent:
    """An agent that counts the words of its prompt after a while, as a slow model would."""

    async def count_words(call: AgentCall) -> AgentAnswer:
        await asyncio.sleep(delay_seconds)
        words = len(call.prompt.split())
        return AgentAnswer(f"{words} words", tokens=words)

    return count_words

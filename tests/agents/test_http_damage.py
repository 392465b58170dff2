"""Whatever a server sends, a call has an answer or an error of its own, and leaves nothing."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
import trio

from flowcage.agents import AgentAnswer, AgentError

from .http_agents import PROVIDERS, SCHEMA, Provider, call
from .servers.loopback import Answer, Request

pytestmark = pytest.mark.usefixtures("keys")
each = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
TIMES = 150
TOKENS = [
    b"null",
    b"{}",
    b"[]",
    b'"',
    b"-1",
    b"1e999",
    b"data: ",
    b"\n\n",
    b"\r",
    b"\xff",
    b"true",
    b'"type"',
    b"0" * 400,
]


def damaged(content: bytes, chance: random.Random) -> bytes:
    """A body with one to three places that are cut out, repeated, flipped or written over."""
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(content) + 1)
        end = min(len(content), start + chance.choice([1, 5, 40, 400]))
        piece = content[start:end]
        put = chance.choice(
            [b"", piece * 2, piece[::-1], chance.choice(TOKENS), bytes(each ^ 32 for each in piece)]
        )
        content = content[:start] + put + content[end:]
    return content


def cut_anew(content: bytes, chance: random.Random) -> tuple[bytes, ...]:
    places = sorted(chance.randrange(len(content) + 1) for _ in range(4))
    ends = [0, *places, len(content)]
    pieces = [content[start:end] for start, end in pairwise(ends)]
    return tuple(piece for piece in pieces if piece) or (b"\n",)


@each
def test_damaged_bodies(provider: Provider) -> None:
    chance = random.Random(provider.name)

    def step(request: Request) -> Answer:
        whole = provider.usual(request)
        content = b"".join(piece for piece in whole.pieces if isinstance(piece, bytes))
        return Answer(
            chance.choice([200, 200, 200, 400]), whole.headers, cut_anew(damaged(content, chance), chance)
        )

    async def main(agent: Any) -> list[type]:
        ends: list[type] = []
        for number in range(TIMES):
            asked = call(schema=SCHEMA) if number % 2 else call()
            try:
                ends.append(type(await agent(asked)))
            except AgentError:
                ends.append(AgentError)
        return ends

    with provider.server().always(step) as server:
        ends = trio.run(main, provider.agent(server, max_retries=0, idle_timeout_s=30.0))
        server.wait_until_idle()
    assert len(ends) == TIMES
    assert {AgentAnswer, AgentError} == set(ends)

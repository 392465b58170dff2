"""The service: who may run what, and flowcage's routes for the rest."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowcage import Agent, Limits, RunOptions
from flowcage.asgi import RunRoutes

MIB = 1024 * 1024
# A refusal takes this long: a client that retries at once would otherwise cost more than one that is served.
REFUSAL_SECONDS = 1


def options_for(agent: Agent) -> RunOptions:
    """What a run may use; a client may set less. The host handles each message of a child in one piece, while
    all other runs wait: hence few bytes a message.
    """
    return RunOptions(
        agent=agent,
        limits=Limits(
            cpu_seconds=5, step_timeout_ms=2_000, memory_bytes=64 * MIB, max_queued_bytes=256 * 1024
        ),
        timeout_seconds=60,
        max_received_bytes=16 * MIB,
        max_agents=8,
        max_total_agents=200,
    )


def app_of(routes: RunRoutes) -> ASGIApp:
    """The ASGI application."""
    app = FastAPI(title="workflows")

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Answers while the service does."""
        return {"status": "ok"}

    app.mount("/", routes)
    return Slowly(app)


class Slowly:
    """The same application, which takes its time to refuse a run for a quota."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def answer(message: Message) -> None:
            if message.get("status") == 429:
                await asyncio.sleep(REFUSAL_SECONDS)
            await send(message)

        await self._app(scope, receive, answer)

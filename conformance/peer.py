"""A connection to a child under test."""

from __future__ import annotations

from typing import Any

from flowcage.conformance.check import Deviation, LeftOut, expect, shown
from flowcage.conformance.contract import OF_CHILD
from flowcage.conformance.conversation import Conversation, Json
from flowcage.conformance.process import Program
from flowcage.protocol.version import PROTOCOL_VERSION

# For checks of other themes: it works on every machine.
USUAL_ISOLATION = "best_effort"


class ChildPeer(Conversation):
    """One child, freshly started, as a check uses it.

    Args:
        program: its process.
        isolation: the isolation that `initialize` asks for; None leaves it out.

    Attributes:
        is_initialized: whether `initialize` was answered with a result.
        methods: the methods that this result names; none where it names none.
    """

    def __init__(self, program: Program, isolation: str | None = USUAL_ISOLATION) -> None:
        super().__init__(program, OF_CHILD)
        self.is_initialized = False
        self.methods: list[str] = []
        self._isolation = isolation

    def harmless(self) -> tuple[str, dict[str, Json]]:
        """The first message."""
        asked = {} if self._isolation is None else {"isolation": self._isolation}
        return "initialize", {"protocolVersion": PROTOCOL_VERSION, **asked}

    # ---- messages ----

    def initialize(self, **limits: int) -> dict[str, Any]:
        """Send `initialize` with limits by their wire names, and return its result."""
        method, params = self.harmless()
        result: dict[str, Any] = self.request(method, **params, limits=limits)
        self.is_initialized = True
        self.methods = result.get("methods", [])
        return result

    def require(self, method: str) -> None:
        """Leave the check out for a child that does not name this method; sends `initialize` if need be."""
        if not self.is_initialized:
            self.initialize()
        if method not in self.methods:
            raise LeftOut(f"its answer to initialize does not name {method}")

    def run(self, source: str, **params: Json) -> dict[str, Any]:
        """Send `run`, which the child must name, and return its result."""
        self.require("run")
        drained: dict[str, Any] = self.request("run", source=source, **params)
        return drained

    def advance(self, *turns: list[dict[str, Any]]) -> dict[str, Any]:
        """Send `advance` with these turns, and return its result."""
        drained: dict[str, Any] = self.request("advance", turns=list(turns))
        return drained

    def start(self, source: str, **params: Json) -> None:
        """Send `start`, after `initialize` where that was not sent."""
        if not self.is_initialized:
            self.initialize()
        self.request("start", source=source, **params)

    def poll(self) -> dict[str, Any]:
        """Send `poll`, and return its event."""
        event: dict[str, Any] = self.request("poll")
        return event

    def drain(self) -> dict[str, Any]:
        """Send `drain`, and return its result."""
        drained: dict[str, Any] = self.request("drain")
        return drained

    def take(self) -> list[dict[str, Any]]:
        """Send `take`, and return its requests."""
        requests: list[dict[str, Any]] = self.request("take")["requests"]
        return requests

    def resolve(self, identifier: str, value: Json, **members: Json) -> None:
        """Send `resolve` with type ok and a value."""
        self.settle(identifier, {"type": "ok", "value": value, **members})

    def settle(self, identifier: str, resolution: dict[str, Any]) -> None:
        """Send `resolve`."""
        self.request("resolve", id=identifier, resolution=resolution)

    # ---- whole runs ----

    def result(self) -> Any:
        """Send `drain`, by which the workflow must be complete, and return the workflow's result."""
        drained = self.drain()
        if drained["state"] != "complete":
            raise Deviation(f"expected the run to be complete, saw {shown(drained)}")
        return drained["output"]["result"]

    def expect_result(self, expected: Json, source: str, **params: Json) -> None:
        """Run a workflow without requests to its result, which must be this."""
        self.start(source, **params)
        expect("the result", self.result(), expected)

    def expect_failure(self, kind: str, source: str, **params: Json) -> dict[str, Any]:
        """Run a workflow whose first drain must fail with this kind; return the error's data."""
        self.start(source, **params)
        return self.refused(kind, "drain")

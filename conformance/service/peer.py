"""A connection to a host under test, as its client: requests of both sides, answers in any order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from flowcage.conformance.check import Deviation, LeftOut, expect, shown
from flowcage.conformance.contract import OF_HOST
from flowcage.conformance.conversation import Conversation, Json, notification_line, object_of, reply_of
from flowcage.conformance.process import Program
from flowcage.protocol import envelope, strictjson

VERSION = "1.0"
# Of the host, by the kind of handler that the client must have named.
ASKED_BY = {
    "agent": "agent.ask",
    "workflow": "workflow.get",
    "sandboxExec": "sandbox.exec",
    "ask": "question.ask",
}
EVERY_HANDLER = tuple(ASKED_BY)


def _awaited_id(data: bytes) -> str | None:
    """The id of a line, as JSON, where it is a message that may be answered by it."""
    try:
        message = strictjson.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or "id" not in message or {"result", "error"} & message.keys():
        return None
    return json.dumps(message["id"])


class Asked(NamedTuple):
    """A request of the host."""

    id: Json
    method: str
    params: dict[str, Any]


class ServicePeer(Conversation):
    """One host, freshly started, as a check uses it.

    Args:
        program: its process.
        again: starts the same host another time, on the same store.

    Attributes:
        events: those of `run.event`, as they came.
        heard: what came, in order: ``answer``, ``asked``, ``cancelled`` with the id, ``event`` with its type.
        info: the answer to `initialize`; empty before that.
    """

    def __init__(self, program: Program, again: Callable[[], ServicePeer] | None = None) -> None:
        super().__init__(program, OF_HOST)
        self.events: list[dict[str, Any]] = []
        self.heard: list[tuple[str, Json]] = []
        self.info: dict[str, Any] = {}
        self._again = again
        self._handlers: frozenset[str] = frozenset()
        self._replies: dict[str, list[dict[str, Any]]] = {}  # by id, as JSON
        self._asked: list[Asked] = []
        self._open: set[str] = set()  # ids of the host's requests that were not answered
        self._cancelled: dict[str, str] = {}
        self._awaited: Counter[str] = Counter()  # ids of requests that were sent, as JSON
        self._line = b""  # that was sent in part

    def harmless(self) -> tuple[str, dict[str, Json]]:
        """Nothing is changed by a list."""
        return "run.list", {"limit": 1}

    # ---- lines ----

    def send(self, data: bytes) -> None:
        """Write bytes to its stdin."""
        *lines, self._line = (self._line + data).split(b"\n")
        self._awaited.update(filter(None, map(_awaited_id, lines)))
        super().send(data)

    def take_reply(self, identifier: Json) -> dict[str, Any]:
        """The reply with this id; other messages that come before it are kept."""
        key = json.dumps(identifier)
        while not self._replies.get(key):
            self._hear()
        return self._replies[key].pop(0)

    def next_reply(self) -> dict[str, Any]:
        """The first reply that nobody has taken."""
        while not (left := [key for key, replies in self._replies.items() if replies]):
            self._hear()
        return self._replies[left[0]].pop(0)

    def _hear(self) -> None:
        data = self.next_line()
        message = object_of(data)
        if "method" not in message:
            reply = reply_of(data)
            self._expect_awaited(reply)
            self.heard.append(("answer", reply["id"]))
            self._replies.setdefault(json.dumps(reply["id"]), []).append(reply)
            return
        method, params = message["method"], message.get("params", {})
        self._expect_params_fit(method, params)
        if "id" in message:
            self._hear_request(Asked(message["id"], method, params))
        elif method == "request.cancelled":
            self._hear_cancelled(params["id"], params["reason"])
        elif method == "run.event":
            self.events.append(params["event"])
            self.heard.append(("event", params["event"]["type"]))

    def _expect_awaited(self, reply: dict[str, Any]) -> None:
        key = json.dumps(reply["id"])
        if reply["id"] is not None and not self._awaited[key]:
            raise Deviation(f"it answers {key}, which nothing waits for: {shown(reply)}")
        self._awaited[key] -= 1

    def _hear_request(self, asked: Asked) -> None:
        key = json.dumps(asked.id)
        if not envelope.is_id(asked.id):
            raise Deviation(f"the id of a request is a string or an integer; saw {shown(asked.id)}")
        if key in self._open:
            raise Deviation(f"it asks by id {key}, by which it asks already")
        if asked.method not in {ASKED_BY[handler] for handler in self._handlers}:
            raise Deviation(f"it asks {asked.method}, which this client does not answer")
        self._open.add(key)
        self._asked.append(asked)
        self.heard.append(("asked", asked.id))

    def _hear_cancelled(self, identifier: Json, reason: str) -> None:
        key = json.dumps(identifier)
        if key not in self._open:
            raise Deviation(f"it cancels its request {key}, which is not open")
        self._open.remove(key)
        self._cancelled[key] = reason
        self.heard.append(("cancelled", identifier))

    def _expect_params_fit(self, method: str, params: Json) -> None:
        if method not in self._contract.methods:
            raise Deviation(f"it sends {method!r}, which no version of the contract has")
        if (wrong := self._contract.violation(f"{method}.params", params)) is not None:
            raise Deviation(
                f"the params of {method} do not fit {wrong.schema}: {wrong.path}: {wrong.message}"
            )

    # ---- messages of the client ----

    def initialize(self, *handlers: str, **more: Json) -> dict[str, Any]:
        """Send `initialize`, by default with all handlers, and return its result."""
        self._handlers = frozenset(handlers or more.get("handlers", EVERY_HANDLER))
        params = {"protocolVersion": VERSION, "handlers": sorted(self._handlers), **more}
        result: dict[str, Any] = self.request("initialize", **params)
        self.info = result
        return result

    def require(self, method: str) -> None:
        """Leave the check out for a host that does not name this method."""
        if not self.info:
            self.initialize()
        if method not in self.info["methods"]:
            raise LeftOut(f"its answer to initialize does not name {method}")

    def require_store(self) -> None:
        """Leave the check out for a host that keeps no runs."""
        if not self.info:
            self.initialize()
        if not self.info["store"]:
            raise LeftOut("it keeps no runs: its answer to initialize has store false")

    def start(self, source: str, **params: Json) -> str:
        """Send `run.start`, after `initialize` where that was not sent, and return the run's id."""
        if not self.info:
            self.initialize()
        identifier: str = self.request("run.start", source=source, **params)["runId"]
        return identifier

    def outcome(self, run_id: str) -> dict[str, Any]:
        """Send `run.wait`, and return the outcome."""
        return self.outcome_for(self.wait(run_id), run_id)

    def wait(self, run_id: str) -> Json:
        """Send `run.wait`, and return the id of the request."""
        return self.send_request("run.wait", {"runId": run_id})

    def outcome_for(self, identifier: Json, run_id: str) -> dict[str, Any]:
        """The outcome that answers a `run.wait`."""
        answer = self.result_for(identifier, "run.wait")
        expect(
            "runId of the answer and of the outcome",
            [answer["runId"], answer["outcome"]["runId"]],
            [run_id] * 2,
        )
        outcome: dict[str, Any] = answer["outcome"]
        if ("result" in outcome) == ("error" in outcome):
            raise Deviation(f"an outcome has either a result or an error; saw {shown(outcome)}")
        return outcome

    def state(self, run_id: str) -> str:
        """The state that `run.get` tells."""
        state: str = self.request("run.get", runId=run_id)["run"]["state"]
        return state

    # ---- requests of the host ----

    def asked(self, method: str = "agent.ask") -> Asked:
        """The next request of this method that was not taken yet."""
        while not (found := [asked for asked in self._asked if asked.method == method]):
            self._hear()
        self._asked.remove(found[0])
        return found[0]

    @property
    def waiting(self) -> list[Asked]:
        """Requests that have come, and that nobody has taken."""
        return list(self._asked)

    def answer(self, asked: Asked, **result: Json) -> None:
        """Answer a request of the host with a result."""
        self.reply(asked.id, result=result)

    def refuse(self, asked: Asked, kind: str | None = None, message: str = "refused", **data: Json) -> None:
        """Answer a request of the host with an error; without a kind, one without data."""
        told = {} if kind is None else {"data": {"kind": kind, **data}}
        self.reply(asked.id, error={"code": -32000, "message": message, **told})

    def reply(self, identifier: Json, **members: Json) -> None:
        """Send an answer, of whatever form."""
        self._open.discard(json.dumps(identifier))
        self.send(json.dumps({"jsonrpc": "2.0", "id": identifier, **members}).encode() + b"\n")

    def cancelled(self, asked: Asked) -> str:
        """Wait until the host cancels this request, and return its reason."""
        while (key := json.dumps(asked.id)) not in self._cancelled:
            self._hear()
        return self._cancelled[key]

    def tell(self, method: str, **params: Json) -> None:
        """Send a notification."""
        self.send(notification_line(method, params))

    def event(self, kind: str, number: int = 1) -> dict[str, Any]:
        """The event of this type and number, which is waited for."""
        while len(found := [event for event in self.events if event["type"] == kind]) < number:
            self._hear()
        return found[number - 1]

    # ---- whole runs ----

    def complete(self, source: str, *answers: dict[str, Json], **params: Json) -> dict[str, Any]:
        """Run a workflow whose agents are answered with these results in turn, and return the outcome."""
        run_id = self.start(source, **params)
        for result in answers:
            self.answer(self.asked(), **result)
        return self.outcome(run_id)

    def expect_result(self, expected: Json, source: str, *answers: dict[str, Json], **params: Json) -> None:
        """As `complete`; the run must have this result."""
        outcome = self.complete(source, *answers, **params)
        expect("the outcome", [outcome["verdict"], outcome.get("result")], ["completed", expected])

    def again(self) -> ServicePeer:
        """The same host, started once more on the same store."""
        if self._again is None:
            raise LeftOut("the command has no {store}, so that no second host has the same runs")
        return self._again()

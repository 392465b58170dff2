"""A conversation with a child under test: what a host may say, also wrongly, and what must come back.

Every reply is held against JSON-RPC 2.0 and the published schemas as it is read.
"""

from __future__ import annotations

import json
from typing import Any

from flowcage.conformance.check import Deviation, expect, same, shown
from flowcage.conformance.process import Program, how_ended
from flowcage.protocol import strictjson
from flowcage.protocol.errors import CODES, INVALID_PARAMS
from flowcage.protocol.messages import METHODS
from flowcage.protocol.version import PROTOCOL_VERSION
from flowcage.schemas import validate

Json = Any


class Refused(Deviation):
    """An error came in place of the result that was expected.

    Attributes:
        id: of the reply.
        data: the error's, with its `kind`.
    """

    def __init__(self, method: str, reply: dict[str, Any]) -> None:
        error = reply["error"]
        super().__init__(f"{method} was answered with error {shown(error)}")
        self.id = reply["id"]
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: dict[str, Any] = error["data"]
        self.kind: str = self.data["kind"]


# What the checks ask for where isolation is not their theme: it works on every machine.
USUAL_ISOLATION = "best_effort"


class ChildPeer:
    """One fresh child, seen by a check.

    Args:
        isolation: what `initialize` asks for; None leaves it out.

    Attributes:
        program: its process, for checks of how it ends.
        is_initialized: whether `initialize` was answered with a result.
    """

    def __init__(self, program: Program, isolation: str | None = USUAL_ISOLATION) -> None:
        self.program = program
        self.is_initialized = False
        self._isolation = isolation
        self._next_id = 1
        self._sent: dict[str, tuple[str, Json]] = {}  # by id, as JSON

    # ---- lines ----

    def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self.program.send(data)

    def send_request(
        self, method: str, params: Json = None, identifier: Json = None, *, raw: bool = False
    ) -> Json:
        """Send one request without waiting, and return its id; `raw` leaves all characters as they are."""
        if identifier is None:
            identifier, self._next_id = self._next_id, self._next_id + 1
        self._sent[json.dumps(identifier)] = method, {} if params is None else params
        self.send(line(method, params, identifier, raw=raw))
        return identifier

    def next_line(self) -> bytes:
        """The next line of its stdout."""
        data = self.program.read_line()
        if data is None:
            raise Deviation(f"it closed its stdout instead of answering: {self.program.how_it_ended()}")
        return data

    def next_reply(self) -> dict[str, Any]:
        """The next line, which must be a JSON-RPC reply."""
        return _reply(self.next_line())

    def reply_to(self, identifier: Json, method: str) -> dict[str, Any]:
        """The next reply, which must bear this id.

        It must fit the method's schema, and the child must have taken the params for what their schema says.
        """
        reply = self.next_reply()
        _expect_id(reply, identifier)
        if "error" in reply:
            if (violation := validate.error_error(reply["error"])) is not None:
                raise Deviation(f"the error does not fit error.json: {violation.path}: {violation.message}")
        elif method in METHODS and (wrong := validate.result_error(method, reply["result"])) is not None:
            raise Deviation(
                f"the result of {method} does not fit {wrong.schema}: {wrong.path}: {wrong.message}"
            )
        if (sent := self._sent.pop(json.dumps(identifier), None)) is not None:
            _expect_verdict_of_schema(reply, *sent)
        return reply

    def request(self, method: str, **params: Json) -> Any:
        """Send a request and return its result."""
        return self.result_for(self.send_request(method, params), method)

    def result_for(self, identifier: Json, method: str) -> Any:
        """The result of a request that was sent; an error in its place is a deviation."""
        reply = self.reply_to(identifier, method)
        if "error" in reply:
            raise Refused(method, reply)
        return reply["result"]

    def refused(self, kind: str, method: str, **params: Json) -> dict[str, Any]:
        """Send a request that must be answered with an error of this kind; return the error's data."""
        return self.error_for(kind, self.send_request(method, params), method)

    def error_for(self, kind: str, identifier: Json, method: str = "") -> dict[str, Any]:
        """The data of the error that a request must be answered with."""
        reply = self.reply_to(identifier, method)
        if "error" not in reply:
            raise Deviation(f"expected error {kind} ({CODES[kind]}), saw result {shown(reply['result'])}")
        expect("the error's kind and code", _kind(reply), [kind, CODES[kind]])
        data: dict[str, Any] = reply["error"]["data"]
        return data

    def refuses_line(self, kind: str, data: bytes, *, identifier: Json = None) -> None:
        """Send one line that is no request: error `kind` with this id (null: not read), and it serves on."""
        self.send(data + b"\n")
        self.error_for(kind, identifier)
        self.expect_still_serving()

    def expect_still_serving(self) -> None:
        """An unknown method is still answered with its own error."""
        self.refused("method_not_found", "conformance/no-such-method")

    # ---- messages ----

    def initialize(self, **limits: int) -> dict[str, Any]:
        """Initialize with limits by their wire names."""
        asked = {} if self._isolation is None else {"isolation": self._isolation}
        result: dict[str, Any] = self.request(
            "initialize", protocolVersion=PROTOCOL_VERSION, limits=limits, **asked
        )
        self.is_initialized = True
        return result

    def start(self, source: str, **params: Json) -> None:
        """Start a workflow, after `initialize` where that was not done."""
        if not self.is_initialized:
            self.initialize()
        self.request("start", source=source, **params)

    def poll(self) -> dict[str, Any]:
        """One event."""
        event: dict[str, Any] = self.request("poll")
        return event

    def drain(self) -> dict[str, Any]:
        """Everything."""
        drained: dict[str, Any] = self.request("drain")
        return drained

    def take(self) -> list[dict[str, Any]]:
        """All queued requests."""
        requests: list[dict[str, Any]] = self.request("take")["requests"]
        return requests

    def resolve(self, identifier: str, value: Json, **members: Json) -> None:
        """Settle a request with a value."""
        self.settle(identifier, {"type": "ok", "value": value, **members})

    def settle(self, identifier: str, resolution: dict[str, Any]) -> None:
        """Settle a request."""
        self.request("resolve", id=identifier, resolution=resolution)

    # ---- whole runs ----

    def result(self) -> Any:
        """The result of the running workflow, which must now be complete."""
        drained = self.drain()
        if drained["state"] != "complete":
            raise Deviation(f"expected the run to be complete, saw {shown(drained)}")
        return drained["output"]["result"]

    def expect_result(self, expected: Json, source: str, **params: Json) -> None:
        """Run a workflow that asks for nothing, to its result."""
        self.start(source, **params)
        expect("the result", self.result(), expected)

    def expect_failure(self, kind: str, source: str, **params: Json) -> dict[str, Any]:
        """Run a workflow whose first drain must be answered with this failure; return the error's data."""
        self.start(source, **params)
        return self.refused(kind, "drain")

    # ---- the end ----

    def close_stdin(self) -> None:
        """Say that no more will come."""
        self.program.close_stdin()

    def expect_exit(self) -> None:
        """It must exit by itself with status 0 and say nothing more."""
        rest = self.program.read_to_end()
        if rest:
            raise Deviation(f"expected nothing more on stdout, saw {shown(rest)}")
        status = self.program.wait()
        if status is None:
            raise Deviation(f"it did not exit within {self.program.timeout:g} s")
        if status != 0:
            raise Deviation(f"expected exit status 0, saw {how_ended(status)}")


def line(method: str, params: Json = None, identifier: Json = 1, *, raw: bool = False) -> bytes:
    """One request as a line; ASCII unless `raw`, and where a lone surrogate leaves no choice."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": identifier, "method": method}
    if params is not None:
        message["params"] = params
    text = json.dumps(message, ensure_ascii=not raw)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(message).encode() + b"\n"


def notification_line(method: str, params: Json) -> bytes:
    """One notification as a line."""
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode() + b"\n"


def _reply(data: bytes) -> dict[str, Any]:
    try:
        reply = strictjson.loads(data)
    except (ValueError, RecursionError) as error:
        raise Deviation(f"a line on stdout is not JSON ({error}): {shown(data)}") from None
    if not isinstance(reply, dict) or reply.get("jsonrpc") != "2.0":
        raise Deviation(f"a line on stdout is not a JSON-RPC 2.0 object: {shown(data)}")
    if ("result" in reply) == ("error" in reply):
        raise Deviation(f"a reply has either a result or an error; saw {shown(data)}")
    if "id" not in reply:
        raise Deviation(f"a reply has an id; saw {shown(data)}")
    return reply


def _expect_id(reply: dict[str, Any], identifier: Json) -> None:
    seen = reply["id"]
    if type(seen) is not type(identifier) or not same(seen, identifier):
        raise Deviation(f"expected the reply to {shown(identifier)}, saw {shown(reply)}")


def _expect_verdict_of_schema(reply: dict[str, Any], method: str, params: Json) -> None:
    """What was carried out fits its schema; what was refused as invalid_params does not."""
    if method not in METHODS:
        return
    wrong = validate.params_error(method, params)
    if wrong is not None and "result" in reply:
        raise Deviation(f"{method} was carried out with params that {wrong.schema} refuses: {wrong.message}")
    if wrong is None and "error" in reply and _kind(reply)[0] == INVALID_PARAMS:
        raise Deviation(f"params of {method} that fit their schema were refused: {shown(reply['error'])}")


def _kind(reply: dict[str, Any]) -> list[Any]:
    error = reply["error"]
    return [error["data"]["kind"], error["code"]]

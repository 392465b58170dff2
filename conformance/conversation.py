"""A JSON-RPC conversation with a program under test: sends messages, also wrong ones, and checks the replies.

Every reply is checked against JSON-RPC 2.0 and the published schemas when it is read.
"""

from __future__ import annotations

import json
from typing import Any

from flowcage.conformance.check import Deviation, expect, same, shown
from flowcage.conformance.contract import Contract
from flowcage.conformance.process import Program, how_ended
from flowcage.protocol import strictjson
from flowcage.protocol.errors import INVALID_PARAMS

Json = Any


class Refused(Deviation):
    """A request was answered with an error where a result was expected.

    Attributes:
        id: id of the reply.
        code, message, data: members of the error.
        kind: ``data.kind``.
    """

    def __init__(self, method: str, reply: dict[str, Any]) -> None:
        error = reply["error"]
        super().__init__(f"{method} was answered with error {shown(error)}")
        self.id = reply["id"]
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: dict[str, Any] = error["data"]
        self.kind: str = self.data["kind"]


class Conversation:
    """One program, freshly started, as a check uses it.

    Args:
        program: its process.
        contract: what it speaks.

    Attributes:
        program: its process.
    """

    def __init__(self, program: Program, contract: Contract) -> None:
        self.program = program
        self._contract = contract
        self._next_id = 1
        self._sent: dict[str, tuple[str, Json]] = {}  # by id, as JSON

    def harmless(self) -> tuple[str, dict[str, Json]]:
        """Method and params of a request that may come now, and must be answered with a result."""
        raise NotImplementedError

    # ---- lines ----

    def send(self, data: bytes) -> None:
        """Write bytes to its stdin."""
        self.program.send(data)

    def send_request(
        self, method: str, params: Json = None, identifier: Json = None, *, raw: bool = False
    ) -> Json:
        """Send one request without waiting.

        Args:
            raw: whether characters beyond ASCII are sent as they are, not as escapes.

        Returns:
            The id of the request.
        """
        if identifier is None:
            identifier, self._next_id = self._next_id, self._next_id + 1
        self._sent[json.dumps(identifier)] = method, {} if params is None else params
        self.send(line(method, params, identifier, raw=raw))
        return identifier

    def next_line(self) -> bytes:
        """The next line of its stdout; a closed stdout is a deviation."""
        data = self.program.read_line()
        if data is None:
            raise Deviation(f"it closed its stdout instead of answering: {self.program.how_it_ended()}")
        return data

    def next_reply(self) -> dict[str, Any]:
        """The next line, which must be a JSON-RPC reply."""
        return reply_of(self.next_line())

    def take_reply(self, identifier: Json) -> dict[str, Any]:
        """The next reply, which must have this id."""
        reply = self.next_reply()
        _expect_id(reply, identifier)
        return reply

    def reply_to(self, identifier: Json, method: str) -> dict[str, Any]:
        """The reply with this id, which must fit the schema of the method.

        Params that do not fit their schema must be refused as invalid_params, and no others.
        """
        reply = self.take_reply(identifier)
        if "error" in reply:
            if (violation := self._contract.violation("error", reply["error"])) is not None:
                raise Deviation(f"the error does not fit error.json: {violation.path}: {violation.message}")
        else:
            self._expect_result_fits(method, reply["result"])
        if (sent := self._sent.pop(json.dumps(identifier), None)) is not None:
            self._expect_verdict_of_schema(reply, *sent)
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
            raise Deviation(
                f"expected error {kind} ({self._contract.codes[kind]}), saw result {shown(reply['result'])}"
            )
        expect("the error's kind and code", _kind(reply), [kind, self._contract.codes[kind]])
        data: dict[str, Any] = reply["error"]["data"]
        return data

    def notify(self, method: str, **params: Json) -> None:
        """Send a notification."""
        self.send(notification_line(method, params))

    def refuses_line(self, kind: str, data: bytes, *, identifier: Json = None) -> None:
        """Send a line that is not a request: it must be refused with this kind and id."""
        self.send(data + b"\n")
        self.error_for(kind, identifier)
        self.expect_still_serving()

    def expect_still_serving(self) -> None:
        """It must still answer, which an unknown method tests."""
        self.refused("method_not_found", "conformance/no-such-method")

    # ---- the end ----

    def close_stdin(self) -> None:
        """Close its stdin."""
        self.program.close_stdin()

    def expect_exit(self) -> None:
        """It must exit by itself, with status 0 and without another byte on stdout."""
        rest = self.program.read_to_end()
        if rest:
            raise Deviation(f"expected nothing more on stdout, saw {shown(rest)}")
        status = self.program.wait()
        if status is None:
            raise Deviation(f"it did not exit within {self.program.timeout:g} s")
        if status != 0:
            raise Deviation(f"expected exit status 0, saw {how_ended(status)}")

    # ---- schemas ----

    def _expect_result_fits(self, method: str, result: Json) -> None:
        if method not in self._contract.methods:
            return
        if (wrong := self._contract.violation(f"{method}.result", result)) is not None:
            raise Deviation(
                f"the result of {method} does not fit {wrong.schema}: {wrong.path}: {wrong.message}"
            )

    def _expect_verdict_of_schema(self, reply: dict[str, Any], method: str, params: Json) -> None:
        """Params that were accepted must fit their schema; those refused as invalid_params must not.

        The latter only where the schemas say all that may be wrong.
        """
        if method not in self._contract.methods:
            return
        wrong = self._contract.violation(f"{method}.params", params)
        if wrong is not None and "result" in reply:
            raise Deviation(
                f"{method} was carried out with params that {wrong.schema} refuses: {wrong.message}"
            )
        if not self._contract.says_all:
            return
        if wrong is None and "error" in reply and _kind(reply)[0] == INVALID_PARAMS:
            raise Deviation(f"params of {method} that fit their schema were refused: {shown(reply['error'])}")


def line(method: str, params: Json = None, identifier: Json = 1, *, raw: bool = False) -> bytes:
    """A request as a line: in ASCII, or with `raw` in UTF-8 unless a lone surrogate makes that impossible."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": identifier, "method": method}
    if params is not None:
        message["params"] = params
    text = json.dumps(message, ensure_ascii=not raw)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(message).encode() + b"\n"


def notification_line(method: str, params: Json) -> bytes:
    """A notification as a line."""
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode() + b"\n"


def object_of(data: bytes) -> dict[str, Any]:
    """A line as a JSON-RPC object; anything else is a deviation."""
    try:
        message = strictjson.loads(data)
    except (ValueError, RecursionError) as error:
        raise Deviation(f"a line on stdout is not JSON ({error}): {shown(data)}") from None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise Deviation(f"a line on stdout is not a JSON-RPC 2.0 object: {shown(data)}")
    return message


def reply_of(data: bytes) -> dict[str, Any]:
    """A line as a JSON-RPC reply; anything else is a deviation."""
    reply = object_of(data)
    if ("result" in reply) == ("error" in reply):
        raise Deviation(f"a reply has either a result or an error; saw {shown(data)}")
    if "id" not in reply:
        raise Deviation(f"a reply has an id; saw {shown(data)}")
    return reply


def _expect_id(reply: dict[str, Any], identifier: Json) -> None:
    seen = reply["id"]
    if type(seen) is not type(identifier) or not same(seen, identifier):
        raise Deviation(f"expected the reply to {shown(identifier)}, saw {shown(reply)}")


def _kind(reply: dict[str, Any]) -> list[Any]:
    error = reply["error"]
    return [error["data"]["kind"], error["code"]]

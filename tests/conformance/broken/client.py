"""Usage: client.py HOST WORKFLOW [ID]: a small client; with the id of a check, broken in just that way."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

HOST, WORKFLOW = sys.argv[1:3]
BROKEN = sys.argv[3] if len(sys.argv) > 3 else ""
MAX_LINE = 8 << 20
REASONABLE = 600  # levels
GRACE_SECONDS = 5.0
PATIENCE_SECONDS = 0.9  # of one that has none

Message = dict[str, Any]

# Which of its own complaints a broken client does not make: it takes the run for a good one.
TOLERATES = {
    "client-outcomes/failed": "verdict failed",
    "client-outcomes/cancelled-run": "verdict cancelled",
    "client-outcomes/timeout": "verdict wall_timeout",
    "client-outcomes/unknown-verdict": "verdict from-the-future",
    "client-outcomes/overloaded": "error overloaded",
    "client-outcomes/unknown-kind": "error from-the-future",
    "client-faults/dies-before-initialize": "end -9 initialize",
    "client-faults/dies-after-initialize": "end 3 run.start",
    "client-faults/dies-in-line": "end 0 initialize",
    "client-faults/dies-before-start": "end -9 run.start",
    "client-faults/dies-after-start": "end 3 run.wait",
    "client-faults/dies-before-asking": "end -9 run.wait",
    "client-faults/dies-after-asking": "end 3 run.wait",
    "client-faults/dies-before-outcome": "end -9 run.wait",
    "client-faults/dies-in-outcome": "end 0 run.wait",
    "client-faults/garbage": "not JSON }{",
    "client-faults/print": "not JSON a ",
    "client-faults/invalid-utf-8": "not UTF-8",
    "client-faults/batch": "no object",
    "client-faults/deep": "deep",
    "client-faults/endless-line": "endless line",
    "client-faults/id-null": "id null",
    "client-faults/result-and-error": "both",
    "client-faults/neither-result-nor-error": "neither",
    "client-faults/wrong-shape": "shape",
}
# After which refusals of initialize it goes on.
GOES_ON = {
    "client-outcomes/protocol-version": "error protocol_version",
    "client-outcomes/other-version": "other version",
}
# Messages at which it fails, though they are right.
REFUSES: dict[str, Callable[[bytes], bool]] = {
    "client-outcomes/unknown-members": lambda line: b"xNew" in line,
    "client-outcomes/separators": lambda line: "\u2028".encode() in line,
    "client-outcomes/large": lambda line: len(line) > 1 << 20,
    "client-outcomes/cancelled": lambda line: b"request.cancelled" in line,
    "client-outcomes/unknown-notification": lambda line: b'"from-the-future", "params": {"x"' in line,
}


class Client:
    """One run."""

    def __init__(self) -> None:
        stderr = subprocess.PIPE if BROKEN == "client-outcomes/noise" else subprocess.DEVNULL
        if BROKEN == "client-messages/one-host-a-run":
            subprocess.run([HOST], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
        # Arguments are ignored by the fake host, and what flowcage takes.
        self.host = subprocess.Popen(
            [HOST, "host", "--no-store"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr
        )
        self.number = 0
        self.held = b""
        self.lines: list[bytes] = []
        self.waits_for = ""

    def run(self) -> NoReturn:
        """From initialize to the result."""
        if BROKEN == "client-messages/initialize-first":
            self.send("run.list", {}, 99)
            self.next_line()
        if self.request("initialize", self.greeting()).get("protocolVersion", "1.0") != "1.0":
            self.complain("other version")
        run_id = self.request("run.start", self.start()).get("runId")
        if not isinstance(run_id, str):
            self.complain("shape")
            self.finish("")
        if BROKEN == "client-messages/waits-for-the-run":
            run_id += "-other"
        self.judge(self.request("run.wait", {"runId": run_id}).get("outcome", {}))

    def greeting(self) -> Message:
        """Params of initialize."""
        params: Message = {"protocolVersion": "1.0", "handlers": ["agent"]}
        if BROKEN != "client-messages/names-itself":
            params["clientInfo"] = {"name": "small", "version": "1"}
        if BROKEN == "client-messages/names-its-handlers":
            params["handlers"] = []
        if BROKEN == "client-messages/speaks-1.0":
            params["protocolVersion"] = "2.0"
        return params

    def start(self) -> Message:
        """Params of run.start."""
        with open(WORKFLOW, encoding="utf-8", newline="") as file:
            source = file.read()
        if BROKEN == "client-messages/source-arrives":
            source = source.strip()
        return {"source": source, **({"events": "yes"} if BROKEN == "client-messages/params-fit" else {})}

    def judge(self, outcome: Message) -> NoReturn:
        """End as the run has."""
        if outcome.get("verdict") != "completed":
            if BROKEN != "client-outcomes/prints-the-message":
                print(outcome.get("error", {}).get("message"), file=sys.stderr)
            self.complain(f"verdict {outcome.get('verdict')}")
        self.finish(outcome.get("result"))

    # ---- messages ----

    def request(self, method: str, params: Message) -> Message:
        """One request; requests of the host are answered meanwhile."""
        self.number += 1
        identifier = 1 if BROKEN == "client-messages/ids-unique" else self.number
        self.waits_for = method
        self.send(method, params, identifier)
        began = time.monotonic()
        while True:
            message = self.next_message()
            if BROKEN == "client-outcomes/slow" and time.monotonic() - began > PATIENCE_SECONDS:
                self.fail("too slow for it")
            if "method" not in message:
                return self.result(message, identifier)
            if "id" in message:
                if BROKEN == "client-outcomes/same-ids" and message["id"] == identifier:
                    self.fail("that is my own id")
                self.answer(message)

    def result(self, message: Message, identifier: int) -> Message:
        """The result in an answer."""
        if message.get("id") is None:
            self.complain("id null")
            self.finish("")
        if message["id"] != identifier:
            self.fail("other id")
        if "result" in message and "error" in message:
            self.complain("both")
            self.finish("")
        if "result" not in message and "error" not in message:
            self.complain("neither")
            self.finish("")
        if "error" in message:
            self.complain(f"error {message['error']['data']['kind']}")
            if GOES_ON.get(BROKEN):
                return {}
            self.finish("")
        result = message["result"]
        if not isinstance(result, dict):
            self.complain("shape")
            self.finish("")
        return dict(result)

    def answer(self, message: Message) -> None:
        """Answer a request of the host."""
        identifier = message["id"]
        reply: Message = {"jsonrpc": "2.0", "id": identifier}
        if message["method"] == "agent.ask":
            if BROKEN == "client-messages/answers-each" and message["params"]["requestId"] == "8":
                reply["id"] = 1
            reply["result"] = {"value": "yes"}
            if BROKEN == "client-messages/answers-the-agent":
                reply["result"] = {"text": 5}
        else:
            code = -32000 if BROKEN == "client-messages/unknown-request" else -32601
            reply["error"] = {"code": code, "message": "no such method"}
        self.write(json.dumps(reply).encode() + b"\n")

    def send(self, method: str, params: Message, identifier: Any) -> None:
        """Write a request."""
        message: Message = {"jsonrpc": "2.0", "id": identifier, "method": method, "params": params}
        if method == "shutdown":
            if BROKEN == "client-messages/json-rpc-2.0":
                message.pop("jsonrpc")
            if BROKEN == "client-messages/ids":
                message["id"] = 1.5
            if BROKEN == "client-messages/known-methods":
                message["method"] = "goodbye"
            if BROKEN == "client-messages/params-by-name":
                message["params"] = []
        self.write(json.dumps(message).encode() + b"\n")

    def write(self, data: bytes) -> None:
        """Write bytes to the host."""
        assert self.host.stdin is not None
        try:
            self.host.stdin.write(data)
            self.host.stdin.flush()
        except BrokenPipeError:
            return  # what is read next tells the end

    def next_message(self) -> Message:
        """The next message of the host."""
        line = self.next_line()
        if BROKEN in REFUSES and REFUSES[BROKEN](line):
            self.fail("too much for it")
        if line[: REASONABLE * 2].count(b"[") > REASONABLE:
            self.complain("deep")
            self.finish("")
        try:
            text = line.decode()
        except UnicodeDecodeError:
            self.complain("not UTF-8")
            self.finish("")
        try:
            message = json.loads(text)
        except ValueError:
            self.complain(f"not JSON {text[:2]}")
            self.finish("")
        if not isinstance(message, dict):
            self.complain("no object")
            self.finish("")
        return dict(message)

    def next_line(self) -> bytes:
        """The next line of the host."""
        assert self.host.stdout is not None
        while b"\n" not in self.held:
            data = os.read(self.host.stdout.fileno(), 1 << 18)
            if BROKEN == "client-outcomes/byte-by-byte" and 0 < len(data) < 8:
                self.fail("a piece")
            if not data:
                self.ended()
            self.held += data
            if len(self.held) > MAX_LINE and b"\n" not in self.held:
                self.complain("endless line")
                self.finish("")
        line, _, self.held = self.held.partition(b"\n")
        return line

    def ended(self) -> NoReturn:
        """stdout has ended."""
        try:
            status: int | None = self.host.wait(GRACE_SECONDS / 10)
        except subprocess.TimeoutExpired:
            status = None
        self.complain(f"end {status} {self.waits_for}")
        self.finish("")

    # ---- ends ----

    def finish(self, value: Any) -> NoReturn:
        """End the host, print the result and leave."""
        if BROKEN == "client-messages/lines-are-json":
            self.write(b"bye\n")
        if BROKEN == "client-messages/leaves":
            self.host.kill()
        elif BROKEN == "client-outcomes/host-has-ended":
            assert self.host.stdin is not None
            subprocess.Popen(
                ["sleep", "30"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[self.host.stdin.fileno()],
            )
        else:
            self.send("shutdown", {}, self.number + 1)
            self.close()
        if BROKEN != "client-outcomes/prints-the-result":
            print(json.dumps(value))
        sys.stdout.flush()
        os._exit(1 if BROKEN == "client-outcomes/completes" else 0)

    def close(self) -> None:
        """Close the host's stdin, and kill it where it does not end."""
        assert self.host.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.host.stdin.close()
        try:
            self.host.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.host.kill()
            self.host.wait()

    def complain(self, what: str) -> None:
        """End with status 1, unless this client is broken in just this way."""
        print(what, file=sys.stderr)
        sys.stderr.flush()
        if GOES_ON.get(BROKEN) == what or TOLERATES.get(BROKEN) == what:
            return
        if not (BROKEN == "client-faults/closes-stdout" and what.startswith("end None")):
            self.host.kill()
            self.host.wait()
        os._exit(1)

    def fail(self, what: str) -> NoReturn:
        """End with status 1."""
        print(what, file=sys.stderr)
        sys.stderr.flush()
        self.host.kill()
        self.host.wait()
        os._exit(1)


if __name__ == "__main__":
    Client().run()

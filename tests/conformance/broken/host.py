"""Usage: host.py CHILD WORKFLOW [ID]: a small host; with the id of a check, broken in just that way.

With "polls" it is a good one that asks by poll and take; with "runs", by run and advance if they are named.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

CHILD, WORKFLOW = sys.argv[1:3]
BROKEN = sys.argv[3] if len(sys.argv) > 3 else ""
REPLY_SECONDS = 4.0
MAX_LINE = 8 << 20

Message = dict[str, Any]

# Which of its own complaints a broken host does not make: it takes the run for a good one.
TOLERATES = {
    "host-outcomes/stalled": "stalled",
    "host-outcomes/more": "more",
    "host-outcomes/exception": "error exception",
    "host-outcomes/timeout": "error timeout",
    "host-outcomes/internal": "error internal",
    "host-outcomes/unknown-kind": "error new",
    "host-outcomes/syntax": "error syntax",
    "host-faults/dies-before-initialize": "end -9 initialize",
    "host-faults/dies-after-initialize": "end 3 start",
    "host-faults/dies-in-line": "end 0 initialize",
    "host-faults/dies-before-start": "end -9 start",
    "host-faults/dies-after-start": "end 3 drain",
    "host-faults/dies-in-drain": "end -9 drain",
    "host-faults/dies-in-drain-line": "end 0 drain",
    "host-faults/dies-after-drain": "end 3 resolve",
    "host-faults/dies-in-resolve": "end -9 resolve",
    "host-faults/silent": "silence drain",
    "host-faults/silent-initialize": "silence initialize",
    "host-faults/garbage": "not JSON drain",
    "host-faults/print": "not JSON start",
    "host-faults/invalid-utf-8": "not UTF-8",
    "host-faults/batch": "batch",
    "host-faults/wrong-id": "other id",
    "host-faults/id-null": "id null",
    "host-faults/result-and-error": "both",
    "host-faults/wrong-shape": "shape",
    "host-faults/endless-line": "endless line",
    "host-faults/deep": "deep",
    "host-faults/answers-twice": "old id",
    "host-faults/same-id-twice": "id again",
    "host-faults/settled-id": "settled id",
    "host-faults/waits-for-nothing": "waits for nothing",
    "host-faults/more-and-a-result": "more and a result",
    "host-faults/longer-messages": "longer messages",
    "host-outcomes/unknown-call": "unknown call",
    "host-outcomes/unknown-request": "unknown request",
}
# After which refusals of initialize it goes on.
GOES_ON = {
    "host-outcomes/isolation-unavailable": "error isolation_unavailable",
    "host-outcomes/protocol-version": "error protocol_version",
    "host-outcomes/other-version": "other version",
}
# What it says otherwise.
EDITS: dict[str, tuple[str, Callable[[Message], object]]] = {
    "host-messages/json-rpc-2.0": ("shutdown", lambda message: message.pop("jsonrpc")),
    "host-messages/ids": ("shutdown", lambda message: message.update(id=1.5)),
    "host-messages/ids-unique": ("shutdown", lambda message: message.update(id=1)),
    "host-messages/known-methods": ("shutdown", lambda message: message.update(method="goodbye")),
    "host-messages/params-by-name": ("shutdown", lambda message: message.update(params=[])),
    "host-messages/params-fit": ("initialize", lambda message: message["params"]["client"].update(name=5)),
    "host-messages/speaks-1.0": (
        "initialize",
        lambda message: message["params"].update(protocolVersion="2.0"),
    ),
    "host-messages/names-itself": ("initialize", lambda message: message["params"].pop("client")),
    "host-messages/source-arrives": (
        "start",
        lambda message: message["params"].update(source="export default 1;"),
    ),
}


class Host:
    """One run."""

    def __init__(self) -> None:
        stderr = subprocess.PIPE if BROKEN == "host-replies/noise-on-stderr" else subprocess.DEVNULL
        if BROKEN == "host-messages/one-child-a-run":
            subprocess.run([CHILD], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
        self.child = subprocess.Popen([CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr)
        self.number = 0
        self.held = b""
        self.seen: set[str] = set()
        self.is_failing = False

    def run(self) -> NoReturn:
        """From initialize to the result."""
        if BROKEN == "host-messages/initialize-first":
            self.send("drain", {})
            self.read_line("drain")
        params = {"protocolVersion": "1.0", "client": {"name": "small", "version": "1"}, "isolation": "none"}
        told = self.request("initialize", params)
        if told.get("maxMessageBytes", 0) > MAX_LINE:
            self.complain("longer messages")
        version = told.get("protocolVersion", "1.0")
        if version != "1.0" and GOES_ON.get(BROKEN) != "other version":
            self.complain("other version")
        if BROKEN == "host-replies/older-child" and "methods" not in told:
            self.complain("an older child")
        with open(WORKFLOW, encoding="utf-8") as file:
            source = file.read()
        if BROKEN == "runs" and "advance" in told.get("methods", ()):
            self.run_and_advance(source)
        if BROKEN == "host-messages/named-methods-only" and "methods" not in told:
            self.send("run", {"source": source})
            self.read_line("run")
        self.request("start", {"source": source})
        if BROKEN == "host-messages/allowed-order":
            self.request("check", {"source": ""})
        while (drained := self.polled() if BROKEN == "polls" else self.drain())["state"] != "complete":
            for request in drained["requests"]:
                self.answer(request)
        self.finish(drained["output"]["result"])

    def run_and_advance(self, source: str) -> NoReturn:
        """The whole run, in two messages."""
        drained = self.judged(self.request("run", {"source": source}))
        while drained["state"] != "complete":
            answers = [self.settled(request) for request in drained["requests"]]
            method, params = ("advance", {"turns": [answers]}) if answers else ("drain", {})
            drained = self.judged(self.request(method, params))
        self.finish(drained["output"]["result"])

    def drain(self) -> Message:
        """Everything, judged."""
        return self.judged(self.request("drain", {}))

    def judged(self, drained: Message) -> Message:
        """What came, unless something is wrong with it."""
        if drained.get("stalled"):
            self.complain("stalled")
        if drained.get("more") and TOLERATES.get(BROKEN) == "more":
            self.complain("more")
        if BROKEN == "host-replies/diagnostics" and "diagnostics" in drained:
            self.complain("diagnostics")
        if any(call["type"] not in ("log", "phase") for call in drained["calls"]):
            self.complain("unknown call")
        ids = [request["id"] for request in drained["requests"]]
        if self.seen.intersection(ids):
            self.complain("settled id")
        if len(set(ids)) < len(ids):
            self.complain("id again")
        self.seen.update(ids)
        if drained["state"] == "pending" and not (ids or drained.get("more")):
            self.complain("waits for nothing")
        if self.is_failing:
            self.complain("more and a result")
        self.is_failing = drained.get("more", False)
        return drained

    def polled(self) -> Message:
        """The same as a drain, from polls and a take."""
        drained: Message = {"calls": [], "requests": [], "state": "pending"}
        while (event := self.request("poll", {}))["type"] == "call":
            drained["calls"].append(event["call"])
        if event["type"] == "request":
            drained["requests"] = self.request("take", {})["requests"]
        if event["type"] == "complete":
            drained.update(state="complete", output=event["output"])
        return self.judged({**drained, "stalled": event.get("stalled", False)})

    def answer(self, request: Message) -> None:
        """Resolve one request."""
        settled = self.settled(request)
        self.request("resolve", settled)
        also = {"host-messages/resolves-once": request["id"], "host-messages/resolves-what-was-asked": "3"}
        if BROKEN in also and request["type"] == "agent":
            self.send("resolve", {**settled, "id": also[BROKEN]})
            self.read_line("resolve")

    def settled(self, request: Message) -> Message:
        """The answer to one request, when it is due."""
        if request["type"] not in ("agent", "sleep"):
            self.complain("unknown request")
        if request["type"] == "sleep":
            if BROKEN == "host-messages/resolves-all":
                self.finish("")
            if BROKEN != "host-messages/sleeps":
                time.sleep(request["durationMs"] / 1000)
        return {"id": request["id"], "resolution": {"type": "ok", "value": "yes"}}

    def finish(self, value: Any) -> NoReturn:
        """End the child, print the result and leave."""
        if BROKEN == "host-messages/lines-are-json":
            self.write(b"bye\n")
        self.send("shutdown", {})
        if BROKEN == "host-messages/nothing-after-shutdown":
            self.send("drain", {})
        if BROKEN == "host-replies/child-has-left":
            assert self.child.stdin is not None
            subprocess.Popen(["sleep", "30"], pass_fds=[self.child.stdin.fileno()])
        else:
            self.close()
        if BROKEN != "host-replies/prints-the-result":
            print(json.dumps(value))
        sys.stdout.flush()
        os._exit(1 if BROKEN == "host-replies/completes" else 0)

    def complain(self, what: str) -> None:
        """End with status 1, unless this host is broken in just this way."""
        print(what, file=sys.stderr)
        if GOES_ON.get(BROKEN) == what:
            return
        if not (BROKEN == "host-faults/closes-stdout" and what.startswith("end None")):
            self.child.kill()
            self.child.wait()
        sys.stderr.flush()
        os._exit(0 if TOLERATES.get(BROKEN) == what else 1)

    # ---- messages ----

    def request(self, method: str, params: Message) -> Message:
        """One exchange."""
        self.send(method, params)
        reply = self.read_reply(method)
        if reply.get("id") != self.number:
            self.complain("id null" if reply.get("id") is None else self._other_id(reply["id"]))
        if "result" in reply and "error" in reply:
            self.complain("both")
        if "error" in reply:
            self.complain(f"error {reply['error']['data']['kind']}")
            return {}
        if not isinstance(reply["result"], dict):
            self.complain("shape")
        result: Message = reply["result"]
        return result

    def _other_id(self, identifier: Any) -> str:
        return "old id" if identifier == self.number - 1 else "other id"

    def send(self, method: str, params: Message) -> None:
        """One message."""
        self.number += 1
        message = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}
        edited, edit = EDITS.get(BROKEN, ("", None))
        if edit is not None and edited == method:
            edit(message)
        self.write(json.dumps(message).encode() + b"\n")

    def write(self, data: bytes) -> None:
        """Bytes; a child that has gone is found out by reading."""
        assert self.child.stdin is not None
        try:
            self.child.stdin.write(data)
            self.child.stdin.flush()
        except BrokenPipeError:
            pass

    def read_reply(self, method: str) -> Message:
        """The next line, parsed."""
        line = self.read_line(method)
        try:
            text = line.decode()
        except UnicodeDecodeError:
            self.complain("not UTF-8")
        if BROKEN == "host-replies/line-separators":
            text = text.splitlines()[0]
        if BROKEN == "host-replies/unknown-members" and "xNew" in text:
            self.complain("unknown member")
        try:
            reply = json.loads(text)
        except RecursionError:
            self.complain("deep")
        except ValueError:
            self.complain(f"not JSON {method}" if not text.startswith("[[[[") else "deep")
        if isinstance(reply, list):
            self.complain("batch")
        message: Message = reply
        return message

    def read_line(self, method: str) -> bytes:
        """The next line, in time and of a bounded length."""
        assert self.child.stdout is not None
        hurry = BROKEN == "host-replies/slow" and method == "drain"
        deadline = time.monotonic() + (0.7 if hurry else REPLY_SECONDS)
        most = 1 << 20 if BROKEN == "host-replies/large" else MAX_LINE
        while b"\n" not in self.held:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.child.stdout], [], [], left)[0]:
                self.complain(f"silence {method}")
            data = os.read(self.child.stdout.fileno(), 1 << 16)
            if not data:
                self.complain(f"end {self.status()} {method}")
            if BROKEN == "host-replies/byte-by-byte" and len(data) < 100 and b"\n" not in data:
                self.complain("half a reply")
            self.held += data
            if len(self.held) > most:
                self.complain("endless line")
        line, _, self.held = self.held.partition(b"\n")
        return line

    def status(self) -> int | None:
        """How the child ended; None for one that lives."""
        try:
            return self.child.wait(1.0)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """See the child leave."""
        assert self.child.stdin is not None
        self.child.stdin.close()
        self.child.wait()


Host().run()

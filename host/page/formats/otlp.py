"""The page document as OpenTelemetry spans, in the JSON that ``POST /v1/traces`` of a collector takes.

Names and attributes are those of OpenTelemetry's conventions for generative AI. A run has the same ids
whenever it is told: they are digests of its id, so a report that is sent twice is one trace.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from flowcage.host.terminal.text import cut, whole
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json
from flowcage.protocol.version import PACKAGE_VERSION

_NAME, _TEXT = 200, 2_000  # characters
_INTERNAL = 1  # the kind of all spans
_MARKS = ("phase", "asleep", "awake", "resumed")  # types of events that are told
_WORDS = ("log", "diagnostic")  # may have parts of prompts and answers
_OK, _ERROR = 1, 2  # codes of a status

_Object: TypeAlias = Mapping[str, Any]
_Span: TypeAlias = dict[str, Any]


def otlp(document: _Object, *, full: bool = False) -> dict[str, Any]:
    """The document as an export request.

    Args:
        document: of a run.
        full: whether prompts and answers are told; a service that takes spans keeps them.
    """
    service = _attributes({"service.name": "flowcage", "service.version": PACKAGE_VERSION})
    scope = {"name": "flowcage", "version": PACKAGE_VERSION}
    spans = {"scope": scope, "spans": list(_Spans(document, full=full).all())}
    return {"resourceSpans": [{"resource": {"attributes": service}, "scopeSpans": [spans]}]}


class _Spans:
    def __init__(self, document: _Object, *, full: bool) -> None:
        self._document, self._full = document, full
        self._run: _Object = document["run"]
        self._trace = _digest(self._run["id"], 16)
        self._parents = {each["path"]: each["parent"] for each in document["workflows"]}
        try:
            self._began = round(datetime.fromisoformat(self._run["createdAt"] or "").timestamp() * 1e9)
        except (ValueError, OverflowError):
            self._began = 0

    def all(self) -> Iterator[_Span]:
        workflows = {each["parent"]: each for each in self._document["workflows"] if each["path"]}
        yield self._root()
        for call in self._document["calls"]:
            if call["kind"] == "agent":
                yield from self._agent(call)
            else:
                yield self._other(call, workflows.get(call["id"]))

    def _root(self) -> _Span:
        run = self._run
        usage = {
            "flowcage.tokens": run["usage"]["tokens"],
            "flowcage.cost_usd": run["usage"]["costUsd"],
            "flowcage.agents": run["census"]["started"],
        }
        told = {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": run["name"],
            "flowcage.run_id": run["id"],
            "flowcage.tenant": run["tenant"] or None,
            "flowcage.state": run["state"],
            "flowcage.verdict": run["verdict"],
        }
        error = run["error"]
        status = _failed(error["message"]) if error else {}
        if not error and run["verdict"] == "completed":
            status = {"status": {"code": _OK}}
        if error:
            told["error.type"] = error["kind"]
        name = f"invoke_workflow {run['name']}"
        span = self._span("", None, name, 0.0, run["seconds"], told | usage)
        return span | status | {"events": list(self._marks())}

    def _marks(self) -> Iterator[dict[str, Any]]:
        for each in self._document["events"]:
            if each["type"] in (*_MARKS, *(_WORDS if self._full else ())):
                told = _attributes({"flowcage.text": each["text"]})
                yield {"timeUnixNano": self._at(each["at"]), "name": each["type"], "attributes": told}

    def _agent(self, call: _Object) -> Iterator[_Span]:
        """The span of a call, and one below it for each attempt, where there was more than one."""
        name = _option(call, "agentType")
        told = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.output.type": "json" if _has_schema(call) else "text",
            "gen_ai.provider.name": _option(call, "provider"),
            "gen_ai.agent.name": name,
            "gen_ai.request.model": _option(call, "model"),
            "gen_ai.response.model": call["model"],
            "gen_ai.conversation.id": call["sessionId"],
            "flowcage.label": call["label"],
            "flowcage.phase": call["phase"],
            "flowcage.reused": call["reused"] or None,
        }
        told |= _usage(call) | (_content(call) if self._full else {})
        title = f"invoke_agent {name}" if name else "invoke_agent"
        yield self._of_call(call, title, told)
        if len(call["attempts"]) > 1:
            for each in call["attempts"]:
                key, number = f"{call['id']}#{each['number']}", each["number"]
                of_attempt = {"flowcage.attempt": number} | _usage(each)
                span = self._span(
                    key, call["id"], f"attempt {number}", each["began"], each["ended"], of_attempt
                )
                yield span | (_failed(self._why(each["error"], [each])) if each["error"] else {})

    def _other(self, call: _Object, workflow: _Object | None) -> _Span:
        if call["kind"] == "workflow":
            name = workflow["sourceName"] if workflow else call["prompt"]
            told = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": name}
            return self._of_call(call, f"invoke_workflow {name}", told)
        return self._of_call(call, call["kind"], {})

    def _of_call(self, call: _Object, name: str, told: dict[str, Any]) -> _Span:
        """A call from when it was made, so that its wait for a place is seen as the time before its start."""
        queued = None if call["began"] is None else round(call["began"] - call["asked"], 6)
        told = told | {
            "flowcage.call_id": call["id"],
            "flowcage.request_id": call["id"].rpartition("/")[2],
            "flowcage.state": call["state"],
            "flowcage.queued_seconds": queued,
        }
        parent = self._parents.get(call["path"]) or ""
        bad = call["state"] in ("failed", "refused", "cancelled")
        why = self._why(call["error"], call["attempts"]) or call["state"]
        status = _failed(why) if bad else {}
        if bad:
            told["error.type"] = f"agent_{call['state']}" if call["kind"] == "agent" else call["state"]
        return self._span(call["id"], parent, name, call["asked"], call["ended"], told) | status

    def _why(self, error: str | None, attempts: list[_Object]) -> str:
        """Why there is no answer; what is wrong with one may quote it."""
        refused = sum(len(each["refused"]) for each in attempts)
        return f"no valid answer in {refused} tries" if refused and not self._full else error or ""

    def _span(
        self,
        key: str,
        parent: str | None,
        name: str,
        began: float,
        ended: float | None,
        told: Mapping[str, Json],
    ) -> _Span:
        """A span; one that has not ended ends with what is known of the run."""
        last = self._run["seconds"] if ended is None else ended
        members = {"traceId": self._trace, "spanId": self._id(key)}
        if parent is not None:
            members["parentSpanId"] = self._id(parent)
        return {
            **members,
            "name": _line(name),
            "kind": _INTERNAL,
            "startTimeUnixNano": self._at(began),
            "endTimeUnixNano": self._at(max(began, last)),
            "attributes": _attributes(told),
        }

    def _id(self, key: str) -> str:
        return _digest(f"{self._run['id']}/{key}", 8)

    def _at(self, seconds: float) -> str:
        return str(max(0, self._began + round(seconds * 1e9)))


def _digest(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


def _usage(usage: _Object) -> dict[str, Json]:
    """What is 0 was not told. By the conventions, what was read includes what caches gave and took."""
    read = usage["inputTokens"] + usage["cacheReadTokens"] + usage["cacheWriteTokens"]
    found = {
        "gen_ai.usage.input_tokens": read,
        "gen_ai.usage.output_tokens": usage["outputTokens"],
        "gen_ai.usage.cache_read.input_tokens": usage["cacheReadTokens"],
        "gen_ai.usage.cache_creation.input_tokens": usage["cacheWriteTokens"],
        "flowcage.tokens": usage["tokens"],
        "flowcage.cost_usd": usage["costUsd"],
    }
    return {name: value for name, value in found.items() if value}


def _content(call: _Object) -> dict[str, Json]:
    parts = [{"type": "text", "content": call["prompt"]}]
    told = {"gen_ai.input.messages": strictjson.dumps([{"role": "user", "parts": parts}])}
    if "value" in call:
        value = call["value"]
        text = value if isinstance(value, str) else strictjson.dumps(value)
        answer = {"role": "assistant", "parts": [{"type": "text", "content": text}], "finish_reason": "stop"}
        told["gen_ai.output.messages"] = strictjson.dumps([answer])
    return told


def _option(call: _Object, name: str) -> str | None:
    options = call["options"]
    value = options.get(name) if isinstance(options, dict) else None
    return value if isinstance(value, str) else None


def _has_schema(call: _Object) -> bool:
    options = call["options"]
    return isinstance(options, dict) and options.get("schema") is not None


def _failed(message: str) -> dict[str, Any]:
    return {"status": {"code": _ERROR, "message": _text(message)}}


def _attributes(values: Mapping[str, Json]) -> list[dict[str, Any]]:
    """As the format has them; what is None is left out. Texts are without controls."""
    return [{"key": name, "value": _any(name, value)} for name, value in values.items() if value is not None]


def _any(name: str, value: Json) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": value if name.endswith(".messages") else _text(value)}


def _line(text: str) -> str:
    return cut(" ".join(whole(text[: 4 * _NAME]).split()), _NAME)


def _text(text: str) -> str:
    return cut(whole(text[:_TEXT]), _TEXT)

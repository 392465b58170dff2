"""The page document as a trace that ui.perfetto.dev and chrome://tracing show.

The format is the JSON of Chrome's trace events. Each workflow of the run is a process there. Its threads are
the places at work of each phase: a call has the first place that is free when it begins, so that no two
overlap. A call that was asked more than once has its attempts below itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

from flowcage.host.terminal.text import cut, whole

_NAME, _TEXT = 80, 2_000  # characters
_LOG = 1  # thread of what a workflow logs and which phases it enters

_Object: TypeAlias = Mapping[str, Any]
_Event: TypeAlias = dict[str, Any]


def perfetto(document: _Object) -> dict[str, Any]:
    """The document as a trace."""
    run = document["run"]
    told = {name: run[name] for name in ("id", "state", "verdict", "createdAt", "seconds")}
    return {
        "displayTimeUnit": "ms",
        "otherData": {name: str(value) for name, value in told.items()} | {"name": _line(run["name"])},
        "traceEvents": _Trace(document).events(),
    }


class _Trace:
    def __init__(self, document: _Object) -> None:
        self._document = document
        self._end: float = document["run"]["seconds"]
        paths = [each["path"] for each in document["workflows"]]
        paths += [call["path"] for call in document["calls"]]
        self._processes = {path: number for number, path in enumerate(dict.fromkeys(paths), 1)}
        self._placed: dict[str, int] = {}  # threads of calls
        self._threads: dict[tuple[str, str, int], int] = {}
        self._busy: dict[tuple[str, str], list[float]] = {}  # until when each place of a phase is taken

    def events(self) -> list[_Event]:
        told = [
            *self._calls(),
            *self._marks(),
            *self._counters(),
            *self._flows(),
        ]
        return [*self._names(), *sorted(told, key=lambda each: each["ts"])]

    # ---- tracks --------------------------------------------------------------------------------

    def _names(self) -> Iterator[_Event]:
        titles = {each["path"]: each["sourceName"] for each in self._document["workflows"]}
        for path, process in self._processes.items():
            name = _line(titles.get(path, path)) + (f" ({path})" if path else "")
            yield _meta("process_name", process, 0, name)
            yield {**_meta("process_sort_index", process, 0, ""), "args": {"sort_index": process}}
            yield _meta("thread_name", process, _LOG, "log and phases")
        for (path, phase, place), thread in self._threads.items():
            name = f"{_line(phase) or 'agents'} {place + 1}"
            process = self._processes[path]
            yield _meta("thread_name", process, thread, name)
            yield {**_meta("thread_sort_index", process, thread, ""), "args": {"sort_index": thread}}

    def _thread(self, call: _Object, began: float, ended: float) -> int:
        path, phase = call["path"], call["phase"] or ""
        places = self._busy.setdefault((path, phase), [])
        place = next((number for number, until in enumerate(places) if until <= began), len(places))
        places[place : place + 1] = [ended]
        return self._threads.setdefault((path, phase, place), _LOG + 1 + len(self._threads))

    # ---- what happened -------------------------------------------------------------------------

    def _calls(self) -> Iterator[_Event]:
        begun = [call for call in self._document["calls"] if call["began"] is not None]
        for call in sorted(begun, key=lambda each: each["began"]):
            began, ended = call["began"], self._until(call["ended"])
            process = self._processes[call["path"]]
            thread = self._placed[call["id"]] = self._thread(call, began, ended)
            yield _span(_title(call), call["kind"], process, thread, began, ended) | {"args": _about(call)}
            if len(call["attempts"]) > 1:
                for each in call["attempts"]:
                    name, last = f"attempt {each['number']}", min(self._until(each["ended"]), ended)
                    told = {"tokens": each["tokens"], "error": _text(each["error"] or "")}
                    span = _span(name, "attempt", process, thread, each["began"], last)
                    yield span | {"args": told}

    def _until(self, ended: float | None) -> float:
        return self._end if ended is None else ended

    def _marks(self) -> Iterator[_Event]:
        for each in self._document["events"]:
            if each["type"] not in ("log", "phase", "diagnostic", "asleep", "awake", "resumed"):
                continue
            process = self._processes.get(each["path"], 1)
            told = {"pid": process, "tid": _LOG, "ts": _microseconds(each["at"])}
            yield {"name": _line(each["text"]), "cat": each["type"], "ph": "i", "s": "t", **told}

    def _counters(self) -> Iterator[_Event]:
        """How many agents wait and are at work, and what has been spent."""
        changes: list[tuple[float, int, int, int, float]] = []
        for call in self._document["calls"]:
            if call["kind"] != "agent":
                continue
            began, ended = call["began"], self._until(call["ended"])
            changes.append((call["asked"], 1, 0, 0, 0.0))
            if began is not None:
                changes.append((began, -1, 1, 0, 0.0))
            waits, works = (0, -1) if began is not None else (-1, 0)
            changes.append((ended, waits, works, call["tokens"], call["costUsd"]))
        yield from _counted(changes)

    def _flows(self) -> Iterator[_Event]:
        """From the call of a child workflow to the first call that this makes."""
        calls = {call["id"]: call for call in self._document["calls"]}
        first: dict[str, _Object] = {}
        for call in self._document["calls"]:
            if call["began"] is not None:
                first.setdefault(call["path"], call)
        for number, workflow in enumerate(self._document["workflows"]):
            parent, below = calls.get(workflow["parent"] or ""), first.get(workflow["path"])
            if parent is None or below is None or parent["began"] is None:
                continue
            for phase, call in (("s", parent), ("f", below)):
                at = _microseconds(call["began"])
                told = {"pid": self._processes[call["path"]], "tid": self._placed[call["id"]], "ts": at}
                yield {"name": "starts", "cat": "workflow", "ph": phase, "id": number, "bp": "e", **told}


def _counted(changes: list[tuple[float, int, int, int, float]]) -> Iterator[_Event]:
    """Sums as of each time: what happens at one time happens at once."""
    waiting = working = tokens = 0
    cost = 0.0
    for at, group in groupby(sorted(changes), key=itemgetter(0)):
        for _, waits, works, more, dollars in group:
            waiting, working, tokens, cost = waiting + waits, working + works, tokens + more, cost + dollars
        told = {"pid": 1, "tid": 0, "ts": _microseconds(at), "ph": "C"}
        yield {"name": "agents", **told, "args": {"at work": working, "queued": waiting}}
        yield {"name": "tokens", **told, "args": {"tokens": tokens}}
        yield {"name": "US dollars", **told, "args": {"cost": round(cost, 6)}}


def _span(name: str, kind: str, process: int, thread: int, began: float, ended: float) -> _Event:
    length = max(0, _microseconds(ended) - _microseconds(began))
    at = {"pid": process, "tid": thread, "ts": _microseconds(began), "dur": length}
    return {"name": name, "cat": _line(kind), "ph": "X", **at}


def _meta(name: str, process: int, thread: int, told: str) -> _Event:
    return {"name": name, "ph": "M", "pid": process, "tid": thread, "args": {"name": told}}


def _title(call: _Object) -> str:
    return _line(call["label"] or call["prompt"] or call["kind"])


def _about(call: _Object) -> dict[str, Any]:
    texts = {name: _text(call[name] or "") for name in ("id", "state", "model", "prompt", "error")}
    found: dict[str, Any] = {name: text for name, text in texts.items() if text}
    found |= {"tokens": call["tokens"], "costUsd": call["costUsd"], "reused": call["reused"]}
    return found | {"queuedSeconds": round(call["began"] - call["asked"], 6)}


def _microseconds(seconds: float) -> int:
    return round(1_000_000 * seconds)


def _line(text: str) -> str:
    return cut(" ".join(whole(text[: 4 * _NAME]).split()), _NAME)


def _text(text: str) -> str:
    return cut(whole(text[:_TEXT]), _TEXT)

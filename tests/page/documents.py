"""Page documents with any texts, as a store or a file of events may bring them."""

from __future__ import annotations

from typing import Any

from flowcage.host.durable.records import Ending, Entry, NewWorkflow, RunRecord, Summary
from flowcage.host.page.fold import About
from flowcage.host.run.core.inputs import (
    Answered,
    Compiled,
    Ended,
    Input,
    Opened,
    Reason,
    Refused,
    Said,
    Spent,
    State,
    Turn,
)
from flowcage.host.run.core.rules import Rules
from flowcage.protocol.messages import AgentRequest, Log, Phase, WorkflowRequest

from .pages import page_of

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><!-- <script>",
    "![x](https://example.org/a.png) [y](javascript:alert(1)) https://example.org @somebody #1",
    "```\n# heading\n~~~\n<img src=x onerror=alert(1)>",
    "`" * 7 + "a" + "`" * 3,
    "| a | b |\n| - | - |\n| c |",
    "\u202egnp.\u2066exe\u2069 \u200f \x1b[31mred\x1b]8;;http://e\x07 \x00 \r\n \ud800 \u2028",
    "\\`\\|\\",
    " ` ",
    "",
]


def record(inputs: list[Input], **more: Any) -> RunRecord:
    """A record with these inputs, a hundredth of a second apart."""
    entries = [Entry(seq, seq / 100, 1, each, None) for seq, each in enumerate(inputs)]
    summary = Summary(
        "run", "", "running", None, "w.js", None, None, None, None, 1, len(entries), 0, None, 0, None,
        1_800_000_000_000, 1_800_000_001_000, 1_800_000_001_000, None, None,
    )  # fmt: skip
    summary = summary._replace(**more.pop("summary", {}))
    workflows = {"": NewWorkflow("", more.pop("source", "agent()"), "w.js")}
    return RunRecord(
        summary, Rules(handlers=frozenset({"agent", "workflow"})), b"", workflows, entries, [], None
    )._replace(**more)


def of_text(text: str) -> dict[str, Any]:
    """A document of a run that has failed, with this text wherever a script or a model brings one."""
    calls = (
        AgentRequest("1", text, {"label": text, "phase": text, "model": text, "schema": {"title": text}}),
        AgentRequest("2", text, {"label": text}),
        WorkflowRequest("3", text),
        AgentRequest("4", text, {}),
    )
    inputs: list[Input] = [
        Opened("", "w.js"),
        Compiled("", "script"),
        Said("", (Log([text, {text: text}]), Phase(text, {"detail": text})), calls),
        Refused("1", text, Reason.WRONG_ANSWER, text, Spent(1)),
        Answered("1", {text: [text]}, Spent(3, 0.5), {"model": text, "session_id": text}),
        Refused("2", text, Reason.REFUSED, None, Spent(1, None)),
        Opened("3", text, "3"),
        Compiled("3", "script"),
        Said("3", (), (AgentRequest("1", text, {}),)),
        Ended("3"),
        Turn(""),
        Said("", (), (), ({"kind": "note", "message": text},), State.PENDING),
    ]
    error = {"kind": text, "message": text, "stack": text, "place": text}
    ended = {"state": "ended", "verdict": "failed"}
    made = record(inputs, source=text, summary=ended, ending=Ending("failed", error=error))
    return page_of(made, about={"": About({"name": text, "phases": [{"title": text}]})})

"""The kinds of request: one row each. What a kind has in common with others needs no other line of code.

A new kind is a record in `flowcage.protocol.messages`, a reader of its JSON there, a row here, and a handler.
Only `AgentRequest` (attempts, budget), `SleepRequest` (a time), `AskRequest` (a person) and `UnknownRequest`
(a refusal) have rules of their own, which are the core's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from flowcage.protocol.messages import AgentRequest, AskRequest, SandboxExecRequest, WorkflowRequest


class Kind(NamedTuple):
    """How requests of one type are queued, and who answers them.

    Attributes:
        name: of the type on the wire; the handler of the same name in `RunOptions` answers it.
        cap: name of the rule that says how many may be at work at once; "" where they take no place at work.
        shared: whether the cap holds for the whole tree. Otherwise each workflow has its own queue: a child
            workflow that waits for its own must not be in their way.
        absent: what the workflow is told where the host has no handler.
        with_caller: whether the handler is given the workflow that asks, to run others on its account.
        total: name of the rule that bounds how many a tree may ask in all, and `over` what is told beyond.
    """

    name: str
    cap: str
    shared: bool = False
    absent: str = ""
    with_caller: bool = False
    total: str = ""
    over: str = ""


Kinds: TypeAlias = Mapping[type[Any], Kind]

KINDS: Kinds = MappingProxyType(
    {
        AgentRequest: Kind("agent", cap="max_agents", shared=True, absent="this host has no agents"),
        WorkflowRequest: Kind(
            "workflow",
            cap="max_children",
            absent="this host runs no child workflows",
            with_caller=True,
            total="max_total_children",
            over="workflow() is refused: this run has started all {} child workflows that the limit "
            "maxTotalChildren allows",
        ),
        SandboxExecRequest: Kind(
            "sandbox_exec",
            cap="max_children",
            absent="SW.sandbox.exec() is refused: this host has no handler that runs programs",
        ),
        AskRequest: Kind(
            "ask",
            cap="",
            absent="ask() is refused: this host asks nobody; it needs a handler of ask, or a store that "
            "keeps the run until somebody answers",
        ),
    }
)

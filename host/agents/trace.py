"""The trace that an agent's work belongs to, as W3C Trace Context has it.

Whoever makes spans of a run sets it in the task of the agent's call, and agents pass it on: programs find it
in their environment, providers in a header. It has ids and no content.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import NamedTuple

# Version, trace, parent and flags; a later version may have more (W3C Trace Context, 3.2).
_PARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]{0,200})?"
)
_STATE = re.compile(r"[ -~]{1,512}")


class AgentTrace(NamedTuple):
    """What an agent passes on.

    Attributes:
        parent: the ``traceparent`` of its call.
        state: the ``tracestate``; "" for none.
        describe: adds attributes to the span of the call.
    """

    parent: str
    state: str = ""
    describe: Callable[[Mapping[str, str]], None] = lambda _attributes: None


_CURRENT: ContextVar[AgentTrace | None] = ContextVar("flowcage agent trace", default=None)


def current_trace() -> AgentTrace | None:
    """That of the call whose task this is; None where nobody traces."""
    return _CURRENT.get()


def set_trace(trace: AgentTrace | None) -> None:
    """Have this task, and those that it starts, belong to a trace."""
    _CURRENT.set(trace)


def trace_in(environment: Mapping[str, str]) -> AgentTrace | None:
    """The trace that a program was started in, by TRACEPARENT and TRACESTATE; None for none."""
    parent, state = environment.get("TRACEPARENT", ""), environment.get("TRACESTATE", "")
    is_parent = _PARENT.fullmatch(parent) is not None and (len(parent) == 55 or not parent.startswith("00"))
    if not is_parent:
        return None
    return AgentTrace(parent, state if _STATE.fullmatch(state) else "")


def traced(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables for a program that works for the call whose task this is; what names no trace is left out."""
    trace = current_trace() or trace_in(environment)
    kept = {name: value for name, value in environment.items() if name not in ("TRACEPARENT", "TRACESTATE")}
    if trace is None:
        return kept
    return kept | {"TRACEPARENT": trace.parent} | ({"TRACESTATE": trace.state} if trace.state else {})


def trace_headers() -> dict[str, str]:
    """Headers for a request of the call whose task this is, without what other vendors noted."""
    trace = current_trace()
    return {} if trace is None else {"traceparent": trace.parent}

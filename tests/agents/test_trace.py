"""The trace that agents pass on: to programs by their environment, to providers by a header."""

from __future__ import annotations

import pytest
import trio

from flowcage.host.agents.trace import AgentTrace, current_trace, set_trace, trace_headers, trace_in, traced

OUTER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("parent", "is_one"),
    [
        (PARENT, True),
        (f"01{PARENT[2:]}", True),
        (f"01{PARENT[2:]}-more", True),
        (f"{PARENT}-more", False),
        (f"ff{PARENT[2:]}", False),
        (PARENT.upper(), False),
        (PARENT.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32), False),
        (PARENT.replace("b7ad6b7169203331", "0" * 16), False),
        (f"{PARENT}\n", False),
        (f"{PARENT}\r\nx-key: 1", False),
        ("", False),
        ("x" * 100_000, False),
    ],
)
def test_only_a_traceparent_is_taken_from_outside(parent: str, is_one: bool) -> None:
    assert trace_in({"TRACEPARENT": parent}) == (AgentTrace(parent) if is_one else None)


@pytest.mark.parametrize(("state", "told"), [("a=1,b=2", "a=1,b=2"), ("a\nb", ""), ("x" * 513, ""), ("", "")])
def test_what_vendors_noted_is_taken_where_it_is_in_order(state: str, told: str) -> None:
    trace = trace_in({"TRACEPARENT": PARENT, "TRACESTATE": state})
    assert trace is not None
    assert trace.state == told


def test_a_program_has_the_trace_of_its_call_in_place_of_the_hosts() -> None:
    outside = {"PATH": "/bin", "TRACEPARENT": OUTER, "TRACESTATE": "outer=1"}

    async def main() -> None:
        assert traced(outside) == outside
        assert trace_headers() == {}
        set_trace(AgentTrace(PARENT))
        assert traced(outside) == {"PATH": "/bin", "TRACEPARENT": PARENT}
        set_trace(AgentTrace(PARENT, "a=1"))
        assert traced(outside) == {"PATH": "/bin", "TRACEPARENT": PARENT, "TRACESTATE": "a=1"}
        assert trace_headers() == {"traceparent": PARENT}

    trio.run(main)
    assert current_trace() is None

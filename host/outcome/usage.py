"""What a run used: time, memory and messages of its child, tokens and dollars of its agents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from flowcage.protocol.limits import camel_case


@dataclass(frozen=True, kw_only=True)
class AgentCosts:
    """What agents used, in detail.

    Attributes:
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens: as in `AgentUsage`, of the answers
            that told them.
        unpriced: answers that used tokens and whose cost is not known.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    unpriced: int = 0

    def __add__(self, other: Self) -> Self:
        names = [each.name for each in fields(self)]
        return type(self)(**{name: getattr(self, name) + getattr(other, name) for name in names})

    def to_json(self) -> dict[str, Any]:
        """In the wire's camelCase."""
        detail = [each.name for each in fields(AgentCosts)]
        names = [each.name for each in fields(self) if each.name not in detail] + detail
        return {camel_case(name): getattr(self, name) for name in names}


@dataclass(frozen=True)
class PhaseUsage(AgentCosts):
    """The usage of the agents of one phase.

    Attributes:
        agents: calls that were begun.
        failed: calls that were begun and had no answer in the end.
        tokens, cost_usd: as in `Usage`.
    """

    agents: int = 0
    failed: int = 0
    tokens: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True)
class ModelUsage(AgentCosts):
    """The usage of one model.

    Attributes:
        answers: of any kind, with those that were refused and those of failures.
        tokens, cost_usd: as in `Usage`.
    """

    answers: int = 0
    tokens: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True)
class Usage:
    """What the run used; seconds are rounded to microseconds.

    Attributes:
        wall_seconds: from the launch of the child to its reaping.
        user_cpu_seconds, system_cpu_seconds: of the child (wait4(2)); child workflows have their own reports.
        earlier_cpu_seconds: of the lives that a kept run had before this one, child workflows included. The
            limit counts them, and not what is repeated of them. 0 for a child workflow.
        peak_rss_bytes: of the child (VmHWM, proc(5)); 0 where it ended before that could be read.
        agents: ``agent()`` calls that were begun, those of child workflows included.
        tokens: that count for the budget, as the agents reported, over all lives of a kept run.
        cost_usd: US dollars, of the answers whose cost is known.
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, unpriced: as in `AgentCosts`.
        reused_agents, reused_tokens: calls with the answer of another run, and what these had cost then. They
            are in none of the other figures; the workflow's `budget` counts their tokens.
        messages, bytes_sent, bytes_received: on the wire.
        by_phase: agents, tokens and cost by phase, "" for agents without one; phases beyond a bound are
            counted together.
        by_workflow: the same for each workflow's source name.
        by_model: the same for each model that agents told; models beyond a bound are counted together.
    """

    wall_seconds: float = 0.0
    user_cpu_seconds: float = 0.0
    system_cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0
    agents: int = 0
    tokens: int = 0
    messages: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    by_phase: Mapping[str, PhaseUsage] = field(default_factory=dict)
    cost_usd: float = 0.0
    by_workflow: Mapping[str, Mapping[str, PhaseUsage]] = field(default_factory=dict)
    reused_agents: int = 0
    reused_tokens: int = 0
    earlier_cpu_seconds: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    unpriced: int = 0
    by_model: Mapping[str, ModelUsage] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The usage with camelCase names, as the command line prints it."""
        return {
            "wallSeconds": self.wall_seconds,
            "userCpuSeconds": self.user_cpu_seconds,
            "systemCpuSeconds": self.system_cpu_seconds,
            "earlierCpuSeconds": self.earlier_cpu_seconds,
            "peakRssBytes": self.peak_rss_bytes,
            "agents": self.agents,
            "tokens": self.tokens,
            "costUsd": self.cost_usd,
            "inputTokens": self.input_tokens,
            "outputTokens": self.output_tokens,
            "cacheReadTokens": self.cache_read_tokens,
            "cacheWriteTokens": self.cache_write_tokens,
            "unpriced": self.unpriced,
            "reusedAgents": self.reused_agents,
            "reusedTokens": self.reused_tokens,
            "messages": self.messages,
            "bytesSent": self.bytes_sent,
            "bytesReceived": self.bytes_received,
            "byPhase": _to_json(self.by_phase),
            "byWorkflow": {name: _to_json(phases) for name, phases in self.by_workflow.items()},
            "byModel": _to_json(self.by_model),
        }


def _to_json(usages: Mapping[str, AgentCosts]) -> dict[str, Any]:
    return {name: usage.to_json() for name, usage in usages.items()}

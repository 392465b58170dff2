"""An agent refuses what it cannot follow, also what the type of an agent comes to."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.agents import AgentCall, OptionNotHonoured, require_honoured


@pytest.mark.parametrize(
    ("members", "honoured"),
    [
        ({"options": {"label": "a", "phase": "b", "retry": 2, "timeoutMs": 5}}, set()),
        ({"options": {"model": "m", "effort": None}}, {"model"}),
        ({"options": {}, "instructions": "Be brief."}, {"agentType"}),
        ({"options": {}, "tools": ()}, {"agentType"}),
        ({"options": {"agentType": "r"}, "tools": ("Read",)}, {"agentType"}),
    ],
)
def test_what_is_honoured_passes(members: dict[str, Any], honoured: set[str]) -> None:
    require_honoured(AgentCall("1", "x", **members), "small", honoured)


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ({"options": {"effort": "high"}}, "effort"),
        ({"options": {"agentType": "r"}}, "agentType"),
        ({"options": {}, "instructions": "Be brief."}, "agentType"),
        ({"options": {}, "tools": ()}, "agentType"),
    ],
)
def test_what_is_not_honoured_is_refused_by_name(members: dict[str, Any], name: str) -> None:
    with pytest.raises(OptionNotHonoured, match=rf"options\.{name}; it follows label, model"):
        require_honoured(AgentCall("1", "x", **members), "small", {"model"})


@pytest.mark.parametrize("name", ["model", "provider", "effort"])
@pytest.mark.parametrize("value", [5, {"name": "opus"}, ["opus"], True, ""])
def test_a_value_that_would_be_taken_for_none_is_refused(name: str, value: Any) -> None:
    with pytest.raises(OptionNotHonoured, match=rf"options\.{name} must be text that is not empty, or null"):
        require_honoured(AgentCall("1", "x", {name: value}), "small", {name})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("adapter", "what other programs call adapter is provider"),
        ("subagent_type", "what other programs call subagent_type is agentType here"),
        ("efort", "did you mean 'effort'?"),
        ("handle", "options.handle; it follows effort, label"),
        ("x" * 1000, "options." + "x" * 80 + "; it"),
    ],
)
def test_an_option_by_another_name_is_refused_with_its_name_here(name: str, hint: str) -> None:
    with pytest.raises(OptionNotHonoured) as caught:
        require_honoured(AgentCall("1", "x", {name: "y"}), "small", {"effort"})
    assert hint in str(caught.value)
    assert len(str(caught.value)) < 400


def test_an_agent_that_continues_conversations_has_handles() -> None:
    require_honoured(AgentCall("1", "x", {"handle": True, "continue": "agent:1"}), "small", {"continue"})

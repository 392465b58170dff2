"""`meta.phases`: what an entry says about model and provider holds for the agents of that phase."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowcage.host import RunOptions, WorkflowFailed, run_workflow_blocking
from flowcage.host.workflows.child_workflows import ChildWorkflows

from ..host.children import Launcher
from ..host.runs import Agent, failure, run

META = """export const meta = {name: 'm', phases: [
  {title: 'Draft', model: 'small', provider: 'local'},
  {title: 'Check', model: 'large'},
  {title: 'Plain'},
]};
"""


def options_of(source: str) -> Any:
    agent = Agent("ok")
    run(META + source, agent=agent)
    return [dict(call.options) for call in agent.calls]


def test_agents_of_a_phase_take_model_and_provider_from_its_entry() -> None:
    assert options_of("phase('Draft'); await agent('x'); phase('Check'); return agent('y')") == [
        {"phase": "Draft", "model": "small", "provider": "local"},
        {"phase": "Check", "model": "large"},
    ]


def test_the_phase_option_of_a_call_counts_as_phase_does() -> None:
    assert options_of("export default agent('x', {phase: 'Check'})") == [{"phase": "Check", "model": "large"}]


def test_what_the_call_has_itself_stays() -> None:
    (options,) = options_of("phase('Draft'); return agent('x', {model: 'mine', provider: null})")
    assert options == {"phase": "Draft", "model": "mine", "provider": None}


def test_a_module_that_is_too_long_for_its_meta_to_be_read_runs_without_defaults_and_says_so() -> None:
    agent = Agent("ok")
    source = f"{META}phase('Draft'); export default agent('x') // {'x' * 1024 * 1024}"
    outcome = run_workflow_blocking(source, options=RunOptions(launcher=Launcher(), agent=agent))
    assert [dict(call.options) for call in agent.calls] == [{"phase": "Draft"}]
    (note,) = outcome.report.diagnostics
    assert note["kind"] == "meta_not_read"
    assert "1048576 bytes" in str(note["message"])


@pytest.mark.parametrize(
    "call", ["agent('x')", "agent('x', {phase: 'Other'})", "agent('x', {phase: 'Plain'})"]
)
def test_agents_of_no_such_phase_are_left_alone(call: str) -> None:
    (options,) = options_of(f"export default {call}")
    assert "model" not in options
    assert "provider" not in options


@pytest.mark.parametrize(
    "phases",
    [
        "'model'",
        "{title: 'P', model: 'm'}",
        "[null, 5, 'P', ['model'], {model: 'm'}, {title: 5, model: 'm'}]",
        "[{title: 'P', model: 5, provider: ['x']}]",
    ],
)
def test_phases_of_another_form_are_refused_before_an_agent_is_asked(phases: str) -> None:
    agent = Agent("ok")
    source = f"export const meta = {{phases: {phases}}}; phase('P'); export default agent('x')"
    error = failure(source, agent=agent)
    assert isinstance(error, WorkflowFailed)
    assert (error.kind, agent.calls) == ("syntax", [])
    assert error.place.startswith("workflow.js:1:")


@pytest.mark.parametrize("model", ["MODEL", "args.model", "`${MODEL}`"])
def test_a_phase_whose_model_is_computed_is_refused_before_an_agent_is_asked(model: str) -> None:
    agent = Agent("ok")
    line = f"export const meta = {{phases: [{{title: 'P', model: {model}}}]}};"
    error = failure(f"const MODEL = 'large';\n{line} phase('P'); export default agent('x')", agent=agent)
    assert isinstance(error, WorkflowFailed)
    assert (error.kind, agent.calls) == ("syntax", [])
    assert error.place == f"workflow.js:2:{line.index('$' if '$' in model else model) + 1}"


def test_of_two_entries_with_one_title_the_first_counts() -> None:
    agent = Agent("ok")
    meta = "export const meta = {phases: [{title: 'P', model: 'a'}, {title: 'P', model: 'b'}]};"
    run(f"{meta} phase('P'); export default agent('x')", agent=agent)
    assert agent.calls[0].options["model"] == "a"


def test_a_syntax_error_beside_phases_is_told_as_ever() -> None:
    error = failure(META + "export default 1 1")
    assert isinstance(error, WorkflowFailed)
    assert (error.kind, error.place) == ("syntax", "workflow.js:6:18")


def test_a_child_workflow_goes_by_its_own_meta(tmp_path: Path) -> None:
    agent, launcher = Agent("ok"), Launcher()
    kid = META.replace("small", "tiny") + "phase('Draft'); export default agent('x')"
    (tmp_path / "kid.js").write_text(kid)
    source = META + "phase('Draft'); await agent('p'); return workflow({scriptPath: 'kid.js'})"
    options = RunOptions(agent=agent, workflow=ChildWorkflows(tmp_path), launcher=launcher)
    run_workflow_blocking(source, source_name=str(tmp_path / "p.js"), options=options)
    launcher.assert_nothing_left()
    assert [call.options["model"] for call in agent.calls] == ["small", "tiny"]


def test_only_a_source_that_speaks_of_it_costs_a_second_compilation() -> None:
    plain = "export default 1"
    spoken = "export default 1 // phases, model"
    assert run(spoken).usage.messages == run(plain).usage.messages + 2

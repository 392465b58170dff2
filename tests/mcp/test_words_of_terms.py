"""What a server allows of a run that others began, as its settings in the store tell it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flowcage.host.cli.mcp.terms import Terms
from flowcage.host.ui.api.problems import Problem
from flowcage.host.ui.api.ways import Way

SAME = Way("resume", "Go on", is_new=False)
NEW = Way("retry-failed", "Begin a new one", is_new=True)
GIVEN: dict[str, Any] = {
    "agent": "mock",
    "routes": [],
    "model": None,
    "models": {},
    "max_cost": None,
    "child_command": None,
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a server, in a project that has a folder with names above it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    named = tmp_path / "project" / "workflows"
    named.mkdir(parents=True)
    (tmp_path / "project" / ".git").mkdir()
    (named / "above.js").write_text("return 1")
    (tmp_path / "outside.js").write_text("return 1")
    (named / "link.js").symlink_to(tmp_path / "outside.js")
    folder = tmp_path / "project" / "below"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def words(folder: Path, agent: str | None, way: Way, given: dict[str, Any], **more: Any) -> list[str]:
    settings = {"cwd": str(folder), "root": str(folder), "file": str(folder / "w.js"), "given": GIVEN | given}
    return words_of(folder, agent, way, settings | more)


def words_of(folder: Path, agent: str | None, way: Way, settings: Any) -> list[str]:
    record: Any = SimpleNamespace(settings=settings, summary=SimpleNamespace(run_id="r", pool=None))
    return Terms(folder, agent).way_words(record, way)


PROGRAM = {"agent": "command:cat"}
ROUTED = {"routes": [{"agent": "command:cat"}]}
ELSEWHERE = {"routes": [{"agent": "claude"}]}


@pytest.mark.parametrize(
    ("agent", "way", "given"),
    [
        (None, SAME, PROGRAM),
        (None, NEW, PROGRAM),
        (None, SAME, ROUTED),
        (None, NEW, ROUTED),
        ("mock", SAME, PROGRAM),
        ("mock", SAME, ROUTED),
        ("mock", NEW, ROUTED),
        ("mock", SAME, ELSEWHERE),
        ("mock", SAME, {"agent": "claude"}),
    ],
)
def test_an_agent_that_the_server_does_not_ask_is_none_of_its_runs(
    project: Path, agent: str | None, way: Way, given: dict[str, Any]
) -> None:
    with pytest.raises(Problem, match="which this server does not ask") as refused:
        words(project, agent, way, given)
    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("agent", "way", "given", "expected"),
    [
        (None, SAME, {}, []),
        (None, SAME, {"agent": "claude"}, []),
        (None, SAME, ELSEWHERE, []),
        ("mock", SAME, {}, []),
        ("mock", NEW, PROGRAM, ["--agent=mock"]),
        ("mock", NEW, {"max_cost": 3.0}, ["--agent=mock", "--max-cost=3.0"]),
    ],
)
def test_other_runs_are_gone_on_with(
    project: Path, agent: str | None, way: Way, given: dict[str, Any], expected: list[str]
) -> None:
    assert words(project, agent, way, given) == expected


@pytest.mark.parametrize("name", ["cwd", "root", "file"])
@pytest.mark.parametrize(
    "place", ["{}/..", "{}/../..", "/", "{}/../../outside.js", "{}/../workflows/link.js", ".."]
)
def test_nothing_of_a_run_lies_outside_of_the_folder(project: Path, name: str, place: str) -> None:
    outside: dict[str, Any] = {name: place.format(project)}
    with pytest.raises(Problem, match=rf"its {name}, .* lies outside of"):
        words(project, "mock", SAME, {}, **outside)
    link = {name: str(project.parent / "workflows" / "link.js")}
    with pytest.raises(Problem, match=rf"its {name}, .* lies outside of"):
        words(project, "mock", SAME, {}, **link)


def test_what_has_a_name_above_the_folder_is_within(project: Path) -> None:
    above = project.parent / "workflows"
    assert words(project, "mock", SAME, {}, file=str(above / "above.js"), root=str(above)) == []
    with pytest.raises(Problem, match="its cwd"):
        words(project, "mock", SAME, {}, cwd=str(above))


@pytest.mark.parametrize(
    "settings",
    [
        None,
        {},
        [],
        {"cwd": 7},
        {"cwd": "a\0b", "root": "/", "file": "/", "given": GIVEN},
        {"cwd": ".", "root": ".", "file": "w.js", "given": None},
        {"cwd": ".", "root": ".", "file": "w.js", "given": {}},
        {"cwd": ".", "root": ".", "file": "w.js", "given": GIVEN | {"agent": 7}},
        {"cwd": ".", "root": ".", "file": "w.js", "given": GIVEN | {"routes": [{}]}},
        {"cwd": ".", "root": ".", "file": "w.js", "given": GIVEN | {"routes": 7}},
    ],
)
def test_settings_that_are_damaged_are_refused(project: Path, settings: Any) -> None:
    for way in (SAME, NEW):
        with pytest.raises(Problem) as refused:
            words_of(project, None, way, settings)
        assert refused.value.status == 403

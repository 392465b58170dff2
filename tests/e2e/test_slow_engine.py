"""What the commands say where the engine is the prebuilt one, which computes slower."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowcage.host.cli.engine import note_on
from flowcage.host.outcome.usage import Usage

from .command import flowcage

# Some seconds of CPU; what is said depends on whether they are more than one.
COMPUTES = "let n = 0; for (let i = 0; i < 7e7; i++) n = (n + i) | 0; export default 1"
LONG = Usage(user_cpu_seconds=1.25)


def wheel(folder: Path, tag: str) -> None:
    """Let the host find an engine with this tag in a folder."""
    info = folder / "quickjs_ng-0.17.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: quickjs-ng\nVersion: 0.17.0\n")
    (info / "WHEEL").write_text(f"Wheel-Version: 1.0\nTag: {tag}\n")


def test_a_run_that_computed_for_long_is_told_once_of_the_slow_engine(tmp_path: Path) -> None:
    wheel(tmp_path, "cp311-cp311-manylinux_2_28_x86_64")
    path = tmp_path / "computes.js"
    path.write_text(COMPUTES)
    words = ("run", path, "--limit", "stepTimeoutMs=200000")
    finished = flowcage(*words, env={"PYTHONPATH": str(tmp_path)})
    assert finished.status == 0
    assert finished.stderr.count("2 to 3 times slower") == 1
    assert "flowcage doctor" in finished.stderr
    assert flowcage(*words, "--quiet", env={"PYTHONPATH": str(tmp_path)}).stderr == ""


def test_other_runs_are_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    wheel(tmp_path, "cp311-cp311-manylinux_2_28_x86_64")
    assert "used 1.2 s of CPU" in (note_on(LONG) or "")
    assert note_on(Usage(user_cpu_seconds=0.9)) is None


def test_an_engine_that_was_built_here_is_not_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    wheel(tmp_path, "cp311-cp311-linux_x86_64")
    assert note_on(LONG) is None


@pytest.mark.parametrize("tag", ["manylinux_2_28_x86_64", "musllinux_1_2_x86_64", "macosx_11_0_arm64"])
def test_doctor_says_how_to_build_a_faster_one(tmp_path: Path, tag: str) -> None:
    wheel(tmp_path, f"cp311-cp311-{tag}")
    finished = flowcage("doctor", env={"PYTHONPATH": str(tmp_path)})
    assert f"prebuilt wheel (cp311-cp311-{tag}): 2 to 3 times slower" in finished.stdout
    assert "--no-binary quickjs-ng" in finished.stdout

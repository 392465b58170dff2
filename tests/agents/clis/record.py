"""Writes down what the real programs write: ``python -m tests.agents.clis.record claude codex/plain``.

The programs are those in PATH, or in FLOWCAGE_TEST_CLAUDE and FLOWCAGE_TEST_CODEX. They talk to a server of
ours on a loopback port. Paths and ports of this machine are replaced.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .situation import Situation
from .stage import SERVERS, SITUATIONS, USAGES, Stage, play, require_expected, set_up
from .tape import TRANSCRIPTS, script, scrubbed


def real_program(name: str) -> str | None:
    """The path of a real program, if there is one."""
    return shutil.which(os.environ.get(f"FLOWCAGE_TEST_{name.upper()}") or name)


def main(arguments: list[str]) -> None:
    """Record the situations of programs, or of one: ``claude codex/plain``."""
    for argument in arguments or list(SITUATIONS):
        program, _, only = argument.partition("/")
        for situation in SITUATIONS[program]:
            if only in ("", situation.name):
                _record(program, situation)


def _record(program: str, situation: Situation) -> None:
    real = real_program(program)
    if real is None:
        raise SystemExit(f"{program} is not in PATH")
    with tempfile.TemporaryDirectory() as name, SERVERS[program]() as server:
        place = Path(name).resolve()
        path = script(place / "bin", program, "recorder")
        stage = set_up(program, place, server.url, f"{path}{os.pathsep}{os.environ['PATH']}")
        tape = place / "tape"
        tape.mkdir()
        variables = {**stage.variables, "FLOWCAGE_TAPE": str(tape), "FLOWCAGE_REAL": real}
        stage = Stage(program, stage.home, stage.folder, variables, [])
        outcome = play(stage, situation, server)
        told = {"version": _version(real), "runs": _runs(tape)}
        text = scrubbed(json.dumps(told, indent=1, ensure_ascii=False), stage)
    path = TRANSCRIPTS / program / f"{situation.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    print(f"{program}/{situation.name}: {outcome!r}")
    require_expected(situation, outcome, USAGES[program])


def _runs(tape: Path) -> list[dict[str, Any]]:
    runs = []
    for number in range(len(list(tape.glob("*.call.json")))):
        run = json.loads((tape / f"{number}.call.json").read_text())
        run["stdout"] = (tape / f"{number}.stdout").read_text().splitlines()
        end = tape / f"{number}.end.json"
        run |= json.loads(end.read_text()) if end.exists() else {"status": None, "stderr": ""}
        runs.append(run)
    return runs


def _version(real: str) -> str:
    told = subprocess.check_output([real, "--version"], text=True)
    return str(re.findall(r"[\d.]+\d", told)[0]) if told else ""


if __name__ == "__main__":
    main(sys.argv[1:])

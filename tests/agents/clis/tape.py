"""Transcripts, and the programs that record and play them."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from .stage import Stage, set_up

TRANSCRIPTS = Path(__file__).parent / "transcripts"


def transcript(program: str, name: str) -> dict[str, Any]:
    """One of those that are kept."""
    told: dict[str, Any] = json.loads((TRANSCRIPTS / program / f"{name}.json").read_text())
    return told


def script(folder: Path, program: str, module: str) -> Path:
    """Make a folder for PATH in which a program's name is that of a module beside this one."""
    folder.mkdir(parents=True)
    path = folder / program
    source = Path(__file__).with_name(f"{module}.py")
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {source} "$@"\n')
    path.chmod(0o755)
    return folder


def scrubbed(text: str, stage: Stage) -> str:
    """A text without what is of this machine or of this run."""
    text = text.replace(str(stage.folder), "/folder").replace(str(stage.home), "/home/somebody")
    dashed = str(stage.folder).replace("/", "-").replace("_", "-")
    text = text.replace(dashed, "-folder")
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:80", text)
    return re.sub(r"[^\s\"'=]*/flowcage-[^/\s]+/schema\.json", "/tmp/schema.json", text)


def played(program: str, place: Path, runs: list[dict[str, Any]]) -> Stage:
    """A stage whose program does what it did in these runs, one after the other."""
    path = script(place / "bin", program, "player")
    stage = set_up(program, place, "http://127.0.0.1:80", f"{path}{os.pathsep}{os.defpath}")
    (place / "tape.json").write_text(json.dumps({"runs": runs}))
    return replace(stage, variables={**stage.variables, "FLOWCAGE_TAPE": str(place)})


def calls(place: Path) -> list[dict[str, Any]]:
    """How the program was called so far."""
    return [json.loads(line) for line in (place / "runs.jsonl").read_text().splitlines()]

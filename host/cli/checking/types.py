"""``flowcage check --types``: has tsc check workflows by the types of the globals."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from flowcage.host.cli import exits
from flowcage.host.cli.checking.checked import CheckedFile
from flowcage.host.cli.checking.sources import Source
from flowcage.host.cli.console import fail
from flowcage.protocol.sources.findings import Finding, Severity
from flowcage.schemas.loader import author_types

TIMEOUT_SECONDS = 300
MAX_FINDINGS = 100  # of a file
_MAX_TEXT = 300
_TOLD = re.compile(
    r"(?P<index>\d+)\.m?[jt]s\((?P<line>\d+),(?P<column>\d+)\): error TS(?P<code>\d+): (?P<text>.*)"
)
# What is no mistake in a workflow: a top-level return, and a module that only JSDoc names; what a run cannot
# import, the compiler of the engine refuses.
TOP_LEVEL_RETURN = 1108
_ALLOWED = frozenset({TOP_LEVEL_RETURN, 2307, 2578})
_IMPLICIT_ANY = range(7000, 7100)  # nobody has told a type: of args, of an answer
# What parallel() and pipeline() give may be null: worth a look, where nothing has filtered it.
_POSSIBLY_NULL = frozenset({2531, 2532, 2533, 18047, 18048, 18049})
# `meta` is read before the workflow runs, so it may stand behind what uses it.
_BEFORE_META = re.compile(r"(?:Block-scoped variable|Variable) 'meta' (?:is )?used before ")
_OPTIONS = {
    "allowJs": True,
    "checkJs": True,
    "noEmit": True,
    "strict": True,
    "noImplicitAny": True,  # by which `let x = null` may become something else
    "target": "es2022",
    "lib": ["es2023"],
    "types": [],
    "module": "esnext",
    "moduleResolution": "bundler",
    "moduleDetection": "force",
    "allowUnreachableCode": True,
}


def find_tsc(path: Path) -> str | None:
    """tsc of the nearest ``node_modules``, from the folder of a path upwards; else that on the PATH."""
    here = Path(os.path.abspath(path)).parent
    for folder in (here, *here.parents):
        if os.access(tsc := folder / "node_modules" / ".bin" / "tsc", os.X_OK):
            return str(tsc)
    return shutil.which("tsc")


def with_types(tsc: str, scripts: list[Source], files: list[CheckedFile]) -> list[CheckedFile]:
    """Add what tsc finds in those files that compile."""
    with TemporaryDirectory(prefix="flowcage-types-") as name:
        folder = Path(name)
        _lay_out(folder, scripts, files)
        told = _run(tsc, folder)
        if _replace_returns(folder, told):
            told = _run(tsc, folder)
    found: dict[int, list[Finding]] = {}
    for index, finding in _findings(told):
        found.setdefault(index, []).append(finding)
    return [
        file._replace(findings=_sorted(file.findings, found.get(index, [])[:MAX_FINDINGS]))
        for index, file in enumerate(files)
    ]


def _lay_out(folder: Path, scripts: list[Source], files: list[CheckedFile]) -> None:
    (folder / "workflow.d.ts").write_text(author_types(), encoding="utf-8")
    options = {"compilerOptions": _OPTIONS, "include": ["*.js", "*.d.ts"]}
    (folder / "tsconfig.json").write_text(json.dumps(options), encoding="utf-8")
    for index, (script, file) in enumerate(zip(scripts, files, strict=True)):
        if file.dialect is not None:
            (folder / f"{index}.js").write_text(script.text, encoding="utf-8", newline="")


def _replace_returns(folder: Path, told: str) -> bool:
    """Write ``throw`` for each top-level return that tsc has met: it does not look at what they return."""
    places: dict[int, list[tuple[int, int]]] = {}
    for match in filter(None, map(_TOLD.match, told.split("\n"))):
        if int(match["code"]) == TOP_LEVEL_RETURN:
            places.setdefault(int(match["index"]), []).append((int(match["line"]), int(match["column"])))
    for index, found in places.items():
        path = folder / f"{index}.js"
        path.write_text(_without_returns(path.read_text(encoding="utf-8"), found), encoding="utf-8")
    return bool(places)


def _without_returns(text: str, places: list[tuple[int, int]]) -> str:
    """The text with a word of six letters in the place of each return, so that columns stay the author's."""
    lines = text.split("\n")
    for line, column in places:
        before, behind = lines[line - 1][: column - 1], lines[line - 1][column - 1 :]
        if behind.startswith("return"):
            is_bare = re.match(r"return\s*(?:;|\}|//|$)", behind) is not None
            lines[line - 1] = before + ("void 0" if is_bare else "throw ") + behind[6:]
    return "\n".join(lines)


def _run(tsc: str, folder: Path) -> str:
    try:
        done = subprocess.run(
            [tsc, "--project", str(folder), "--pretty", "false"],
            capture_output=True, text=True, cwd=folder, timeout=TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        fail(exits.OUR_FAULT, f"--types: {tsc}: {error}")
    if done.returncode not in (0, 1, 2) or (done.returncode and not _TOLD.search(done.stdout)):
        said = (done.stdout + done.stderr).strip()
        fail(exits.OUR_FAULT, f"--types: {tsc} has failed: {said[:500]}")
    return done.stdout


def _findings(told: str) -> Iterator[tuple[int, Finding]]:
    for line in told.split("\n"):
        match = _TOLD.match(line)
        if match is None or not _is_told(int(match["code"]), match["text"]):
            continue
        text = f"{match['text'][:_MAX_TEXT]} (TS{match['code']})"
        severity: Severity = "note" if int(match["code"]) in _POSSIBLY_NULL else "warning"
        yield int(match["index"]), Finding("types", severity, text, int(match["line"]), int(match["column"]))


def _is_told(code: int, text: str) -> bool:
    return not (code in _ALLOWED or code in _IMPLICIT_ANY or _BEFORE_META.search(text))


def _sorted(findings: tuple[Finding, ...], more: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted((*findings, *more), key=lambda each: (each.line, each.column, each.kind)))

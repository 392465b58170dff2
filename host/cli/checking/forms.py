"""What was found, as lines for people and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from flowcage.host.cli.checking.checked import CheckedFile
from flowcage.host.cli.exits import excerpt
from flowcage.host.terminal.text import cut, safe
from flowcage.protocol.limits import camel_case
from flowcage.protocol.messages import SEVERITIES, Finding

_MAX_LINE = 600


def as_text(files: list[CheckedFile]) -> str:
    """A line for each finding, and one with the counts; below an error, its line of the source."""
    return "\n".join([*_lines(files), _total(files)])


def as_json(files: list[CheckedFile]) -> str:
    """One object: the files with dialect, meta, phases and findings, and the counts by severity."""
    told = [
        {
            "file": file.path,
            "dialect": file.dialect,
            "meta": file.meta,
            "phases": file.phases,
            "findings": [finding_to_json(finding) for finding in file.findings],
        }
        for file in files
    ]
    counts = _counts(files)
    return json.dumps({"files": told, **{f"{name}s": counts[name] for name in SEVERITIES}}, indent=2)


def finding_to_json(finding: Finding) -> dict[str, Any]:
    """A finding with the names of the wire."""
    return {camel_case(name): value for name, value in finding._asdict().items() if value is not None}


def _lines(files: list[CheckedFile]) -> Iterator[str]:
    for file in files:
        for each in file.findings:
            hint = f" ({each.hint})" if each.hint else ""
            text = (
                f"{file.path}:{each.line}:{each.column}: {each.severity}: {each.message}{hint} [{each.kind}]"
            )
            yield cut(safe(" ".join(text.split())), _MAX_LINE)
            if each.severity == "error":
                yield from excerpt(file.text, each.line, each.column)


def _total(files: list[CheckedFile]) -> str:
    counts = _counts(files)
    told = ", ".join(f"{counts[name]} {name}{'' if counts[name] == 1 else 's'}" for name in SEVERITIES)
    return f"{len(files)} file{'' if len(files) == 1 else 's'}: {told}"


def _counts(files: list[CheckedFile]) -> Counter[str]:
    return Counter(finding.severity for file in files for finding in file.findings)

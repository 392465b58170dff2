"""What was found, as a SARIF log (OASIS, Static Analysis Results Interchange Format 2.1.0)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flowcage.host.cli.checking.checked import CheckedFile
from flowcage.protocol.messages import Finding
from flowcage.protocol.version import PACKAGE_VERSION

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_sarif(files: list[CheckedFile]) -> str:
    """One run of one tool: its rules are the kinds that were found."""
    kinds = sorted({finding.kind for file in files for finding in file.findings})
    results = [_result(file, finding, kinds) for file in files for finding in file.findings]
    driver = {
        "name": "flowcage",
        "version": PACKAGE_VERSION,
        "rules": [
            {"id": kind, "name": kind, "shortDescription": {"text": kind.replace("_", " ")}} for kind in kinds
        ],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(file: CheckedFile, finding: Finding, kinds: list[str]) -> dict[str, Any]:
    hint = f"; {finding.hint}" if finding.hint else ""
    place = {"artifactLocation": {"uri": _uri(file.path)}, "region": _region(finding)}
    return {
        "ruleId": finding.kind,
        "ruleIndex": kinds.index(finding.kind),
        "level": finding.severity,
        "message": {"text": f"{finding.message}{hint}"},
        "locations": [{"physicalLocation": place}],
    }


def _region(finding: Finding) -> dict[str, int]:
    region = {"startLine": finding.line, "startColumn": finding.column}
    if finding.end_line is not None and finding.end_column is not None:
        region |= {"endLine": finding.end_line, "endColumn": finding.end_column}
    return region


def _uri(path: str) -> str:
    """A path as a URI: relative ones stay so, as code scanners expect below the repository."""
    return Path(path).as_uri() if path.startswith("/") else quote(os.fsencode(path))

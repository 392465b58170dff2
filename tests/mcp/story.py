"""What a model does that has a coding agent run a workflow: one call after the other, by what it was told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, TypeAlias

# Name of a tool of flowcage's, or of a resource, and what it takes.
Call: TypeAlias = tuple[str, dict[str, Any]]
REPORT = "report"

_BEGIN = "export const meta = { name: 'hello', description: 'says hello' };\n"
_ASK = "const told = await agent('What?', { label: 'one' });\n"
_WRONG = f"{_BEGIN}{_ASK}throw new Error('no');\n"
_MENDED = f"{_BEGIN}{_ASK}return told;\n"
_RUN_ID = re.compile(r'"runId\\*":\s*\\*"([^"\\]+)')


class Story:
    """Of one conversation.

    Args:
        folder: with the script, which fails, and is mended in the middle.
    """

    def __init__(self, folder: Path) -> None:
        self.told: list[str] = []
        self._script = folder / "hello.js"
        self._script.write_text(_WRONG)

    def next(self, told: list[str]) -> Call | None:
        """The next call; None at the end.

        Args:
            told: what the calls until now have told.
        """
        self.told = told
        first, second = self._run_of(3), self._run_of(7)
        if len(told) == 5:
            self._script.write_text(_MENDED)
        calls: list[Call] = [
            ("list_workflows", {}),
            ("check", {"workflow": "hello"}),
            ("plan", {"workflow": "hello"}),
            ("run", {"workflow": "hello"}),
            ("wait", {"run": first, "seconds": 100}),
            ("resume", {"run": first}),
            ("resume", {"run": first, "way": "edited"}),
            ("resume", {"run": first, "way": "edited", "start": True}),
            ("wait", {"run": second, "seconds": 100}),
            (REPORT, {"server": "flowcage", "uri": f"flowcage://runs/{second}/report"}),
        ]
        return calls[len(told)] if len(told) < len(calls) else None

    def require_told(self) -> None:
        """Compare what was told with what should be."""
        texts = [each.replace('\\"', '"') for each in self.told]  # some hand on text in JSON
        workflows, check, plan, _, failed, ways, explained, _, ended, report = texts
        assert '"name":"hello"' in workflows
        assert '"description":"says hello"' in workflows
        assert '"findings":[]' in check
        assert '"plan":1' in plan
        assert '"because":"it has ended"' in failed
        assert '"verdict":"failed"' in failed
        assert '"name":"edited"' in ways
        assert '"started":false' in explained
        assert '"reused":1' in explained
        assert '"result":"echo: What?"' in ended
        assert "## `hello`: completed" in report

    def _run_of(self, number: int) -> str:
        found = _RUN_ID.search(self.told[number]) if len(self.told) > number else None
        return found[1] if found else ""


def as_text(content: Any) -> str:
    """What a tool has told, as the APIs have it."""
    if isinstance(content, list):
        return "".join(each.get("text", "") for each in content)
    return content if isinstance(content, str) else json.dumps(content)

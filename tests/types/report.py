"""What compile.mjs prints."""

from __future__ import annotations

import json
from typing import NamedTuple


class Diagnostic(NamedTuple):
    """One error of the compiler's.

    Attributes:
        file: without its folder.
        line: from 1.
        code: as in TS2304, without the letters.
        message: of any number of lines.
    """

    file: str
    line: int
    code: int
    message: str


class Report(NamedTuple):
    """One compilation.

    Attributes:
        files: what was compiled.
        diagnostics: all errors.
        library: the global values that TypeScript's own library declares.
        members: by what they are members of, the names that workflow.d.ts declares.
    """

    files: list[str]
    diagnostics: list[Diagnostic]
    library: list[str]
    members: dict[str, list[str]]

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Parse it."""
        given = json.loads(text)
        diagnostics = [Diagnostic(**one) for one in given.pop("diagnostics")]
        return cls(diagnostics=diagnostics, **given)

    def of(self, file: str) -> list[Diagnostic]:
        """A compiled file's errors."""
        assert file in self.files
        return [one for one in self.diagnostics if one.file == file]

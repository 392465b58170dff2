"""The names of files that reports are written to, and what these say of their formats."""

from __future__ import annotations

import re
from pathlib import Path

from flowcage.host.page.formats.writing import FORMATS

_ENDINGS = {".htm": "html", ".markdown": "md"} | {ending: name for name, ending in FORMATS.items()}
_UNUSUAL = re.compile(r"[^A-Za-z0-9._-]+")
_LENGTH = 100


def format_of(output: Path | None) -> str:
    """The format that the ending of a file says; a page where it says nothing."""
    name = "" if output is None else output.name.lower()
    fitting = [ending for ending in _ENDINGS if name.endswith(ending)]
    return _ENDINGS[max(fitting, key=len)] if fitting else "html"


def name_of(run_id: str, form: str) -> str:
    """The file of a report for which none was named. An id from a file of events may be anything."""
    return f"flowcage-{_UNUSUAL.sub('-', run_id)[:_LENGTH]}{FORMATS[form]}"

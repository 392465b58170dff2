"""The formats of a report: their names, the endings of their files, and who writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# With the ending of the file that is written where none was named.
FORMATS: Mapping[str, str] = {
    "html": ".html",
    "md": ".md",
    "json": ".json",
    "perfetto": ".perfetto.json",
    "otlp": ".otlp.json",
}
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


def text_of(document: Mapping[str, Any], form: str, *, full: bool) -> str:
    """A page document in a format."""
    from flowcage.protocol import strictjson

    match form:
        case "html":
            from flowcage.host.page.html import assemble

            return assemble(document)
        case "md":
            from flowcage.host.page.formats.markdown import markdown

            return markdown(document, full=full)
        case "perfetto":
            from flowcage.host.page.formats.perfetto import perfetto

            return strictjson.dumps_ascii(perfetto(document))
        case "otlp":
            from flowcage.host.page.formats.otlp import otlp

            return strictjson.dumps_ascii(otlp(document, full=full))
    return strictjson.dumps_ascii(document)

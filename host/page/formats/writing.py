"""The page document as a text, in whichever format; each is imported when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowcage.protocol import strictjson

# With the usual endings of their files.
FORMATS: Mapping[str, str] = {
    "html": ".html",
    "md": ".md",
    "json": ".json",
    "perfetto": ".perfetto.json",
    "otlp": ".otlp.json",
}


def written(document: Mapping[str, Any], form: str, *, full: bool = False) -> str:
    """A page document in a format.

    Args:
        document: of a run.
        form: one of `FORMATS`.
        full: whether Markdown has each call with its texts, and spans have prompts and answers.
    """
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
        case "json":
            return strictjson.dumps_ascii(document)
    raise ValueError(f"the format is {form!r:.40}; it must be one of {', '.join(FORMATS)}")

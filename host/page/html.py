"""One HTML file that shows a page document: style, script and data are in it, and it requests nothing.

The content is hostile. The data is JSON in a block that no browser runs; the Content-Security-Policy names
the one script and the one style sheet by their hashes and forbids every request; markup from text is refused
by the browser (Trusted Types). The modules are those that the user interface serves as files: they are joined
here, each as a function, so they keep to two rules. An import names its members and stands on one line; what
is exported is declared by the same line.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

STATIC = Path(__file__).resolve().parent / "static"
STYLES = tuple(
    f"css/{name}.css" for name in ("tokens", "frame", "overview", "lists", "detail", "narrow", "print")
)

_IMPORT = re.compile(r'^import (\{[^}\n]*\}) from "(\.[^"\n]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)
# What would end the block of data, or begin a comment or a script in it, in any parser; and what is a line's
# end in JavaScript but not in JSON.
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="flowcage">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<div id="page"></div>
<noscript>This report is drawn by the script in it, which this browser does not run.</noscript>
<script type="application/json" id="document">{data}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def assemble(document: Mapping[str, Any]) -> str:
    """The file, as text of UTF-8; lone surrogates in the document are escaped."""
    style, script = _style(), _script()
    run = document.get("run") or {}
    name = run.get("name") or run.get("sourceName") or run.get("id") or "run"
    return _PAGE.format(
        policy=_policy(style, script),
        title=html.escape(f"{name} · flowcage").encode("utf-8", "replace").decode(),
        style=style,
        script=script,
        data=_data(document),
    )


def _data(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _without_surrogates(text.translate(_ESCAPES))


def _without_surrogates(text: str) -> str:
    if text.isascii():
        return text
    return re.sub(r"[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _policy(style: str, script: str) -> str:
    members = (
        "default-src 'none'",
        f"script-src {_hash(script)}",
        f"style-src {_hash(style)}",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
    return "; ".join(members)


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@cache
def _style() -> str:
    return _embeddable("\n" + "".join((STATIC / name).read_text("utf-8") for name in STYLES), "</style")


@cache
def _script() -> str:
    modules: dict[Path, str] = {}
    _gather(STATIC / "report.js", modules)
    return _embeddable("\n" + "".join(modules.values()), "</script", "<!--")


def _gather(path: Path, modules: dict[Path, str]) -> None:
    """Add a module behind those that it imports."""
    if path in modules:
        return
    text = path.read_text("utf-8")
    for _, name in _IMPORT.findall(text):
        _gather((path.parent / name).resolve(), modules)
    modules[path] = _as_function(path, text)


def _as_function(path: Path, text: str) -> str:
    exported = ", ".join(_EXPORT.findall(text))
    body = _EXPORT.sub(
        "", _IMPORT.sub(lambda found: f"const {found[1]} = {_name(path.parent / found[2])};", text)
    )
    return f"const {_name(path)} = (() => {{\n{body}return {{ {exported} }};\n}})();\n"


def _name(path: Path) -> str:
    return "_".join(path.resolve().relative_to(STATIC).with_suffix("").parts)


def _embeddable(text: str, *ends: str) -> str:
    for end in ends:
        if end in text.lower():
            raise ValueError(f"static files of the page must not contain {end!r}")
    return text

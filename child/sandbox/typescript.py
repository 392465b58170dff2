"""Recognises TypeScript where the engine stopped reading: coding agents leave types in by mistake."""

from __future__ import annotations

import re

_TYPE = (
    r"(?:(?:string|number|boolean|any|unknown|void|never|object|bigint|symbol|null|undefined)\b|[A-Z][\w$.]*"
    r"|typeof\s|keyof\s|readonly\s|asserts\s|[\w$]+(?:\[\]|\s+is\s|<)|\{\s*[\w$]+\??\s*:|\([^)]*\)\s*=>)"
)
# Patterns of the text before and behind the place where the engine stopped, on its line. They are compiled
# when they are needed: it takes milliseconds, which every child would spend.
_RULES = [
    (r"(?:^|[\s;{}])(?:export\s+|const\s+)?", r"(?:interface|enum)\s+[\w$]"),
    (r"\b(?:interface|type|namespace|module|declare|abstract|enum)\s+", r"[\w${*]"),
    (r"[\w$)\]}]\s*", rf"\??\s*:\s*{_TYPE}"),
    (r"\b(?:const|let|var)\s+", rf"[{{\[][^=]*[}}\]]\s*:\s*{_TYPE}"),
    (r"[\w$)\]}'\"`]\s+", r"(?:as|satisfies)\s+[\w${(\[]"),
    (r"[\w$)\]]", r"!\s*(?:[.;,)\]}\[]|$)"),
    (r"\bnew\s+[A-Z][\w$.]*<[^()]+", r">\s*\("),
    (r"\bnew\s+[A-Z][\w$.]*<[^()]+>\(", r""),
    (r"\bfunction\s*\*?\s*[\w$]*", r"<[A-Z]\w*"),
    (r"=\s*(?:async\s*)?", r"<[A-Z]\w*(?:\s+extends\b[^>]*|,[^>]*)?>\s*\("),
    (r"\b(?:private|public|protected|readonly|override|abstract|declare)\s+", r"[\w$#]"),
    (r"[(,]\s*", r"(?:private|public|protected|readonly)\s+[\w$]"),
    (r"\bclass\s+[\w$]+(?:\s+extends\s+[\w$.]+)?\s+", r"implements\s"),
    (r"\b(?:import|export)\s+type\s+", r"[\w${*]"),
    (r"[{,]\s*type\s+", r"[\w$]"),
    (r"[(]\s*", rf"this\s*:\s*{_TYPE}"),
]
_WORD_BEFORE = r"[\w$]{0,20}[)\]}]?\s?\Z"
_SHOWN = r"[^,;)}\n]*"
_MAX_SHOWN = 30
_MAX_LINE = 500


def typescript_at(line: str, column: int) -> str | None:
    """The piece of TypeScript at which the engine stopped; None where it is none.

    Args:
        line: the source line.
        column: where the engine stopped, from 1, in characters.
    """
    before, behind = (
        line[max(0, column - 1 - _MAX_LINE) : column - 1],
        line[column - 1 : column - 1 + _MAX_LINE],
    )
    for left, right in _RULES:
        if re.search(rf"(?:{left})\Z", before) and re.match(right, behind):
            word, shown = re.search(_WORD_BEFORE, before), re.match(_SHOWN, behind)
            assert shown is not None  # of any text
            return f"{word[0] if word else ''}{_cut(shown[0])}".strip()
    return None


def _cut(shown: str) -> str:
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN].rstrip()}…"

"""The front matter of a Markdown file: the lines between two lines ``---`` at its beginning.

It is a small part of YAML, read line by line: texts, lists of texts, block texts. Files in the wild are no
YAML: their descriptions have colons, which it refuses unless they are quoted, and here a text goes to the end
of its line. And whoever wrote such a file need not be trusted: there are no anchors, tags, merges, or numbers
and dates that look like text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

Value: TypeAlias = str | list[str]

_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_-]{0,60}):(?:[ \t]+(.*)|)$")
_ITEM = re.compile(r"[ \t]*-(?:[ \t]+(.*)|)$")
_BLOCK = re.compile(r"([|>])([+-]?)(?:[ \t]+#.*)?")
_FENCE = re.compile(r"---[ \t]*")
# What begins a value that YAML reads as something other than text or a list.
_OTHER_YAML = ("{", "&", "*", "!", "%", "@", "`", "? ")


class FrontMatterError(ValueError):
    """The front matter cannot be read. The message begins with the number of the line."""


class Page(NamedTuple):
    """A Markdown file.

    Attributes:
        matter: its front matter.
        body: what follows.
    """

    matter: Mapping[str, Value]
    body: str


def read_page(text: str) -> Page:
    """Split a file into front matter and body.

    Raises:
        FrontMatterError: it has no front matter, or none that is read here.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if not _FENCE.fullmatch(lines[0]):
        raise FrontMatterError("1: expected '---', the beginning of the front matter")
    for number, line in enumerate(lines[1:], 1):
        if _FENCE.fullmatch(line):
            return Page(_Reader(lines[1:number]).read(), "\n".join(lines[number + 1 :]).strip())
    raise FrontMatterError(f"{len(lines)}: the front matter has no end; expected another line '---'")


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0  # the number of lines that were read

    def read(self) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while self._at < len(self._lines):
            line = self._take()
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            match = _KEY.match(line)
            if match is None:
                raise self._error(f"expected 'name: value', not {line[:60]!r}")
            if match[1] in found:
                raise self._error(f"{match[1]!r} is there twice")
            found[match[1]] = self._value((match[2] or "").strip())
        return found

    def _value(self, text: str) -> Value:
        if block := _BLOCK.fullmatch(text):
            return self._block(folds=block[1] == ">", keeps=block[2] == "+")
        if text.startswith("["):
            return self._flow(text)
        if not text or text.startswith("#"):
            return self._items()
        if text[0] in "\"'":
            return self._quoted(text)
        if text.startswith(_OTHER_YAML):
            raise self._error(f"this YAML is not read here: {text[:60]!r}; put a text in quotes")
        return " ".join([_plain(text), *(_plain(line.strip()) for line in self._indented() if line.strip())])

    def _items(self) -> Value:
        """The lines ``- item`` that follow; no text where there are none."""
        found = []
        while self._at < len(self._lines) and (match := _ITEM.match(self._lines[self._at])):
            self._at += 1
            found.append(self._scalar((match[1] or "").strip()))
        return found or ""

    def _block(self, *, folds: bool, keeps: bool) -> str:
        lines = self._indented()
        margin = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
        text = "\n".join(line[margin:] for line in lines)
        if folds:
            text = re.sub(r"\n(\n*)", lambda ends: ends[1] or " ", text)
        return text if keeps else text.rstrip("\n")

    def _flow(self, text: str) -> list[str]:
        text = _plain(text)
        if not text.endswith("]"):
            raise self._error("a list in brackets must end on its line")
        inner = text[1:-1].strip()
        return [self._scalar(item) for item in split_list(inner)] if inner else []

    def _scalar(self, text: str) -> str:
        if text[:1] in ('"', "'"):
            return self._quoted(text)
        if text.startswith((*_OTHER_YAML, "[")) and text != "*":
            raise self._error(f"expected a text, not {text[:60]!r}")
        return _plain(text)

    def _quoted(self, text: str) -> str:
        if match := re.fullmatch(r"('(?:[^']|'')*')(?:\s+#.*)?", text):
            return match[1][1:-1].replace("''", "'")
        match = re.fullmatch(r'("(?:[^"\\]|\\.)*")(?:\s+#.*)?', text)
        try:
            return str(json.loads(match[1])) if match else self._fail(text)
        except ValueError:
            return self._fail(text)

    def _fail(self, text: str) -> str:
        raise self._error(f"the quotes are not as in JSON, or do not end on their line: {text[:60]!r}")

    def _indented(self) -> list[str]:
        began = self._at
        while self._at < len(self._lines) and (
            not self._lines[self._at].strip() or self._lines[self._at][0] in " \t"
        ):
            self._at += 1
        return self._lines[began : self._at]

    def _take(self) -> str:
        self._at += 1
        return self._lines[self._at - 1]

    def _error(self, why: str) -> FrontMatterError:
        return FrontMatterError(f"{self._at + 1}: {why}")


def _plain(text: str) -> str:
    """A text without the comment behind it."""
    return re.split(r"[ \t]#", text, maxsplit=1)[0].rstrip()


def split_list(text: str) -> list[str]:
    """The parts of a text between commas, of which those in parentheses and quotes do not count."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if character in "\"'" and quote in ("", character):
            quote = "" if quote else character
        depth += (character == "(") - (character == ")") if not quote else 0
        if character == "," and depth <= 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]

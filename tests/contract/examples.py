"""The examples of a Markdown document: its fenced blocks, and the conversations among them."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from ..child.child_process import ChildProcess
from .matching import difference

_BLOCK = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INITIALIZE = '"method":"initialize"'


class Block(NamedTuple):
    """One fenced block: its language, its text, and the line that it begins on."""

    language: str
    text: str
    line: int


def blocks(document: str) -> list[Block]:
    """Every fenced block."""
    return [
        Block(found[1], found[2], document.count("\n", 0, found.start()) + 1)
        for found in _BLOCK.finditer(document)
    ]


def conversations(document: str) -> list[list[str]]:
    """The lines of all ``jsonl`` blocks, a list for each child: `initialize` begins a new one."""
    found: list[list[str]] = []
    for block in blocks(document):
        if block.language == "jsonl":
            lines = block.text.splitlines()
            if _INITIALIZE in lines[0]:
                found.append([])
            found[-1].extend(lines)
    return found


def hold(child: ChildProcess, lines: list[str]) -> None:
    """Have a conversation with a child; it must answer each line as the document says, and nothing else.

    Raises:
        AssertionError: it does not.
    """
    for line in lines:
        mark, said = line[:2], line[2:]
        if mark == "> ":
            child.send(said.encode() + b"\n")
            continue
        assert mark == "< ", f"neither host nor child: {line}"
        answer = json.loads(child.next_line())
        problem = difference(json.loads(said), answer)
        assert problem is None, f"{problem}\nexpected: {said}\nanswered: {json.dumps(answer)}"


def is_over(lines: list[str]) -> bool:
    """Whether the host has ended the conversation."""
    return any('"method":"shutdown"' in line for line in lines)

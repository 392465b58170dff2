"""Short strings that a regular expression finds something in: good guesses, not proofs."""

from __future__ import annotations

import importlib
import re
import string
from collections.abc import Iterator
from typing import Any

# Ways to try: which alternative to take at a ``|``, and how many more repetitions than the least.
_ALTERNATIVES = 8
_MORE = 8
_MAX_LENGTH = 10_000
_ALPHABET = f"{string.ascii_letters}{string.digits}_-. /:@,;+=#!?%&()[]{{}}<>*~^$|\\'\"\t\n"
_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}


class _Stuck(Exception):
    """This way leads to no string, or to an endless one."""


def matching(expression: str, length: int) -> Iterator[str]:
    """Guess strings that match, the shortest first.

    Args:
        expression: a Python regular expression, as jsonschema applies it.
        length: characters that the strings must have at least.
    """
    # Private, but what the standard library itself parses with; a parser of our own would know less.
    tree = importlib.import_module("re._parser").parse(expression)
    for text in _guesses(tree, length):
        for padded in (text, text.ljust(length, "a"), text.rjust(length, "a")):
            if len(padded) >= length and re.search(expression, padded):
                yield padded


def _guesses(tree: Any, length: int) -> Iterator[str]:
    extras = sorted({*range(_MORE), *range(max(0, length - _MORE), length + 1)})
    for extra in extras:
        for alternative in range(_ALTERNATIVES):
            try:
                yield _Writer(alternative, extra).text(tree)
            except _Stuck:
                continue


class _Writer:
    """Writes one string along a parsed expression.

    Args:
        alternative: which way to go at each ``|``, counted round.
        extra: repetitions to take beyond the least, from the first repeat that allows more.
    """

    def __init__(self, alternative: int, extra: int) -> None:
        self._alternative = alternative
        self._extra = extra
        self._groups: dict[int, str] = {}
        self._left = _MAX_LENGTH

    def text(self, items: Any) -> str:
        return "".join(self._write(str(kind), argument) for kind, argument in items)

    def _write(self, kind: str, argument: Any) -> str:
        self._left -= 1
        if self._left < 0:
            raise _Stuck
        if kind in ("AT", "ASSERT", "ASSERT_NOT"):
            return ""  # no width: the search at the end tells whether they hold
        if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            return self._repeat(*argument)
        if kind in ("SUBPATTERN", "ATOMIC_GROUP", "BRANCH", "GROUPREF"):
            return self._group(kind, argument)
        return self._character(kind, argument)

    def _repeat(self, least: int, most: int, items: Any) -> str:
        more = min(self._extra, most - least)
        self._extra -= more
        return "".join(self.text(items) for _ in range(least + more))

    def _group(self, kind: str, argument: Any) -> str:
        if kind == "BRANCH":
            _, branches = argument
            return self.text(branches[self._alternative % len(branches)])
        if kind == "SUBPATTERN":
            number, _, _, items = argument
            self._groups[number] = text = self.text(items)
            return text
        return self._groups.get(argument, "") if kind == "GROUPREF" else self.text(argument)

    def _character(self, kind: str, argument: Any) -> str:
        if kind == "LITERAL":
            return chr(argument)
        if kind == "ANY":
            return "a"
        members = argument if kind == "IN" else [(kind, argument)]
        own = "".join(map(chr, _named(members)))
        for character in _ALPHABET + own:
            if _is_member(members, character):
                return character
        raise _Stuck


def _named(members: Any) -> Iterator[int]:
    """Code points that a character class mentions."""
    for kind, argument in members:
        if str(kind) == "LITERAL":
            yield argument
        elif str(kind) == "RANGE":
            yield argument[0]


def _is_member(members: Any, character: str) -> bool:
    wanted, found = True, False
    for kind, argument in members:
        name = str(kind)
        if name == "NEGATE":
            wanted = False
        elif name == "NOT_LITERAL":
            found |= ord(character) != argument
        elif name == "LITERAL":
            found |= ord(character) == argument
        elif name == "RANGE":
            found |= argument[0] <= ord(character) <= argument[1]
        else:
            found |= bool(re.match(_CATEGORIES.get(str(argument), r"[^\s\S]"), character))
    return found == wanted

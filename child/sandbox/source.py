"""Source text for the engine: what is compiled of a workflow, and the positions in it.

A module is compiled as it is. A script, the dialect with a top-level ``return``, is put inside an async
function; the grammar tells where its imports, its ``export`` keywords and its returns are. Every replacement
keeps length and line breaks, so that positions stay the author's.
"""

from __future__ import annotations

import re

from flowcage.child.sandbox.grammar import Parts

BOM = b"\xef\xbb\xbf"

# ECMA-262, 12.3 and 12.2, in UTF-8.
_LINE_END = rb"[\n\r]|\xe2\x80[\xa8\xa9]"
_FENCE = rb"(?:```|~~~)[\w+-]*[ \t]*\r?"
_SPACES = (
    rb"(?:[ \t\v\f]|\xc2\xa0|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xaf]|\xe2\x81\x9f|\xe3\x80\x80|\xef\xbb\xbf)*"
)


def encoded(source: str) -> bytes:
    """The source in UTF-8, lone surrogates as three bytes each, as the engine writes them."""
    return source.encode("utf-8", "surrogatepass")


def clean(source: bytes) -> bytes:
    """The source without a byte-order mark, and with a hashbang (ECMA-262, 12.5) as a comment."""
    bare = source.removeprefix(BOM)
    return b"//" + bare[2:] if bare.startswith(b"#!") else bare


def as_check(source: bytes, returns: list[int]) -> bytes:
    """A module that compiles only if every bracket of the script is closed inside the script.

    Returns outside of functions become throws, which take the same expressions and need no function around
    them, or zeros where no expression follows. What compiles so cannot close the function of `as_function`.

    Args:
        returns: where their keywords begin.
    """
    text = bytearray(source)
    for start in returns:
        text[start : start + 6] = _instead_of_return(source, start + 6)
    return bytes(text)


def as_function(source: bytes, parts: Parts) -> tuple[bytes, int]:
    """The script as a module that default-exports it as an async function.

    Returns:
        The text, and the number of its first line with which the author's lines keep their numbers.
    """
    text = bytearray(source)
    for start, end in parts.imports + parts.exports:
        text[start:end] = _blank(source[start:end])
    hoisted = b"".join(source[start:end] + b"\n" for start, end in parts.imports)
    # Two line breaks at least, since the engine takes a first line of 0 for none given.
    head = hoisted + b"\nexport default async () => {\n"
    return head + bytes(text) + b"\n};", 1 - head.count(b"\n")


def fence(source: bytes) -> int | None:
    """Where a fence of Markdown begins that is the first or the last line of a source; None without one."""
    text = source.strip()
    first, last = text[:40].split(b"\n")[0], text[-40:].split(b"\n")[-1]
    if re.fullmatch(_FENCE, first):
        return source.index(first)
    return source.rindex(last) if re.fullmatch(_FENCE, last) else None


def position(source: bytes, offset: int) -> tuple[int, int]:
    """Line and column of a byte, both from 1, columns in characters."""
    before = source[:offset]
    column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
    return before.count(b"\n") + 1, column


def offset(source: bytes, line: int, column: int) -> int:
    """The byte at a position of the engine, which counts columns in bytes; the end for one behind the end."""
    start = 0
    for _ in range(line - 1):
        if (end := source.find(b"\n", start)) < 0:
            return len(source)
        start = end + 1
    return min(start + column - 1, len(source))


def _blank(text: bytes) -> bytes:
    return bytes(byte if byte in b"\r\n" else 0x20 for byte in text)


def _instead_of_return(source: bytes, place: int) -> bytes:
    """Six bytes in place of the ``return`` that ends at `place`, by the rules of semicolon insertion.

    Whether a value follows is decided here (ECMA-262, 12.10.1), because the grammar may disagree with the
    engine.
    """
    # Compiled at the first call, since few children need them: half a millisecond. `re` caches them.
    spaces, line_end = re.compile(_SPACES), re.compile(_LINE_END)
    while True:
        space = spaces.match(source, place)
        place = space.end() if space else place
        if not source.startswith(b"/*", place) or (end := source.find(b"*/", place)) < 0:
            break
        if line_end.search(source, place, end):
            return b"0;    "
        place = end + 2
    following = source[place : place + 2]
    if following[:1] in (b"", b"}") or following == b"//" or line_end.match(source, place):
        return b"0;    "
    return b"0     " if following[:1] == b";" else b"throw "

"""Texts of a command line: typed there, or in a file that the word names. JSON among them is read strictly.

``@FILE`` is what the file holds, ``-`` and ``@-`` what stdin has, and ``@@…`` a text that begins with ``@``.
Only words that a person typed are read so: what comes over MCP or HTTP is never a word of these.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from flowcage.host.cli.input_files import STDIN, InputError, InputFiles
from flowcage.protocol import strictjson
from flowcage.protocol.limits import DEFAULT_MAX_MESSAGE_BYTES
from flowcage.protocol.messages import Json


class Text(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5
    """An option that is a text, for commands that read one from stdin at most."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read what the word names."""
        if ctx is not None and ctx.resilient_parsing:  # a shell completes, whose stdin is the terminal
            return ""
        try:
            return text_of(InputFiles({}), param.opts[-1] if param else "", value)
        except InputError as error:
            self.fail(str(error), param, ctx)


def file_of(word: str | None) -> Path | None:
    """The file that a word names, ``-`` for stdin; None where the word is the text."""
    if word in ("-", "@-"):
        return STDIN
    return Path(word[1:]) if word and word.startswith("@") and not word.startswith("@@") else None


def bytes_of(files: InputFiles, option: str, word: str, most: int = DEFAULT_MAX_MESSAGE_BYTES) -> bytes:
    """The text that a word is, or that it names.

    Args:
        files: reads it.
        option: for messages.
        word: as it was typed.
        most: bytes that a file may have.

    Raises:
        InputError: it names what cannot be read.
    """
    file = file_of(word)
    if file is None:
        return word.removeprefix("@" if word.startswith("@@") else "").encode("utf-8", "surrogateescape")
    return _content(files, option, file, typed=word, most=most)


def text_of(files: InputFiles, option: str, word: str, most: int = DEFAULT_MAX_MESSAGE_BYTES) -> str:
    """The same as text, without a byte-order mark.

    Raises:
        InputError: it cannot be read, or a file is not UTF-8.
    """
    data = bytes_of(files, option, word, most)
    if file_of(word) is None:
        return data.decode("utf-8", "surrogateescape")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{option} {word}: not UTF-8 (byte 0x{data[error.start]:02x} at offset {error.start})"
        ) from None


def json_of(files: InputFiles, option: str, word: str) -> Json:
    """The JSON that a word is, or that it names.

    Raises:
        InputError: it cannot be read, or is no JSON.
    """
    what = option if file_of(word) is None else f"{option} {word}"
    return parse_json(what, bytes_of(files, option, word))


def json_file(files: InputFiles, option: str, file: Path) -> Json:
    """The JSON in a file that an option names without ``@``.

    Raises:
        InputError: it cannot be read, or is no JSON.
    """
    return parse_json(f"{option} {file}", _content(files, option, file, typed=str(file)))


def parse_json(what: str, text: bytes) -> Json:
    """Read JSON; a member that comes twice is an error.

    Raises:
        InputError: it is none.
    """
    text = text.removeprefix(codecs.BOM_UTF8)
    try:
        value = strictjson.loads(text)
        # A second pass for names that come twice: the first one keeps only the last value.
        json.loads(text, object_pairs_hook=lambda pairs: unique(f"{what}:", iter(pairs)))
        return value
    except json.JSONDecodeError as error:
        raise InputError(
            f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} is not JSON: {error}") from None


def split(option: str, pair: str, expected: str) -> tuple[str, str]:
    """The name and the word of ``NAME=WORD``.

    Raises:
        InputError: it has another form.
    """
    name, equals, word = pair.partition("=")
    if not equals or not name:
        raise InputError(f"{option} {pair}: expected {expected}")
    return name, word


def unique(option: str, pairs: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs as a dict; a name that comes twice is an error, since one of its values would be lost.

    Raises:
        InputError: one comes twice.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InputError(
                f"{option} {name} is given twice, as {found[name]!r} and as {value!r}; give it once"
            )
        found[name] = value
    return found


def named_in(option: str, pairs: Iterable[str]) -> dict[str, Path | None]:
    """The files that words of ``NAME=WORD`` name, for `InputFiles`."""
    split_pairs = (pair.partition("=") for pair in pairs)
    return {f"{option} {name}": file_of(word) for name, _, word in split_pairs}


def _content(
    files: InputFiles, option: str, file: Path, *, typed: str, most: int = DEFAULT_MAX_MESSAGE_BYTES
) -> bytes:
    what = f"{option} {typed}"
    try:
        data = files.read(option, file, most)
    except OSError as error:
        hint = f"; for a text that begins with @ write @{typed}" if typed.startswith("@") else ""
        raise InputError(f"{what}: cannot be read: {error.strerror}{hint}") from None
    if len(data) > most:
        raise InputError(f"{what}: longer than {most} bytes")
    return data

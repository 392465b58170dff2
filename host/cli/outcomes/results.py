"""The result of a run on stdout or in a file: for a person, as the line of JSON, or alone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from flowcage.host.cli.console import offer, write_result
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.outcomes.output_file import open_output, open_pipe
from flowcage.host.terminal.line_sink import write_all
from flowcage.host.terminal.text import escaped, whole
from flowcage.protocol import strictjson

Format: TypeAlias = Literal["text", "json", "raw"]

# How each is made safe for a terminal. A text may not begin where messages of flowcage's own do.
_SHOWN = {"text": lambda text: whole(text, indent="  "), "json": escaped, "raw": whole}


class Results:
    """Where one result goes, and how.

    Args:
        form: None for text on a terminal and JSON elsewhere.
        path: of a file; None for stdout. It is opened here, so that a run is not begun in vain.
        inputs: files that must not be overwritten.

    Raises:
        InputError: the file cannot be opened for writing, or is one of the inputs.
    """

    def __init__(self, form: Format | None, path: Path | None, inputs: InputFiles) -> None:
        self._path = None if path is None else path.absolute()
        self._descriptor: int | None = None
        if path is not None:
            try:
                self._descriptor = open_output(f"--output {path}", path, inputs)
            except OSError as error:
                raise InputError(f"--output {path}: cannot be written: {error.strerror}") from None
        self.form = form or ("text" if path is None and _stdout_is_terminal() else "json")

    @property
    def is_read_by_a_person(self) -> bool:
        """Whether the result is printed for somebody at this terminal."""
        return self._path is None and self.form == "text" and _stdout_is_terminal()

    def write(self, members: Mapping[str, Any]) -> None:
        """Write how a run ended, as far as the format has words for it.

        Raises:
            OSError: it cannot be written.
        """
        if (told := text_of(members, self.form)) is None:
            return
        if self._path is None:
            write_result(told, _SHOWN[self.form])
        else:
            self._write_file(f"{told}\n".encode())

    def offer(self, members: Mapping[str, Any]) -> None:
        """The same for a run that somebody ended: without waiting long for a reader, and without an error."""
        if self._path is None:
            if (told := text_of(members, self.form)) is not None:
                offer(told, _SHOWN[self.form])
            return
        try:
            if self._descriptor is not None:  # else it is a pipe that nobody reads
                self.write(members)
        except OSError:
            return

    def _write_file(self, data: bytes) -> None:
        assert self._path is not None
        if self._descriptor is None:
            self._descriptor = open_pipe(self._path)
        try:
            write_all(self._descriptor, data)
        finally:
            os.close(self._descriptor)
            self._descriptor = None


def text_of(members: Mapping[str, Any], form: Format) -> str | None:
    """What a format prints of a run that ended so; None for nothing.

    Args:
        members: of the line of JSON, with `result` or `error`.
        form: the format.
    """
    if form == "json":
        return strictjson.dumps(members)
    if "result" not in members:
        return None
    result = members["result"]
    if isinstance(result, str):  # JSON may escape halves of surrogate pairs, and UTF-8 has none
        return result.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return strictjson.dumps(result) if form == "raw" else _pretty(result)


def _pretty(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, indent=2)
        text.encode()
    except (RecursionError, UnicodeEncodeError):  # as deep as a value may be, or with half a pair
        return strictjson.dumps(value)
    return text


def _stdout_is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()

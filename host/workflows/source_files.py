"""The texts of workflow files."""

from __future__ import annotations

import codecs
from pathlib import Path

from flowcage.host.outcome.errors import FlowcageError
from flowcage.host.workflows.beneath import opened_file
from flowcage.host.workflows.names import SUFFIXES
from flowcage.protocol.limits import DEFAULT_MAX_MESSAGE_BYTES


class SourceFileError(FlowcageError):
    """A workflow file that cannot be read as one; the message names it and says what to do."""


def source_text(data: bytes, name: str) -> str:
    """What a file holds, as text; a byte-order mark is dropped.

    Args:
        data: all of the file, or more of it than a workflow may have.
        name: what errors call it.

    Raises:
        SourceFileError: too large, or not UTF-8 (with the byte's place).
    """
    if len(data) > DEFAULT_MAX_MESSAGE_BYTES:
        raise SourceFileError(f"{name}: longer than {DEFAULT_MAX_MESSAGE_BYTES} bytes")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceFileError(
            f"{name}:{line}: not UTF-8 (byte 0x{data[error.start]:02x} at offset {error.start}); "
            "save the file as UTF-8"
        ) from None


class NoSuchFile(SourceFileError):
    """There is none at this place."""


def text_below(root: Path, path: str, name: str) -> str:
    """The text of a file below a folder, which is called as workflows are.

    The error of one that does not compile, or does not run, tells words of it to whoever asked for it: a
    workflow, which has no business with what else lies there, such as ``.env``.

    Args:
        root, path: as of `opened_file`.
        name: what errors call it.

    Raises:
        OutsideRoot: it lies elsewhere.
        SourceFileError: it cannot be read.
    """
    try:
        with opened_file(root, path, SUFFIXES) as descriptor, open(descriptor, "rb", closefd=False) as file:
            data = file.read(DEFAULT_MAX_MESSAGE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise NoSuchFile(f"{name}: no such file") from None
    except IsADirectoryError:
        raise SourceFileError(f"{name}: is a folder; name a workflow file") from None
    except OSError as error:  # not its text: that has a place which is no business of untrusted code
        raise SourceFileError(f"{name}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # a NUL
        raise SourceFileError(f"{name}: cannot be read: {error}") from None
    return source_text(data, name)

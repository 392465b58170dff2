"""The files that ``flowcage check`` is given, and those in the folders that it is given."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from flowcage.host.cli.input_files import STDIN, InputError, InputFiles
from flowcage.host.cli.names.workflow_path import missing
from flowcage.host.workflows.source_files import SourceFileError, source_text
from flowcage.protocol.limits import DEFAULT_MAX_MESSAGE_BYTES

SUFFIXES = (".js", ".mjs", ".ts", ".mts")
MAX_FILES = 10_000
_WORKFLOW = re.compile(r"\bexport\s+const\s+meta\b|\b(?:agent|parallel|pipeline)\s*\(|['\"]workflow:")
_SKIPPED = frozenset({"node_modules", "__pycache__", "dist", "build"})
_HIDDEN_BUT_SEARCHED = frozenset({".claude", ".flowcage"})


class Source(NamedTuple):
    """One file: its path as typed, or below the folder that was typed, and its text."""

    path: str
    text: str


class Sources(NamedTuple):
    """What is to be checked, and what of folders is not.

    Attributes:
        scripts: what is to be checked.
        left_out: how many files are no workflows.
        unread: messages about files that cannot be read.
    """

    scripts: list[Source]
    left_out: int
    unread: list[str]


def sources(paths: tuple[Path, ...]) -> Sources:
    """Read files and folders, each file once.

    Raises:
        InputError: one that was named cannot be read, or is no text; or there is nothing to check.
    """
    files = InputFiles({f"argument {index}": path for index, path in enumerate(paths, 1)})
    found: dict[str, Source] = {}
    left_out, unread = 0, []
    for path in paths:
        for each, is_named in _files(path):
            try:
                text = _text(files, each)
            except InputError as error:
                if is_named:
                    raise
                unread.append(str(error))
                continue
            if is_named or is_workflow(text):
                shown = "<stdin>" if each == STDIN else str(each)
                found.setdefault(os.path.realpath(each), Source(shown, text))
            else:
                left_out += 1
    if not found and not unread:
        raise InputError(
            f"{' '.join(map(str, paths))}: there is no workflow: no {', '.join(SUFFIXES)} file that exports "
            "meta, or calls agent()"
        )
    return Sources(sorted(found.values()), left_out, unread)


def is_workflow(text: str) -> bool:
    """Whether a file that nobody named is taken for a workflow: it exports meta, or calls agent()."""
    return _WORKFLOW.search(text) is not None


def _files(path: Path) -> Iterator[tuple[Path, bool]]:
    """The files of a path; and whether each was named, or found in a folder."""
    if path == STDIN or not path.is_dir():
        yield path, True
        return
    count = 0
    for folder, names, files in os.walk(path):
        names[:] = sorted(name for name in names if not _is_skipped(name))
        for name in sorted(files):
            each = Path(folder, name)
            if name.endswith(SUFFIXES) and not name.endswith((".d.ts", ".d.mts")) and each.is_file():
                count += 1
                if count > MAX_FILES:
                    raise InputError(f"{path}: more than {MAX_FILES} files; name a smaller folder")
                yield each, False


def _is_skipped(name: str) -> bool:
    return name in _SKIPPED or (name.startswith(".") and name not in _HIDDEN_BUT_SEARCHED)


def _text(files: InputFiles, path: Path) -> str:
    typed = "<stdin>" if path == STDIN else str(path)
    try:
        return source_text(files.read("FILE", path)[: DEFAULT_MAX_MESSAGE_BYTES + 1], typed)
    except SourceFileError as error:
        raise InputError(str(error)) from None
    except FileNotFoundError:
        raise InputError(missing(path)) from None
    except OSError as error:
        raise InputError(f"{typed}: cannot be read: {error.strerror}") from None

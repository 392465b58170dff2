"""The files that a workflow imports: found from its source, and read below its root.

What a source imports, a caged child tells (`Imports`): the source is not parsed in the host. The host joins
names by its own rule (`module_name`), and what the child says is a wish, so nothing is read but

- regular files below the root, whatever ``..`` and symbolic links say (`beneath`);
- whose names end as modules do, and no step of whose specifiers is hidden: a script has no business with
  `.env`, and would be shown a line of it by the error of one that does not compile;
- in UTF-8, and no more of them, and no more of their bytes, than `MAX_MODULES` and `MAX_BYTES`.

All are read before the run begins, and kept with it: a file that changes while a run waits changes nothing.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import trio

from flowcage.host.outcome.errors import WorkflowFailed
from flowcage.host.run.arguments import require_choice, require_type, require_workflow
from flowcage.host.run.event_loops import require_trio
from flowcage.host.run.sources.reader import Reader, with_reader
from flowcage.host.workflows.beneath import OutsideRoot
from flowcage.host.workflows.names import SUFFIXES
from flowcage.host.workflows.source_files import SourceFileError, text_below
from flowcage.protocol.limits import MIB, Limits
from flowcage.protocol.messages import DIALECTS, NO_MODULES, Dialect, Import, Imports
from flowcage.protocol.sources.names import MAX_MODULES, module_name

MAX_BYTES = 4 * MIB  # of all modules of a workflow
# What is found costs a child, and what is not found is refused when it is compiled. Bounded, so that no text
# makes the search slow.
_MAY_IMPORT = re.compile(r"\b(?:from|import)\b[^'\"]{0,80}['\"]\.\.?/")

_SHOWN = 200  # characters of a specifier in messages


class ImportRefused(SourceFileError):
    """A file that a workflow imports cannot be read, or may not be.

    Attributes:
        importer: name of the source that has the import.
        line, column: of its specifier; None where they are not known.
        why: the message without the place.
    """

    def __init__(self, importer: str, found: Import, why: str) -> None:
        where = importer if found.line is None else f"{importer}:{found.line}:{found.column}"
        self.why = f"import of {found.specifier[:_SHOWN]!r}: {why}"
        super().__init__(f"{where}: {self.why}")
        self.importer, self.line, self.column = importer, found.line, found.column


def may_import(source: str) -> bool:
    """Whether a source has what looks like an import of a file beside it."""
    return _MAY_IMPORT.search(source) is not None


async def sibling_modules(
    source: str, source_name: str, root: Path, *, dialect: Dialect = "auto"
) -> Mapping[str, str]:
    """Read the files that a workflow imports, and those that they import.

    Args:
        source: of the workflow.
        source_name: its path below the root, which its imports are relative to.
        root: no file outside of this folder is read.
        dialect: of the source.

    Returns:
        The texts by their names, as `RunOptions.modules` takes them. A source that does not compile imports
        nothing; its run says what is wrong.

    Raises:
        ImportRefused: one cannot be read, or may not be.
        RunError: the child that reads the source could not do it.
        TypeError, ValueError, WrongEventLoop: as `run_workflow`.
    """
    require_trio("sibling_modules()")
    require_workflow(source, source_name)
    require_choice("dialect", dialect, DIALECTS)
    require_type("root", root, Path)
    if not may_import(source):
        return NO_MODULES
    search = _Search(root, source_name)
    await with_reader(Limits(), partial(search.run, source, dialect))
    if search.refusal is not None:  # here: out of the child's nursery, errors come in groups
        raise search.refusal
    return search.texts


class _Search:
    """From one source on; each file is read, and asked about, once."""

    def __init__(self, root: Path, source_name: str) -> None:
        self._root = root
        self._source_name = source_name
        self._left = MAX_BYTES
        self.texts: dict[str, str] = {}
        self.refusal: ImportRefused | None = None

    async def run(self, source: str, dialect: Dialect, reader: Reader) -> None:
        try:
            await self._follow(source, dialect, reader)
        except ImportRefused as refusal:
            self.refusal = refusal

    async def _follow(self, source: str, dialect: Dialect, reader: Reader) -> None:
        to_ask: deque[Imports] = deque([Imports(source, self._source_name, dialect)])
        while to_ask:
            message = to_ask.popleft()
            for each in await _imports_of(reader, message):
                name = _name_of(message.source_name, each)
                if name in self.texts or name == self._source_name:
                    continue
                try:
                    text = self.texts[name] = await self._read(name)
                except SourceFileError as error:
                    raise ImportRefused(message.source_name, each, str(error)) from None
                if may_import(text):
                    to_ask.append(Imports(text, name, "module"))

    async def _read(self, name: str) -> str:
        if len(self.texts) == MAX_MODULES:
            raise SourceFileError(f"a workflow imports {MAX_MODULES} files at most")
        try:
            # In a thread: a disk, or whoever serves the file system, may take its time.
            text = await trio.to_thread.run_sync(text_below, self._root, name, name, abandon_on_cancel=True)
        except OutsideRoot:
            raise SourceFileError("lies outside the root folder") from None
        self._left -= len(text.encode())
        if self._left < 0:
            raise SourceFileError(f"a workflow imports {MAX_BYTES} bytes at most")
        return text


async def _imports_of(reader: Reader, message: Imports) -> tuple[Import, ...]:
    try:
        found = await reader.ask(message)
    except WorkflowFailed:  # its run, or its check, says what is wrong
        return ()
    assert isinstance(found, tuple)
    return found


def _name_of(importer: str, found: Import) -> str:
    """What the host calls a module that it may read. Raises `ImportRefused`."""
    name = module_name(importer, found.specifier)
    if name is None:
        raise ImportRefused(importer, found, "is no path of a file: steps with '/' and no '\\'")
    if any(step.startswith(".") and step not in (".", "..") for step in found.specifier.split("/")):
        raise ImportRefused(importer, found, "is hidden; no file or folder is read that begins with '.'")
    if not name.endswith(SUFFIXES):
        raise ImportRefused(importer, found, f"a file is read that ends with {' or '.join(SUFFIXES)}")
    if name.startswith(("/", "../")):
        raise ImportRefused(importer, found, "lies outside the root folder")
    return name

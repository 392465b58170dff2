"""The modules beside a workflow's source, which came with it: what an import names, and what it compiles to.

No file is opened: an import that names none of these texts is refused. The engine asks for a name (`find`)
and then for a text (`source`), both while the workflow is compiled. After that nothing is found any more, so
``import()`` of a file is refused: a name that is computed cannot be known when the host reads the files, and
what is compiled in the middle of a run fails in the middle of it.

The source of the workflow is one of the modules, if it is one: its imports may lead back to it. A script is
none, because what is compiled of it is not what the author wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from flowcage._hints import Any
from flowcage.child.sandbox import source
from flowcage.child.sandbox.failures import failure_kind
from flowcage.child.sandbox.grammar import DYNAMIC_IMPORT
from flowcage.child.sandbox.syntax_tree import Bounds
from flowcage.child.sandbox.workflow_text import WorkflowText
from flowcage.protocol import errors
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.sources.names import MAX_NAME_CHARACTERS, VIRTUAL, is_relative, module_name

ONLY_STATIC = "import() takes those two only; a file is imported by a declaration, before the workflow runs"
NOT_GIVEN = "is none of the modules that came with the workflow"
ONE_FILE = (
    "is neither workflow:extra nor workflow:sandbox, nor a file beside this one, such as './rules.mjs'; "
    "write into the workflow what it needs, or pass it in args"
)

_VIRTUAL_EXPORTS = {"workflow:extra": "sleep, ask and default", "workflow:sandbox": "exec and default"}
_MISSING_EXPORT = r"(?s)Could not find export '(.*)' in module '(.*)'"
_MOST_EXPORTS = 10
# What names of the child's own begin with: those of modules that can be imported, and of its own sources.
_OWN = (VIRTUAL, "flowcage:")
# A name stands in the lines of stacks, and the engine takes it as a text that ends with a NUL.
_AS_ONE_LINE = bytes.maketrans(b"\0\n\r", b"???")


def engine_name(name: str) -> bytes:
    """What the engine calls a source: in one line, and never as one of the child's own, which it would be.

    Where an error is, is read from stacks, which have room for so long a name and no more. One that is longer
    is no import's, so two that become the same are not mistaken for each other.
    """
    if len(name) > MAX_NAME_CHARACTERS:
        name = f"{name[:MAX_NAME_CHARACTERS]}\u2026"
    safe = f"./{name}" if name.startswith(_OWN) else name
    return safe.encode("utf-8", "replace").translate(_AS_ONE_LINE)


class Siblings:
    """The sources of one run.

    Args:
        entry: the workflow's own.
        modules: the others, by their names.
        bounds: how much time and memory it may take to parse one.

    Attributes:
        entry: as it was given.
        failed: of those that were compiled for an import, the first that did not compile.
    """

    def __init__(self, entry: WorkflowText, modules: Mapping[str, str], bounds: Bounds) -> None:
        self.entry = entry
        self.failed: WorkflowText | None = None
        self._is_open = self._is_module = True
        self._entry = engine_name(entry.name)
        self._texts = {
            engine_name(name): WorkflowText(source.encoded(text), name, bounds)
            for name, text in modules.items()
        }
        self._texts[self._entry] = entry
        self._used = {self._entry: None}  # in order

    def given(self) -> Iterator[WorkflowText]:
        """All sources."""
        return iter(self._texts.values())

    def texts(self) -> list[WorkflowText]:
        """The sources that are part of the workflow, its own first."""
        return [self._texts[name] for name in self._used]

    def named(self, name: str) -> WorkflowText | None:
        """The source of this name; None where there is none."""
        return self._texts.get(engine_name(name))

    def link_error(self, error: dict[str, Any]) -> ErrorReply:
        """The reply for an import of a name that its module does not export."""
        if (kind := failure_kind(error)) != errors.EXCEPTION:
            return ErrorReply(kind, error["message"], error)
        found = re.fullmatch(_MISSING_EXPORT, error["message"])
        name, module = found.groups() if found else ("", "")
        exported = _VIRTUAL_EXPORTS.get(module) or self._exports(module)
        message = error["message"] + (f"; it exports {exported}" if exported else "")
        reply = ErrorReply(errors.IMPORT, message, error | {"message": message})
        places = ((text, text.offset_of_import(name, module)) for text in self.texts())
        text, offset = next((each for each in places if each[1] is not None), (self.entry, None))
        return text.placed(reply, offset)

    def _exports(self, module: str) -> str:
        text = self.named(module)
        parts = None if text is None else text.parts_if_small()
        return ", ".join((parts.exported or ["nothing"])[:_MOST_EXPORTS]) if parts is not None else ""

    def take_for_script(self) -> None:
        """From here on, nothing can import the workflow's own source."""
        self._is_module = False

    def close(self) -> None:
        """Find nothing from here on: the workflow is compiled."""
        self._is_open = False
        for text in self.texts():
            if DYNAMIC_IMPORT.search(text.utf8):
                text.parts_if_small()  # now: when the import runs, the heap may have filled the memory

    def find(self, importer: bytes, specifier: str) -> bytes | None:
        """The engine's name for what an import names; None where it is refused."""
        text = self._texts.get(importer)
        name = None if text is None else module_name(text.name, specifier)
        found = None if name is None else engine_name(name)
        if not self._is_open or found not in self._texts or (found == self._entry and not self._is_module):
            return None
        return found

    def source(self, name: bytes) -> bytes:
        """The text to compile for what `find` has found."""
        self._used[name] = None
        return self._texts[name].utf8

    def has_failed(self, name: bytes) -> None:
        """Take note that it did not compile."""
        self.failed = self.failed or self._texts[name]

    def importer(self, name: bytes) -> WorkflowText:
        """The source that has an import."""
        return self._texts.get(name, self.entry)

    def why_not(self, importer: bytes, specifier: str) -> str:
        """Why an import was refused, as what follows its specifier."""
        if not is_relative(specifier):
            return ONE_FILE
        if not self._is_open:
            return f"is neither workflow:extra nor workflow:sandbox; {ONLY_STATIC}"
        name = module_name(self.importer(importer).name, specifier)
        if name is None:
            return "is no path of a file: steps with '/' and no '\\'"
        if engine_name(name) == self._entry:
            return "is the workflow itself, a script: it has a return at its top level, and exports nothing"
        return NOT_GIVEN + ("" if name == specifier else f", where it would be {name}")

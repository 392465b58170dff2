"""The source of one workflow: its parts, parsed once, and error replies that name a line and column of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from flowcage._hints import Any, TypeVar
from flowcage.child.sandbox import source
from flowcage.child.sandbox.failures import failure_kind
from flowcage.child.sandbox.grammar import DYNAMIC_IMPORT, Parts, parse
from flowcage.child.sandbox.grammar import Import as Written
from flowcage.child.sandbox.syntax_tree import Bounds, SourceTooLarge
from flowcage.child.sandbox.typescript import typescript_at
from flowcage.protocol import errors
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.messages import Import
from flowcage.protocol.sources.names import module_name

_POSITION = re.compile(r":(\d+):(\d+)\)?$")
# The engine's messages where it met the end of the text.
_NOTHING_THERE = ("unexpected token in expression: ''", "Unexpected end of input")

_BINDING = rb"|(?<=\bimport\s)[^\s{*'\"]"

_FENCES = (b"```", b"~~~")
_FENCED = (
    "this line is a fence of Markdown, not JavaScript; leave out the fences, and the text around the code"
)

_T = TypeVar("_T")


class WorkflowText:
    """A workflow's source.

    Args:
        given: the source as it came, in UTF-8.
        name: the name of the source in errors.
        bounds: how much time and memory parsing may take.

    Attributes:
        utf8: the source without byte-order mark and hashbang (`source.clean`).
        bounds: as they were given.
    """

    def __init__(self, given: bytes, name: str, bounds: Bounds) -> None:
        self.utf8 = source.clean(given)
        self.name = name
        self.bounds = bounds
        self._parts: Parts | ErrorReply | None = None

    def parts(self) -> Parts:
        """The parts of the source; parsed at the first call.

        Raises:
            ErrorReply: kind ``limit``, where the source is too long or too deep to be parsed.
            Interrupted: the time of the step is over.
        """
        if self._parts is None:
            try:
                self._parts = self.bounded(lambda: parse(self.utf8, self.bounds))
            except ErrorReply as too_large:
                self._parts = too_large
        if isinstance(self._parts, ErrorReply):
            raise self._parts
        return self._parts

    def bounded(self, work: Callable[[], _T]) -> _T:
        """Do work that uses the grammar, and raise as `parts` does where it takes too much."""
        try:
            return work()
        except SourceTooLarge as error:
            reason = str(error)
        except MemoryError:
            reason = "the source is too large to be parsed in addressSpaceBytes"
        raise errors.run_failure(errors.LIMIT, "RangeError", reason, sourceName=self.name)

    def parts_if_small(self) -> Parts | None:
        """The parts of the source; None where it is too large to be parsed."""
        try:
            return self.parts()
        except ErrorReply:
            return None

    def syntax_error(self, message: str, offset: int) -> ErrorReply:
        """The reply for a syntax error that this package has found, at a byte of the source."""
        return self.placed(ErrorReply(errors.SYNTAX, f"SyntaxError: {message}", _described(message)), offset)

    def refuse_fence(self) -> None:
        """Raise where a fence of Markdown begins the source: the engine takes some for templates."""
        if self.utf8.lstrip()[:3] in _FENCES and (place := source.fence(self.utf8)) is not None:
            raise self.syntax_error(_FENCED, place)

    def compile_error(self, error: dict[str, Any]) -> ErrorReply:
        """The reply for an error of the engine's compiler, with its place and an explanation."""
        kind = failure_kind(error)
        kind = errors.SYNTAX if kind == errors.EXCEPTION else kind
        offset = self.offset_of(error)
        if offset is None or kind != errors.SYNTAX:
            message = f"{error['name']}: {error['message']}"
            return ErrorReply(kind, message, error | {"sourceName": self.name})
        if (place := source.fence(self.utf8)) is not None:
            return self.syntax_error(_FENCED, place)
        message = self._explained(error["message"], offset)
        return self.placed(
            ErrorReply(kind, f"{error['name']}: {message}", error | {"message": message}), offset
        )

    def offset_of(self, error: dict[str, Any]) -> int | None:
        """The byte at which the engine stopped; None where its stack names no position."""
        found = _POSITION.search(error["stack"].split("\n")[0])
        return None if found is None else source.offset(self.utf8, int(found[1]), int(found[2]))

    def import_error(self, error: dict[str, Any], specifier: str) -> ErrorReply:
        """The reply for an import declaration whose specifier is refused."""
        reply = ErrorReply(errors.IMPORT, error["message"], error | {"specifier": specifier})
        parts = self.parts_if_small()
        return self.placed(reply, _offset_among(parts.specifiers if parts is not None else [], specifier))

    def frame_of_import(self, specifier: str) -> str:
        """The stack frame of a refused ``import()``, which the engine's stack lacks; empty if unknown."""
        parts = self.parts_if_small() if DYNAMIC_IMPORT.search(self.utf8) else None
        offset = _offset_among(parts.dynamic_imports if parts is not None else [], specifier)
        if offset is None:
            return ""
        line, column = source.position(self.utf8, offset)
        return f"    at import ({self.name}:{line}:{column})"

    def _explained(self, message: str, offset: int) -> str:
        if self.utf8[offset : offset + 1] == b"\0":
            return "unexpected NUL character"
        if message in _NOTHING_THERE and offset >= len(self.utf8.rstrip()):
            return "unexpected end of the source; a bracket is not closed, or an expression not finished"
        start = self.utf8.rfind(b"\n", 0, offset) + 1
        line = self.utf8[start : offset + 500].split(b"\n")[0].decode("utf-8", "replace")
        column = len(self.utf8[start:offset].decode("utf-8", "replace")) + 1
        if (found := typescript_at(line, column)) is None:
            return message
        return (
            f"this is TypeScript, not JavaScript: `{found}`; compile the file first, or remove its types "
            f"({message})"
        )

    def offset_of_import(self, name: str, module: str) -> int | None:
        """The byte where an import of a module, or an export from it, has this name; None without one."""
        parts = self.parts_if_small() if name else None
        word = re.compile(_word(name.encode("utf-8", "replace")))
        for start, end in (*parts.imports, *parts.reexports) if parts is not None else ():
            found = word.search(self.utf8, start, end)
            if found and module in self._named_between(start, end):
                return found.start()
        return None

    def _named_between(self, start: int, end: int) -> set[str | None]:
        texts = [
            text for text, offset in self.parts().specifiers if start <= offset < end and text is not None
        ]
        return {*texts, *(module_name(self.name, text) for text in texts)}

    def links(self) -> bytes:
        """The declarations that name other modules. Raises as `parts`."""
        parts = self.parts()
        return b"\n".join(self.utf8[start:end] for start, end in (*parts.imports, *parts.reexports))

    def places_of_imports(self, specifiers: Iterable[str]) -> list[Import]:
        """Where import declarations have these specifiers, as far as that can be found."""
        parts = self.parts_if_small()
        return [
            self._placed_import(parts.specifiers if parts is not None else [], each) for each in specifiers
        ]

    def _placed_import(self, imports: list[Written], specifier: str) -> Import:
        offset = _offset_among(imports, specifier)
        return Import(specifier, *(() if offset is None else source.position(self.utf8, offset)))

    def placed(self, reply: ErrorReply, offset: int | None) -> ErrorReply:
        """A reply with the source's name, and line and column of a byte, if there is one."""
        data = reply.data | {"sourceName": self.name}
        if offset is not None:
            line, column = source.position(self.utf8, offset)
            data |= {"line": line, "column": column}
        return ErrorReply(reply.kind, reply.message, data)


def _word(name: bytes) -> bytes:
    """What has this name in a declaration. That of the default is not written in `import x from`."""
    return rb"(?<![\w$])" + re.escape(name) + rb"(?![\w$])" + (_BINDING if name == b"default" else b"")


def _described(message: str) -> dict[str, Any]:
    return {"name": "SyntaxError", "message": message, "stack": ""}


def _offset_among(imports: list[Written], specifier: str) -> int | None:
    """The byte of the import with this specifier; else of the only one whose specifier is not plain text."""
    written = [offset for text, offset in imports if text == specifier]
    others = [offset for text, offset in imports if text is None or "\\" in text]
    if written:
        return written[0]
    return others[0] if len(others) == 1 else None

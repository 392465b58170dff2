"""A workflow's source compiled: which dialect it turned out to be, and what stands in its way."""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

from flowcage.child.engine.capi import JSValue
from flowcage.child.engine.errors import JavaScriptError
from flowcage.child.sandbox import source as text
from flowcage.child.sandbox.failures import failure_kind
from flowcage.child.sandbox.realm import Realm
from flowcage.protocol import errors, strictjson
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.messages import Checked, Dialect

_POSITION = re.compile(r":(\d+):(\d+)\)?$")


# What the engine says of a return outside functions: then only its size kept the source from being a script.
_RETURN_ERROR = "return not in a function"


class Program(NamedTuple):
    """A compiled module to evaluate.

    Attributes:
        module: what the engine compiled.
        dialect: as it was asked for or found out.
        may_be_script: an ``auto`` module is a script after all if `meta` is all that it exports.
        has_return: False for a script without any.
    """

    module: JSValue
    dialect: Literal["module", "script"]
    may_be_script: bool = False
    has_return: bool = True


class Refusal(Exception):
    """The source does not compile as one dialect; `reply` says why."""

    def __init__(self, reply: ErrorReply) -> None:
        super().__init__(reply.message)
        self.reply = reply


def compile_workflow(realm: Realm, source: str, name: str, dialect: Dialect) -> Program:
    """Compile a workflow, and for ``auto`` find out which dialect it is.

    The engine itself decides: what compiles as a module is one. Otherwise a top-level ``return`` that the
    grammar finds makes it a script.

    Raises:
        ErrorReply: kind ``syntax``, ``import``, ``limit``, ``memory`` or ``stack``.
    """
    cleaned = text.clean(source)
    try:
        if dialect == "script":
            return _compile_script(realm, cleaned, name)
        return _compile_module(realm, cleaned, name, auto=dialect == "auto")
    except Refusal as refusal:
        if dialect != "auto" or refusal.reply.kind != errors.SYNTAX:
            raise refusal.reply from None
        return _retry_as_script(realm, cleaned, name, refusal.reply)


def _retry_as_script(realm: Realm, cleaned: bytes, name: str, as_module: ErrorReply) -> Program:
    try:
        parts = _parse(cleaned, name)
    except ErrorReply as too_large:
        raise (too_large if _RETURN_ERROR in as_module.message else as_module) from None
    if not parts.returns:
        raise as_module
    try:
        return _compile_script(realm, cleaned, name)
    except Refusal as refusal:
        raise refusal.reply from None


def _compile_module(realm: Realm, cleaned: bytes, name: str, *, auto: bool) -> Program:
    module = _compile(realm, cleaned, name)
    return Program(module, "module", may_be_script=auto)


def _compile_script(realm: Realm, cleaned: bytes, name: str) -> Program:
    parts = _parse(cleaned, name)
    if parts.other_exports:
        message = "a script returns its result; it can export declarations, but not default or a list"
        raise Refusal(_syntax_error(message, name, cleaned, parts.other_exports[0]))
    # Compiled to be checked only: the text must be closed in itself before it is wrapped.
    with realm.context.scope():
        _compile(realm, text.as_check(cleaned, parts), name)
    wrapped, first_line = text.as_function(cleaned, parts)
    module = _compile(realm, wrapped, name, first_line)
    return Program(module, "script", has_return=bool(parts.returns))


def _parse(cleaned: bytes, name: str) -> text.Parts:
    try:
        return text.parse(cleaned)
    except text.SourceTooLarge as error:
        reason = str(error)
    except MemoryError:
        reason = "the source is too large to be parsed in addressSpaceBytes"
    raise errors.run_failure(errors.LIMIT, "RangeError", reason, sourceName=name)


def _compile(realm: Realm, cleaned: bytes, name: str, first_line: int = 1) -> JSValue:
    realm.refused_import = None
    # A file may be called like a virtual module and must not become one.
    module_name = f"./{name}" if name.startswith("workflow:") else name
    try:
        return realm.context.compile(cleaned, module_name, module=True, first_line=first_line)
    except JavaScriptError:
        raise Refusal(_compile_error(realm, realm.take_error(), name)) from None


def _compile_error(realm: Realm, error: dict[str, Any], name: str) -> ErrorReply:
    if realm.refused_import is not None:
        data = error | {"specifier": realm.refused_import, "sourceName": name}
        return ErrorReply(errors.IMPORT, error["message"], data)
    kind = failure_kind(error)
    position = _POSITION.search(error["stack"].split("\n")[0])
    data = error | {"sourceName": name}
    if position:
        data |= {"line": int(position[1]), "column": int(position[2])}
    if kind == errors.EXCEPTION:
        kind = errors.SYNTAX
    return ErrorReply(kind, f"{error['name']}: {error['message']}", data)


def _syntax_error(message: str, name: str, cleaned: bytes, offset: int) -> ErrorReply:
    line, column = text.position(cleaned, offset)
    data = {"name": "SyntaxError", "message": message, "stack": "", "sourceName": name}
    return ErrorReply(errors.SYNTAX, f"SyntaxError: {message}", data | {"line": line, "column": column})


def check(realm: Realm, source: str, name: str, dialect: Dialect) -> Checked:
    """Compile a workflow and evaluate the literal of its ``export const meta``; nothing else runs.

    Raises:
        ErrorReply: as `compile_workflow`, ``syntax`` also where `meta` is no literal.
    """
    program = compile_workflow(realm, source, name, dialect)
    cleaned = text.clean(source)
    parts = _parse(cleaned, name)
    only_meta = program.may_be_script and parts.exports_only_meta
    meta = _read_meta(realm, cleaned, name, parts)
    return Checked("script" if only_meta else program.dialect, meta)


def _read_meta(realm: Realm, cleaned: bytes, name: str, parts: text.Parts) -> Any:
    try:
        literal = text.meta_literal(cleaned, parts)
    except text.NotLiteral as error:
        raise _syntax_error(str(error), name, cleaned, error.offset) from None
    if literal is None:
        return None
    with realm.context.scope():
        compiled = realm.context.compile(b"(" + literal + b")", name, module=False)
        value = realm.context.evaluate(compiled)
        try:
            return strictjson.loads(realm.call_text("encode", value).encode())
        except JavaScriptError:
            message = f"meta cannot be told as JSON: {realm.take_error()['message']}"
            realm.watchdog.check()
            assert parts.meta is not None
            raise _syntax_error(message, name, cleaned, parts.meta[0]) from None

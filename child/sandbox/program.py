"""Compiles a workflow's source: decides its dialect, and refuses what cannot run."""

from collections.abc import Callable, Mapping

from flowcage._hints import Any, Literal, NamedTuple
from flowcage.child.engine.capi import JSValue
from flowcage.child.engine.errors import JavaScriptError
from flowcage.child.sandbox import meta, source
from flowcage.child.sandbox.failures import missing_default
from flowcage.child.sandbox.modules.linked import Linked
from flowcage.child.sandbox.modules.named import Named
from flowcage.child.sandbox.modules.siblings import Siblings, engine_name
from flowcage.child.sandbox.realm import Realm
from flowcage.child.sandbox.workflow_text import WorkflowText
from flowcage.protocol import errors, strictjson
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.messages import NO_MODULES, Check, Checked, Dialect, Import, Imports, Started
from flowcage.protocol.sources.names import MAX_MODULES

# The engine's message for a return outside of functions, which alone makes a source a script.
_RETURN_ERROR = "return not in a function"
_RETURN_IN_MODULE = "return outside of a function: what is imported is a module, which has exports instead"
# By the member of the result; empty where `initialize` has not asked for them.
_READERS: dict[str, Callable[[Siblings, Checked], Any]] = {}


class Program(NamedTuple):
    """A compiled module to evaluate.

    Attributes:
        module: the compiled module.
        siblings: the source that it was compiled from, and the modules that came with it.
        dialect: the one that was asked for, or found.
        may_be_script: whether the module counts as a script if `meta` is its only export (``auto``).
        has_return: False for a script without a return outside of functions.
    """

    module: JSValue
    siblings: Siblings
    dialect: Literal["module", "script"]
    may_be_script: bool = False
    has_return: bool = True

    @property
    def text(self) -> WorkflowText:
        """The source that it was compiled from."""
        return self.siblings.entry

    def is_script(self, exported: list[str]) -> bool:
        """Whether the program is a script, given the names that its module exports."""
        return self.dialect == "script" or (self.may_be_script and exported == ["meta"])

    def described(self) -> Started:
        """The dialect, found without running; `MISSING` where the source is too large to be parsed.

        Raises:
            Interrupted: the time of the step is over.
        """
        if not (self.may_be_script and meta.is_mentioned(self.text.utf8)):
            return Started(self.dialect)
        parts = self.text.parts_if_small()
        if parts is None:
            return Started()
        return Started("script" if self.is_script(parts.exported or []) else "module")

    def no_result(self) -> str:
        """The diagnostic for a script without a return."""
        parts = self.text.parts_if_small()
        name = parts.unawaited_call if parts is not None else None
        waits = f", and nothing waits for the async {name}(); write `return await {name}();`" if name else ""
        return f"the script has no return: its result is null{waits}"


class Refusal(Exception):
    """The source does not compile as one dialect.

    Attributes:
        reply: the error to answer with.
        return_offset: the byte of the return outside of functions, where that is the reason.
    """

    def __init__(self, reply: ErrorReply, return_offset: int | None = None) -> None:
        super().__init__(reply.message)
        self.reply = reply
        self.return_offset = return_offset


def compile_workflow(
    realm: Realm, given: bytes, name: str, dialect: Dialect, modules: Mapping[str, str] = NO_MODULES
) -> Program:
    """Compile a workflow, and for ``auto`` decide its dialect.

    The engine decides: what compiles as a module is one. Where its first error is a top-level ``return``, the
    source is a script. Of the modules those are compiled that it imports.

    Raises:
        ErrorReply: kind ``syntax``, ``import``, ``limit``, ``memory`` or ``stack``; ``syntax`` also where
            `meta` is not a literal or has a wrong shape.
        Interrupted: the time of the step is over.
    """
    text = WorkflowText(given, name, realm.parse_bounds)
    if len(modules) > MAX_MODULES:
        message = f"a workflow may have {MAX_MODULES} modules beside it, not {len(modules)}"
        raise errors.run_failure(errors.LIMIT, "RangeError", message, sourceName=name)
    siblings = realm.siblings = Siblings(text, modules, realm.parse_bounds)
    for each in siblings.given():
        each.refuse_fence()
    try:
        program = _compile_either(realm, siblings, dialect)
    except Refusal as refusal:
        raise refusal.reply from None
    siblings.close()
    if meta.is_mentioned(text.utf8) and text.parts_if_small() is not None:
        read_meta(realm, text)
    return program


def _compile_either(realm: Realm, siblings: Siblings, dialect: Dialect) -> Program:
    text = siblings.entry
    if dialect == "script":
        return _compile_script(realm, siblings)
    try:
        module = _compile(realm, text, text.utf8)
        return Program(module, siblings, "module", may_be_script=dialect == "auto")
    except Refusal as refusal:
        if dialect == "module" or refusal.return_offset is None:
            raise
    return _compile_script(realm, siblings)


def _compile_script(realm: Realm, siblings: Siblings) -> Program:
    text = siblings.entry
    siblings.take_for_script()
    parts = text.parts()
    if parts.other_exports:
        message = "a script returns its result; it can export declarations, but not default or a list"
        raise Refusal(text.syntax_error(message, parts.other_exports[0]))
    returns = _require_closed(realm, text, parts.returns)
    wrapped, first_line = source.as_function(text.utf8, parts)
    module = _compile(realm, text, wrapped, first_line)
    return Program(module, siblings, "script", has_return=bool(returns))


def _require_closed(realm: Realm, text: WorkflowText, returns: list[int]) -> list[int]:
    """Compile a script by itself, before it is wrapped, so that its text cannot close the wrapper.

    Returns that the grammar has missed are found by the engine's errors, one at a time.

    Returns:
        Where the returns outside functions begin.
    """
    found = list(returns)
    while True:
        try:
            with realm.context.scope():
                _compile(realm, text, source.as_check(text.utf8, found))
            return found
        except Refusal as refusal:
            if refusal.return_offset is None or refusal.return_offset in found:
                raise
            found.append(refusal.return_offset)


def _compile(realm: Realm, text: WorkflowText, utf8: bytes, first_line: int = 1) -> JSValue:
    realm.refused_import = None
    name = engine_name(text.name).decode()
    try:
        compiled = realm.compile(utf8, name, module=True, first_line=first_line)
    except JavaScriptError:
        refusal = _refusal(realm, text, realm.take_error())
        realm.watchdog.check()
        raise refusal from None
    realm.watchdog.check()  # the engine's parser does not poll the interrupt handler
    return compiled


def _refusal(realm: Realm, text: WorkflowText, error: dict[str, Any]) -> Refusal:
    siblings = realm.siblings
    if siblings is not None and realm.refused_import is not None:
        importer, specifier = realm.refused_import
        return Refusal(siblings.importer(importer).import_error(error, specifier))
    is_return = error["message"] == _RETURN_ERROR
    if siblings is not None and siblings.failed is not None:
        told = error | {"message": _RETURN_IN_MODULE} if is_return else error
        return Refusal(siblings.failed.compile_error(told))
    return Refusal(text.compile_error(error), text.offset_of(error) if is_return else None)


def check(realm: Realm, message: Check) -> Checked:
    """Compile a workflow and evaluate the literal of its ``export const meta``; no other code of it runs.

    Raises:
        ErrorReply: as `compile_workflow`; also ``import`` and ``missing_default``, which a run meets once it
            has begun, and ``limit`` where the source is too long to read its `meta`.
    """
    given = source.encoded(message.source)
    program = compile_workflow(realm, given, message.source_name, message.dialect, message.modules)
    _require_links(realm, program.siblings)
    exported = program.text.parts().exported
    is_script = program.is_script(exported or [])
    if not is_script and exported is not None and "default" not in exported:
        raise program.text.placed(missing_default(exported), program.text.parts().first_export)
    checked = Checked("script" if is_script else "module", read_meta(realm, program.text))
    return _read_further(program.siblings, checked, message)


def imports(realm: Realm, message: Imports) -> list[Import]:
    """What the import declarations of a source name that stands beside it, as the engine reads them.

    Raises:
        ErrorReply: as `compile_workflow`, but no import is refused.
    """
    text = WorkflowText(source.encoded(message.source), message.source_name, realm.parse_bounds)
    text.refuse_fence()
    named = realm.siblings = Named(text, realm.parse_bounds)
    try:
        _compile_either(realm, named, message.dialect)
    except Refusal as refusal:
        raise refusal.reply from None
    return text.places_of_imports(named.specifiers)


def load_readers() -> None:
    """Import what reads sources further than `check` alone, and have it add to the result where asked."""
    from flowcage.child.sandbox.lint.linter import findings
    from flowcage.child.sandbox.reading.outline import outline

    _READERS.update(findings=findings, outline=outline)


def _read_further(siblings: Siblings, checked: Checked, message: Check) -> Checked:
    asked = {name: read for name, read in _READERS.items() if getattr(message, name)}
    return checked._replace(**{name: read(siblings, checked) for name, read in asked.items()})


def _require_links(realm: Realm, siblings: Siblings) -> None:
    """Refuse imports of names that a module does not export: links the import declarations alone."""
    text = siblings.entry
    if not (imports := text.links()):
        return
    realm.siblings = linked = Linked(siblings, realm.parse_bounds)
    if not linked.is_known:
        return
    with realm.context.scope():
        module = _compile(realm, text, imports)
        try:
            realm.context.mark_handled(realm.context.evaluate(module))
        except JavaScriptError:
            raise linked.link_error(realm.take_error()) from None


def read_meta(realm: Realm, text: WorkflowText) -> Any:
    """The value of ``export const meta``; None where there is none.

    Raises:
        ErrorReply: kind ``syntax`` where it is not a literal or has a wrong shape, or ``limit``.
    """
    parts, bounds = text.parts(), realm.parse_bounds
    if parts.meta is None:
        return None
    start, end = parts.meta
    literal = text.utf8[start:end]
    try:
        text.bounded(lambda: meta.refuse_computation(literal, start, bounds))
        value = _evaluate(realm, text, literal, start)
        text.bounded(lambda: meta.refuse_shape(value, literal, start, bounds))
    except meta.InvalidMeta as wrong:
        raise text.syntax_error(str(wrong), wrong.offset) from None
    return value


def _evaluate(realm: Realm, text: WorkflowText, literal: bytes, start: int) -> Any:
    with realm.context.scope():
        try:
            compiled = realm.compile(b"(" + literal + b")", engine_name(text.name).decode(), module=False)
            value = realm.context.evaluate(compiled)
            return strictjson.loads(realm.call_text("encode", value).encode())
        except JavaScriptError:
            message = f"meta must be JSON, and it cannot be written as JSON: {realm.take_error()['message']}"
            realm.watchdog.check()
            raise text.syntax_error(message, start) from None

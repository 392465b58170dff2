"""One engine realm with the prelude in it: the only room that knows both Python and the bridge."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from flowcage.child.cage.highwater import HighWater
from flowcage.child.engine.capi import TAG_NULL, TAG_UNINITIALIZED, JSValue
from flowcage.child.engine.context import EXHAUST_INTERRUPT_COUNTER, Context, library
from flowcage.child.engine.errors import JavaScriptError, OutOfMemory
from flowcage.child.engine.runtime import Runtime
from flowcage.child.engine.watchdog import Watchdog
from flowcage.child.sandbox.failures import OUT_OF_MEMORY, failure_kind, heap_is_full, thrown_failure
from flowcage.child.sandbox.rejections import UnhandledRejections
from flowcage.child.sandbox.syntax_tree import Bounds
from flowcage.protocol import errors, strictjson
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.limits import Limits

_PRELUDE_FOLDER = os.path.join(os.path.dirname(__file__), "prelude")
PRELUDE_NAME = "flowcage:prelude"
# Any heap that a realm fits into.
_UNLIMITED = 2**62
# What the compiler allocates for one byte of source: 100 for functions, but 5,200 for /\p{RGI_Emoji}/v.
_COMPILED_BYTES = 6000
_MAX_SPECIFIER_BYTES = 8192  # of what an import asked for; the rest says nothing more
CANNOT_BE_SHOWN = "a value that cannot be shown"

_VIRTUAL_MODULES = {
    b"workflow:extra": b"const { extra } = SW;\nexport const { sleep } = extra;\nexport default extra;",
    b"workflow:sandbox": b"const { sandbox } = SW;\nexport const { exec } = sandbox;\n"
    b"export default sandbox;",
}


def _read_prelude() -> bytes:
    """The prelude's files in the order of their names, in one scope whose last word is the bridge."""
    parts = []
    for name in sorted(os.listdir(_PRELUDE_FOLDER)):
        if name.endswith(".js"):
            with open(os.path.join(_PRELUDE_FOLDER, name), "rb") as file:
                parts.append(file.read())
    return b'(() => {\n"use strict";\n' + b"\n".join(parts) + b"\nreturn bridge;\n})()"


# Read on import: once the cage is closed, no file can be opened.
_PRELUDE = _read_prelude()


class Realm:
    """A runtime, its one context, and the functions of the prelude's bridge.

    Args:
        limits: heap, stack and time of the engine.
        high_water: opened before the cage closed.
    """

    def __init__(self, limits: Limits, high_water: HighWater) -> None:
        self.runtime = Runtime(library(), limits._replace(memory_bytes=_UNLIMITED))
        self.context = Context(self.runtime)
        self.refused_import: str | None = None
        self.frame_of_import: Callable[[str], str] = lambda _specifier: ""
        self.is_abandoned = False
        self._bridge = self._evaluate_prelude()
        self._unhandled_rejections = UnhandledRejections(self.context)
        self._functions: dict[str, JSValue] = {}
        self.runtime.set_modules(self)
        with self.context.scope():
            compiled = self.context.compile(EXHAUST_INTERRUPT_COUNTER, PRELUDE_NAME, module=False)
            exhauster = self.context.keep(self.context.evaluate(compiled))
        self.runtime.poll_again_at_once = partial(self.context.exhaust_interrupt_counter, exhauster)
        self.adopt(limits, high_water)

    def adopt(self, limits: Limits, high_water: HighWater) -> None:
        """Begin to count: what a fork(2) brought here is this process's own now, under its own limits.

        Raises:
            OutOfMemory: the realm alone is larger than the heap may become.
        """
        if self.runtime.heap.size > limits.memory_bytes:
            raise OutOfMemory("a realm")
        self._limits = limits
        self._high_water = high_water
        self._peak_at_start = high_water.peak_bytes()
        self.runtime.adopt(limits)
        self.watchdog = self.runtime.watchdog = Watchdog(limits.step_timeout_ms, limits.cpu_seconds)
        self.parse_bounds = Bounds(self.watchdog, high_water.mapped_bytes, limits.address_space_bytes)

    def abandon(self) -> ErrorReply:
        """Go on above a heap that is full: the engine is deep in something that it never returns from.

        Returns:
            What ends the run.
        """
        self.is_abandoned = True
        self.watchdog = Watchdog(self._limits.step_timeout_ms, self._limits.cpu_seconds)
        self.runtime.abandon()
        try:
            where = self.call_text("where")
        except JavaScriptError:
            self.clear_error()
            where = ""
        return heap_is_full(self._limits.memory_bytes, where)

    def close(self) -> None:
        """Free the realm and its heap."""
        with self.context.scope():
            self._unhandled_rejections.take()
        self.runtime.watchdog = None
        self.context.close()
        self.runtime.close()

    def compile(self, source: bytes, name: str, *, module: bool, first_line: int = 1) -> JSValue:
        """Compile what the workflow's author wrote; see `Context.compile`."""
        with self.runtime.heap.expecting(len(source) * _COMPILED_BYTES):
            return self.context.compile(source, name, module=module, first_line=first_line)

    def call(self, name: str, *arguments: JSValue) -> JSValue:
        """Call one function of the bridge.

        Raises:
            JavaScriptError: it threw.
        """
        function = self._functions.get(name)
        if function is None:
            function = self.context.keep(self.context.get(self._bridge, name))
            self._functions[name] = function
        return self.context.call(function, *arguments)

    def call_text(self, name: str, *arguments: JSValue) -> str:
        """Call one function of the bridge that answers with a string."""
        with self.context.scope():
            return self.context.text(self.call(name, *arguments))

    def hand_out(self, name: str) -> str:
        """As `call_text`, for what only gathers what is queued: no code of the workflow runs."""
        with self.runtime.heap.unlimited():
            return self.call_text(name)

    def forget(self, identifier: str) -> None:
        """Take a request that was answered out of the queue, although its answer comes too late."""
        with self.runtime.heap.unlimited(), self.context.scope():
            try:
                self.call("forget", self.string(identifier))
            except JavaScriptError:  # no memory left, so that nothing can be handed out either
                self.clear_error()

    def string(self, text: str) -> JSValue:
        """A JavaScript string."""
        return self.context.string(text)

    def exported_names(self, module: JSValue) -> list[str]:
        """What an evaluated module exports: of one that is not even linked, the engine would crash."""
        with self.context.scope():
            namespace = self.context.namespace(module)
            names: list[str] = strictjson.loads(self.call_text("names", namespace).encode())
            return names

    def run_jobs(self) -> None:
        """Run jobs until there are none.

        Raises:
            Interrupted: a limit was reached, whether or not JavaScript swallowed it.
        """
        self.watchdog.check()
        while (succeeded := self.runtime.run_job()) is not None:
            self.watchdog.check()
            if not succeeded:
                self._report_job()

    def take_error(self) -> dict[str, Any]:
        """Describe the pending exception: ``name``, ``message``, ``stack``."""
        with self.context.scope():
            return self.describe(self.context.take_exception())

    def describe(self, reason: JSValue) -> dict[str, Any]:
        """What a thrown value says: ``name``, ``message`` and a ``stack`` of the author's frames.

        Raises:
            Interrupted: its getters took too long.
        """
        if reason.tag in (TAG_NULL, TAG_UNINITIALIZED) and self.heap_was_full():
            return OUT_OF_MEMORY
        try:
            described: dict[str, Any] = strictjson.loads(self.call_text("describe", reason).encode())
        except JavaScriptError:
            self.clear_error()
            self.watchdog.check()
            return OUT_OF_MEMORY
        if described["message"] == CANNOT_BE_SHOWN and self.heap_was_full():
            return OUT_OF_MEMORY
        return described

    def heap_was_full(self) -> bool:
        """Whether a request for memory failed, although the engine may have lost the error.

        With no room even for an Error it throws null, or loses a rejection so that a promise stays pending. A
        heap that is not watched was never seen half full; if the kernel saw more, one native filled the rest.
        """
        heap = self.runtime.heap
        if heap.is_watched or heap.has_refused:
            return heap.has_refused
        return self._high_water.peak_bytes() - self._peak_at_start > heap.limit // 2

    def clear_error(self) -> None:
        """Forget the pending exception."""
        with self.context.scope():
            self.context.take_exception()

    def diagnose(self, kind: str, message: str) -> None:
        """Note something for the workflow's author."""
        with self.runtime.heap.unlimited(), self.context.scope():
            try:
                self.call("diagnose", self.string(kind), self.string(message))
            except JavaScriptError:  # no memory left: the note is lost, the run is not
                self.clear_error()

    def diagnose_end(self, *, has_left: bool) -> None:
        """Note what a run that is complete or stalled has left behind.

        Args:
            has_left: whether it is complete, and requests of it have no answer.
        """
        try:
            self._diagnose_unhandled_rejections()
            if has_left:
                self._diagnose_unawaited()
        except JavaScriptError:  # no memory for the notes; the run is over without them
            self.clear_error()

    def _diagnose_unhandled_rejections(self) -> None:
        """Note each rejection that nobody handles. No code of the workflow runs."""
        with self.runtime.heap.unlimited(), self.context.scope():
            for reason in self._unhandled_rejections.take():
                message = self.call_text("summarize", reason)
                self.diagnose(
                    "unhandled_rejection", f"nobody waits for a promise that was rejected: {message}"
                )

    def _diagnose_unawaited(self) -> None:
        """Note each request that a completed workflow left without an answer. No job may be run after it."""
        with self.runtime.heap.unlimited(), self.context.scope():
            self.call("leave")
            unheard = [self.context.text(identifier) for identifier in self._unhandled_rejections.take()]
            self.call("noteLeft", self.string(f",{','.join(unheard)},"))

    def _report_job(self) -> None:
        error = self.take_error()
        self.watchdog.check()
        if failure_kind(error) == errors.MEMORY:  # whoever waited for this job would wait for ever
            raise thrown_failure(error, "")
        self.diagnose("uncaught_error", f"a queued job threw: {error['message']}")

    def _evaluate_prelude(self) -> JSValue:
        with self.context.scope():
            compiled = self.context.compile(_PRELUDE, PRELUDE_NAME, module=False)
            return self.context.keep(self.context.evaluate(compiled))

    def normalize(self, specifier: bytes) -> int:
        """Answer an import, for the engine: one of the virtual modules, or a refusal."""
        if specifier in _VIRTUAL_MODULES:
            return self.context.duplicate_text(specifier)
        self.refused_import = specifier[:_MAX_SPECIFIER_BYTES].decode("utf-8", "replace")
        with suppress(JavaScriptError), self.context.scope():  # out of memory is pending, then
            texts = self.refused_import, self.frame_of_import(self.refused_import)
            self.context.throw(self.call("refuseImport", *map(self.string, texts)))
        return 0

    def load(self, name: bytes) -> int:
        """Compile a virtual module, for the engine."""
        try:
            with self.context.scope():
                module = self.context.compile(_VIRTUAL_MODULES[name], name.decode(), module=True)
                return int(module.payload)
        except JavaScriptError:
            return 0

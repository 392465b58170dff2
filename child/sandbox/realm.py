"""The realm: one runtime of the engine with one context, the prelude in it, and the bridge to it.

Who calls it: `execution`, `evaluation`, `program` and `results` for a run; the session builds, adopts and
closes it; a zygote builds one before it forks.

The order of the constructor: the prelude is evaluated before anything of a workflow, so that it captures the
intrinsics unchanged and hardens the realm (`prelude/7-realm.js`). Rejections are tracked from then on. The
limit of the heap is set last, by `adopt`: before, the heap is unlimited, because a realm must be whole or
refused, with OutOfMemory, by its size.

Invariants:

- Limits, stack top, watchdog and memory figures belong to a process: `adopt` sets all of them, in the
  constructor and again after a fork(2) (D28, `child/zygote.py`).
- After every call into the engine that can run code of the workflow, `watchdog.check` comes before its error
  is believed: natives can swallow the interruption and throw something else
  (`tests/child/test_swallowed_timeouts.py`). So `run_jobs` checks after each job, and `describe` when it
  fails.
- `abandon` takes the watchdog off the engine and lifts the heap's limit before it asks the prelude for the
  author's stack, which would be interrupted or refused memory otherwise. An abandoned realm is not closed.
- `close` frees rejections, then the context, then the runtime: the engine aborts if a value outlives it.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from flowcage._hints import Any
from flowcage.child.cage.highwater import HighWater
from flowcage.child.engine.capi import TAG_NULL, TAG_UNINITIALIZED, JSValue
from flowcage.child.engine.context import library
from flowcage.child.engine.errors import JavaScriptError, OutOfMemory
from flowcage.child.engine.rejections import UnhandledRejections
from flowcage.child.engine.runtime import EXHAUST_INTERRUPT_COUNTER, Runtime
from flowcage.child.engine.watchdog import Watchdog
from flowcage.child.sandbox.bridge import Bridge
from flowcage.child.sandbox.failures import OUT_OF_MEMORY, failure_kind, heap_is_full, thrown_failure
from flowcage.child.sandbox.modules.siblings import Siblings
from flowcage.child.sandbox.prelude_source import PRELUDE_NAME, VIRTUAL_MODULES
from flowcage.child.sandbox.syntax_tree import Bounds
from flowcage.protocol import errors, strictjson
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.limits import Limits

# In bytes: no limit.
_UNLIMITED = 2**62
# Most bytes that the compiler allocates for one byte of source: 100 for functions, 5,200 for
# /\p{RGI_Emoji}/v.
_COMPILED_BYTES = 6000
_MAX_SPECIFIER_BYTES = 8192  # of a refused specifier that are kept for the error
CANNOT_BE_SHOWN = "a value that cannot be shown"


class Realm(Bridge):
    """A realm, ready for one workflow.

    Args:
        limits: the effective limits of the run, or the defaults for a realm that is adopted later.
        high_water: reads this process's memory.

    Attributes:
        refused_import: the module that has the import that was refused last, and its specifier, for the error
            of a failed compile.
        siblings: what the workflow may import beside virtual modules; None before it has come.
        is_abandoned: whether frames of the engine were left for good (`abandon`).
        parse_bounds: what parsing a source may cost in this process.

    Raises:
        OutOfMemory: the realm alone is larger than `memory_bytes`.
        JavaScriptError: `stack_bytes` is too small for the prelude.
    """

    def __init__(self, limits: Limits, high_water: HighWater) -> None:
        super().__init__(Runtime(library(), limits._replace(memory_bytes=_UNLIMITED)))
        self.refused_import: tuple[bytes, str] | None = None
        self.siblings: Siblings | None = None
        self.is_abandoned = False
        self._shown_limits: Limits | None = None
        self._unhandled_rejections = UnhandledRejections(self.context)
        self.runtime.set_modules(self)
        with self.context.scope():
            compiled = self.context.compile(EXHAUST_INTERRUPT_COUNTER, PRELUDE_NAME, module=False)
            exhauster = self.context.keep(self.context.evaluate(compiled))
        self.runtime.poll_again_at_once = partial(self.context.exhaust_interrupt_counter, exhauster)
        self.adopt(limits, high_water)

    def adopt(self, limits: Limits, high_water: HighWater) -> None:
        """Apply the limits of the run and begin to count, in the process that runs the workflow.

        Raises:
            OutOfMemory: the realm alone is larger than `memory_bytes`.
        """
        if self.runtime.heap.size > limits.memory_bytes:
            raise OutOfMemory("a realm")
        self._limits = limits
        self._high_water = high_water
        self._peak_at_start = high_water.peak_bytes()
        self.runtime.adopt(limits)
        self.watchdog = self.runtime.watchdog = Watchdog(limits.step_timeout_ms, limits.cpu_seconds)
        self.parse_bounds = Bounds(self.watchdog, high_water.mapped_bytes, limits.address_space_bytes)

    def show_limits(self, limits: Limits | None = None) -> None:
        """Tell the prelude the limits that it keeps: those of `adopt`, or others. Raises as `call`."""
        limits = limits or self._limits
        if self._shown_limits != limits:
            with self.context.scope():
                self.call("setLimits", self.string(strictjson.dumps_ascii(limits.to_wire())))
            self._shown_limits = limits

    def abandon(self) -> ErrorReply:
        """Make the realm usable above frames of the engine that are left for good, since its heap is full.

        Returns:
            The failure that ends the run, with the author's stack.
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
        """Free the realm and its heap. Not after `abandon`."""
        with self.context.scope():
            self._unhandled_rejections.take()
        self.runtime.watchdog = None
        self.context.close()
        self.runtime.close()

    def compile(self, source: bytes, name: str, *, module: bool, first_line: int = 1) -> JSValue:
        """Compile text of the workflow's author, as `Context.compile`; a heap that it may fill is watched."""
        heap = self.runtime.heap
        if heap.is_room_scarce(len(source) * _COMPILED_BYTES):
            with heap.watched():
                return self.context.compile(source, name, module=module, first_line=first_line)
        compiled = self.context.compile(source, name, module=module, first_line=first_line)
        heap.watch_if_near_limit()
        return compiled

    @property
    def max_message_bytes(self) -> int:
        """Longest answer."""
        return self._limits.max_message_bytes

    @property
    def has_unhandled_rejections(self) -> bool:
        """Whether promises are rejected that nothing handles."""
        return self._unhandled_rejections.are_there

    def forget(self, identifier: str) -> None:
        """Remove a request from the queue, for a `resolve` that comes after the run has ended."""
        with self.runtime.heap.unlimited(), self.context.scope():
            try:
                self.call("forget", self.string(identifier))
            except JavaScriptError:  # no memory, with which nothing can be handed out either
                self.clear_error()

    def run_jobs(self) -> None:
        """Run jobs until the queue is empty.

        Raises:
            Interrupted: a limit was reached, also where JavaScript has swallowed the interruption.
            ErrorReply: a job found no memory.
        """
        check, run_job = self.watchdog.check, self.runtime.run_job
        check()
        while outcome := run_job():
            check()
            if outcome < 0:
                self._report_job()

    def take_error(self) -> dict[str, Any]:
        """Take and describe the pending exception, as `describe`."""
        with self.context.scope():
            return self.describe(self.context.take_exception())

    def describe(self, reason: JSValue) -> dict[str, Any]:
        """Describe a thrown value by the prelude. Its getters run, which are code of the workflow.

        Raises:
            Interrupted: a limit was reached.
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
        """Whether an allocation has failed, although the engine may have lost the error.

        Without memory for an Error the engine throws null, or drops a rejection, so that a promise stays
        pending. A heap that is not watched was less than half full at each check. Where the peak of resident
        memory is more than that, one native has filled the rest between two checks.
        """
        heap = self.runtime.heap
        if heap.is_watched or heap.has_refused:
            return heap.has_refused
        return self._high_water.peak_bytes() - self._peak_at_start > heap.limit // 2

    def clear_error(self) -> None:
        """Drop the pending exception."""
        with self.context.scope():
            self.context.take_exception()

    def diagnose(self, kind: str, message: str) -> None:
        """Add a diagnostic for the workflow's author."""
        with self.runtime.heap.unlimited(), self.context.scope():
            try:
                self.call("diagnose", self.string(kind), self.string(message))
            except JavaScriptError:  # no memory: the run goes on without the diagnostic
                self.clear_error()

    def diagnose_end(self, *, has_left: bool) -> None:
        """Add diagnostics for what a complete or stalled run has left.

        Args:
            has_left: whether the run is complete while requests have no answer.
        """
        try:
            self._diagnose_unhandled_rejections()
            if has_left:
                self._diagnose_unawaited()
        except JavaScriptError:  # no memory: the run ends without the diagnostics
            self.clear_error()

    def _diagnose_unhandled_rejections(self) -> None:
        with self.runtime.heap.unlimited(), self.context.scope():
            for reason in self._unhandled_rejections.take():
                message = self.call_text("summarize", reason)
                self.diagnose(
                    "unhandled_rejection", f"a promise was rejected, and nothing awaits it: {message}"
                )

    def _diagnose_unawaited(self) -> None:
        """Add a diagnostic for each unanswered request of a complete run. No job may run after it."""
        with self.runtime.heap.unlimited(), self.context.scope():
            self.call("leave")
            unheard = [self.context.text(identifier) for identifier in self._unhandled_rejections.take()]
            self.call("noteLeft", self.string(f",{','.join(unheard)},"))

    def _report_job(self) -> None:
        error = self.take_error()
        self.watchdog.check()
        if failure_kind(error) == errors.MEMORY:  # the promise that the job was to settle stays pending
            raise thrown_failure(error, "")
        self.diagnose("uncaught_error", f"a queued job threw: {error['message']}")

    def normalize(self, importer: bytes, specifier: bytes) -> int:
        """Resolve an import, for the engine (`runtime.Modules`): the name of a module, or an exception."""
        if specifier in VIRTUAL_MODULES:
            return self.context.duplicate_text(specifier)
        written = specifier[:_MAX_SPECIFIER_BYTES].decode("utf-8", "replace")
        name = None if self.siblings is None else self.siblings.find(importer, written)
        return self._refuse_import(importer, written) if name is None else self.context.duplicate_text(name)

    def _refuse_import(self, importer: bytes, specifier: str) -> int:
        self.refused_import = importer, specifier
        why = frame = ""
        if self.siblings is not None:
            why = self.siblings.why_not(importer, specifier)
            frame = self.siblings.importer(importer).frame_of_import(specifier)
        with suppress(JavaScriptError), self.context.scope():  # without memory, that error is pending
            self.context.throw(self.call("refuseImport", *map(self.string, (specifier, frame, why))))
        return 0

    def load(self, name: bytes) -> int:
        """Compile a module that `normalize` has named, for the engine (`runtime.Modules`)."""
        try:
            with self.context.scope():
                return int(self._compiled_module(name).payload)
        except JavaScriptError:
            if self.siblings is not None and name not in VIRTUAL_MODULES:
                self.siblings.has_failed(name)
            return 0

    def _compiled_module(self, name: bytes) -> JSValue:
        if (own := VIRTUAL_MODULES.get(name)) is not None:
            return self.context.compile(own, name.decode(), module=True)
        assert self.siblings is not None
        return self.compile(self.siblings.source(name), name.decode(), module=True)

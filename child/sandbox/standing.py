"""How a run stands: running, complete, failed or stalled; and what a drain tells of it.

Who uses it: `Execution`, which is one. What ends the run is kept here, not raised, until there is nothing
left to hand out: so what came before a failure arrives before it
(`tests/child/test_failures.py::test_calls_and_requests_queued_before_a_failure_come_first`).

In the usual case one call of the prelude, `report`, gives the whole result of a drain. It hands out nothing
where a limit has ended the run, an error may have been lost, or the run is over and there are notes to be
made; then `_examine` asks for one thing after the other. Both look at the limit before anything is handed
out: JavaScript may have caught that error and even completed, and the limit still counts.

Invariants:

- `_failure` is final once a message was answered with it: no JavaScript of the workflow runs any more, and
  `poll`, `take` and `drain` repeat it (`test_poll_drain_and_take_repeat_the_same_failure`,
  `test_no_javascript_runs_after_a_failure`).
- A failed allocation can be lost in the engine, so that a promise stays pending. So a run that looks stalled,
  or has swallowed a null, fails as `memory` where the heap was full. `_outstanding` is what the prelude has
  told before that is asked: else a run that waits would be taken for one that is stalled.
- After `fail_and_free` the realm is gone: `_hand_out` looks at `_is_freed` before it touches it.
- An abandoned realm is never closed: the engine would free objects that are half changed.
"""

import json
from collections.abc import Callable

from flowcage._hints import Any, TypeVar
from flowcage.child.engine.capi import JSValue
from flowcage.child.engine.context import FALSE, TRUE
from flowcage.child.engine.errors import Interrupted, JavaScriptError
from flowcage.child.sandbox.failures import interruption, out_of_memory, thrown_failure
from flowcage.child.sandbox.realm import Realm
from flowcage.protocol import errors
from flowcage.protocol.errors import ErrorReply

# Most bytes of the heap that a byte of JSON text takes when it is parsed: 35 for `[]`, more for new names.
_PARSED_BYTES = 64

_T = TypeVar("_T")


class Standing:
    """How the run in a realm stands.

    Args:
        realm: a realm that no workflow has run in; it is owned from here on.
    """

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._output: str | None = None
        self._failure: ErrorReply | None = None
        self._outstanding = 0  # requests without an answer, as `_read_status` has found
        self._is_examined = True  # whether `_examine` has followed the last step
        self._is_freed = False

    def fail_and_free(self, failure: ErrorReply) -> None:
        """End the run and free its heap, to have memory to answer with. A second call changes nothing."""
        self.fail(failure)
        if not self._is_freed:
            self._is_freed = True
            if not self._realm.is_abandoned:
                self._realm.close()

    def fail(self, failure: ErrorReply) -> None:
        """End the run with this failure, unless it has failed already."""
        self._failure = self._failure or failure

    def can_parse(self, size: int) -> bool:
        """Whether the heap is so far from its limit that a JSON text of this size does not bring it there."""
        return not self._is_freed and not self._realm.runtime.heap.is_room_scarce(size * _PARSED_BYTES)

    def _in_step(self, work: Callable[..., _T], *given: Any) -> _T | None:
        """Do work in a step of the watchdog. What ends the run is kept in `_failure`; then this is None."""
        watchdog = self._realm.watchdog
        try:
            watchdog.begin_step()
            try:
                return work(*given)
            finally:  # before an error is described, which must not be cut short
                watchdog.end_step()
        except ErrorReply as failure:
            self._failure = failure
        except Interrupted as stopped:
            self._failure = interruption(stopped)
        except JavaScriptError:  # the prelude found no memory
            self._failure = thrown_failure(self._realm.take_error(), "")
        return None

    def _examine(self) -> None:
        """Learn from the prelude how the run stands after a step, and what is to be said at its end."""
        if self._is_examined:
            return
        self._is_examined = True
        self._read_status()
        if self._output is not None or self._is_stalled():
            self._realm.diagnose_end(has_left=self._output is not None and self._outstanding > 0)

    def _read_status(self) -> None:
        limit, swallowed_null, self._outstanding = json.loads(self._hand_out("status") or "[null,false,0]")
        if limit is not None:
            # Whether or not the workflow caught the error: the limit came before what it did then.
            self._output = None
            self._failure = errors.run_failure(**limit)
        elif (swallowed_null or self._is_stalled()) and self._realm.heap_was_full():
            self._output = None
            self._failure = out_of_memory()

    @property
    def _is_over(self) -> bool:
        return self._failure is not None or self._output is not None

    def _is_stalled(self) -> bool:
        return not self._is_over and self._outstanding == 0

    def _hand_out(self, name: str, *arguments: JSValue) -> str:
        """Call a function of the prelude that gathers what is queued; the run fails for want of memory."""
        if self._is_freed:
            return ""
        try:
            return self._realm.hand_out(name, *arguments)
        except JavaScriptError:
            self._failure = thrown_failure(self._realm.take_error(), "")
            return ""

    def _drained(self) -> str:
        """The result of a drain, behind its last step."""
        if text := self._usual_drain():
            return text
        self._examine()
        calls, requests = self._hand_out("takeCalls"), self._hand_out("takeRequests")
        if self._failure is not None and not (calls or requests):
            raise self._failure
        return f'{{"calls":[{calls}],"requests":[{requests}],{self._drain_state()}}}'

    def _usual_drain(self) -> str:
        """The result, in one call of the prelude; empty where there is more to be asked or said."""
        if self._failure is not None:
            return ""
        if self._output is None:
            return self._hand_out("report", FALSE)
        if self._realm.has_unhandled_rejections or not (text := self._hand_out("report", TRUE)):
            return ""
        self._is_examined = True
        return f"{text}{self._output}}}{self._notes()}}}"

    def _drain_state(self) -> str:
        if self._output is not None:
            return f'"state":"complete","output":{{"result":{self._output}}}{self._notes()}'
        if self._is_stalled():
            return f'"state":"pending","stalled":true{self._notes()}'
        more = ',"more":true' if self._failure is not None else ""
        return f'"state":"pending"{more}'

    def _notes(self) -> str:
        diagnostics = self._hand_out("diagnostics")
        return f',"diagnostics":[{diagnostics}]' if diagnostics else ""

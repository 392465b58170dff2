"""The execution of one workflow: what the messages from `start` to `advance` do to it and answer.

Who calls it: `ChildRun`, where the state table has allowed the message.

The way of one message that runs JavaScript: `_step` runs it to quiet inside a watchdog's step; what ends the
run is kept (`Standing`). Then queued calls and requests are handed out, and only a message that has nothing
to hand out raises the failure.

`run_line` and `advance_line` do what `start` and `advance` do, with a line that the prelude judges and reads
(`child/short_cut.py`): they differ in how its parts come to the prelude, and in nothing behind that.

Which requests are outstanding, the prelude alone knows. A message that fills the heap is carried out a second
time, above the engine (`abandon`), and must find its requests: the prelude forgets one only when it is
settled (`tests/child/test_heap.py::test_an_answer_that_fills_the_heap_ends_the_run`), and `advance` keeps in
`_turns` what is left of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from flowcage.child.engine.errors import JavaScriptError
from flowcage.child.sandbox.crossing import (
    BEFORE_ARGS,
    UsualLine,
    install,
    open_run,
    settle,
    settle_turn,
)
from flowcage.child.sandbox.evaluation import Evaluation
from flowcage.child.sandbox.failures import thrown_failure, unknown_request
from flowcage.child.sandbox.program import compile_workflow
from flowcage.child.sandbox.realm import Realm
from flowcage.child.sandbox.source import encoded
from flowcage.child.sandbox.standing import Standing
from flowcage.protocol import encode, strictjson
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.messages import MISSING, NO_MODULES, Dialect, Resolve, Run, Start, Started


class Execution(Standing):
    """One run. A method that carries out a message returns JSON text for its result, or raises `ErrorReply`.

    Args:
        realm: a realm that no workflow has run in; the execution owns it.
    """

    def __init__(self, realm: Realm) -> None:
        super().__init__(realm)
        self._evaluation: Evaluation | None = None
        self._turns: list[list[Resolve]] = []  # of an `advance` or a `replay`: what is left of it
        self._started = Started()
        self._message_prefix = ""  # before a failure's message, while something else than the workflow runs

    def start(self, message: Start | Run) -> str:
        """Install the globals and compile the source. No code of the workflow runs yet."""
        self._in_step(self._install_and_compile, message)
        if self._failure is not None:
            raise self._failure
        return strictjson.dumps(encode.started(self._started))

    def run_line(self, line: UsualLine) -> str | None:
        """Start the workflow of a `run`, and drain; None where the line is not in order."""
        is_in_order = self._in_step(self._open_and_compile, line)
        if self._failure is not None:
            raise self._failure
        return self.first_drain() if is_in_order else None

    def first_drain(self) -> str:
        """As `drain`, for a `run`: with what `start` has described."""
        drained, dialect = self.drain(), self._started.dialect
        return drained if dialect is MISSING else f'{drained[:-1]},"dialect":"{dialect}"}}'

    def poll(self) -> str:
        """Run to quiet and report one event: the oldest call, else the oldest request, else the state."""
        self._step()
        self._examine()
        if text := self._hand_out("nextCall"):
            return f'{{"type":"call","call":{text}}}'
        if text := self._hand_out("nextRequest"):
            return f'{{"type":"request","request":{text}}}'
        if self._failure is not None:
            raise self._failure
        if self._output is not None:
            return f'{{"type":"complete","output":{{"result":{self._output}}}}}'
        return f'{{"type":"pending","stalled":{json.dumps(self._is_stalled())}}}'

    def take(self) -> str:
        """Run to quiet and hand out every queued request, each once; calls stay queued."""
        self._step()
        self._examine()
        requests = self._hand_out("takeRequests")
        if self._failure is not None and not requests:
            raise self._failure
        return f'{{"requests":[{requests}]}}'

    def drain(self) -> str:
        """Run to quiet and hand out all calls and requests, with how the run stands."""
        self._step()
        return self._drained()

    def advance(self, turns: Sequence[Sequence[Resolve]]) -> str:
        """Settle the requests of each turn and run to quiet after it, until the run ends; then as `drain`."""
        self._turns = self._turns or list(map(list, turns))
        try:
            self._refuse_unknown(len(turns) - len(self._turns))
            while self._settle_turn() and self._turns:
                self._refuse_unknown(len(turns) - len(self._turns))
        finally:
            self._turns = []
        return self._drained()

    def advance_line(self, line: UsualLine) -> str | None:
        """As `advance`, for a line with one turn; None where it is not in order, and nothing was changed."""
        if self._is_over:
            return None
        self._turns = [[]]  # carried out again above the engine, it has nothing left to settle
        is_in_order = self._in_step(self._settle_and_run, line)
        if self._failure is not None:
            self._hand_out("forgetTurn")
        self._turns = []
        return self._drained() if is_in_order or self._failure is not None else None

    def sites(self) -> str:
        """Where the requests were made that are outstanding. No code of the workflow runs."""
        sites = self._hand_out("sites")
        if self._failure is not None:
            raise self._failure
        return f'{{"sites":[{sites}]}}'

    def _settle_and_run(self, line: UsualLine) -> bool:
        if not settle_turn(self._realm, line):
            return False
        self._run_on()
        return True

    def _refuse_unknown(self, turn: int) -> None:
        seen = set()
        for resolve in self._turns[0]:
            if resolve.id in seen or not self._is_outstanding(resolve.id):
                raise unknown_request(resolve.id, turn)
            seen.add(resolve.id)

    def _settle_turn(self) -> bool:
        """Carry out the next turn. Returns whether the run goes on."""
        while self._turns[0]:
            self._settle(self._turns[0][0])
            del self._turns[0][0]
        self._step()
        del self._turns[0]
        if self._turns:
            self._examine()
        return not self._is_over

    def resolve(self, message: Resolve) -> str:
        """Settle an outstanding request. No code of the workflow runs: it resumes at the next step."""
        if not self._is_outstanding(message.id):
            raise unknown_request(message.id)
        self._settle(message)
        return "{}"

    def _is_outstanding(self, identifier: str) -> bool:
        """Ask the prelude. Raises the failure of a run whose realm is gone, or lacks the memory to ask."""
        if not self._is_freed:
            try:
                return self._realm.is_outstanding(identifier)
            except JavaScriptError:
                self.fail(thrown_failure(self._realm.take_error(), ""))
        assert self._failure is not None
        raise self._failure

    def _settle(self, message: Resolve) -> None:
        if self._failure is None:
            self._in_step(settle, self._realm, message)
        if self._failure is not None and not self._is_freed:
            self._realm.forget(message.id)

    def abandon(self, failure: ErrorReply) -> ErrorReply:
        """End the run while the engine's frames below are left for good (`Realm.abandon`).

        Returns:
            The failure, which says what was being done if that was not the workflow's own code.
        """
        self._output = None
        told = ErrorReply(failure.kind, self._message_prefix + failure.message, failure.data)
        self.fail(told)
        self._read_status()
        self._hand_out("forgetTurn")
        return told

    def _install_and_compile(self, message: Start | Run) -> None:
        self._message_prefix = BEFORE_ARGS
        install(self._realm, message)
        self._message_prefix = ""
        source = encoded(message.source)
        self._compile(source, message.source_name, message.dialect, message.describe, message.modules)

    def _open_and_compile(self, line: UsualLine) -> bool:
        if (opened := open_run(self._realm, line)) is None:
            return False
        self._compile(*opened)
        return True

    def _compile(
        self,
        source: bytes,
        name: str,
        dialect: Dialect,
        describe: bool,
        modules: Mapping[str, str] = NO_MODULES,
    ) -> None:
        program = compile_workflow(self._realm, source, name, dialect, modules)
        if describe:
            self._started = program.described()
        self._evaluation = Evaluation(self._realm, program)

    def _step(self) -> None:
        """Run to quiet, unless the run is over. What ends it is kept in `_failure` or `_output`."""
        if self._is_over:
            return
        self._in_step(self._run_on)

    def _run_on(self) -> None:
        self._is_examined = False
        assert self._evaluation is not None
        self._output = self._evaluation.advance()

"""Runs whose id the caller chose: asking for one that goes on is waiting for it.

A caller that does not know whether its first request arrived asks again under the same id, and nothing is run
twice. An id is remembered while its run goes on, and no longer: `NamedRuns` is no store. It belongs to who
asked first. Where that caller is cancelled, so is the run, and those who joined it get `RunCancelled`.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import trio

from flowcage.host.outcome.errors import RunCancelled
from flowcage.host.outcome.report import Outcome
from flowcage.host.resume.new.ceilings import NO_CEILINGS, Ceilings
from flowcage.host.resume.reuse.forks import Fork
from flowcage.host.resume.sleep.asleep import Asleep
from flowcage.host.run.arguments import require_run_id, require_workflow
from flowcage.host.run.asking.answering import Answerer
from flowcage.host.run.options import RunOptions
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json, Missing

DEFAULT_TENANT = "default"


class RunIdInUse(ValueError):
    """Another run has the id that was given for one."""

    def __init__(self, run_id: str | None, by: str) -> None:
        super().__init__(f"run_id {run_id!r} is already in use{by}")


class Submission(NamedTuple):
    """What is to be run.

    Attributes:
        run_id: that the caller chose; None for a new one.
        answerer: answers the requests in place of the options' handlers.
        resumes: whether it is a run of the host's store, which has its source and args.
        even_if_cancelled: whether such a run goes on although it was cancelled by request.
        after: what its life before told, where it was this host's.
        fork: the run whose answers it reuses, with its own source and args.
        is_trial: whether nobody is asked, to see what is reused.
        is_left: whether the end of the host leaves it to whoever takes it up.
        ceilings: on the limits of a run that is gone on with.
    """

    tenant: str
    source: str
    source_name: str
    args: Json
    options: RunOptions
    run_id: str | None = None
    answerer: Answerer | None = None
    resumes: bool = False
    even_if_cancelled: bool = False
    after: Asleep | None = None
    fork: Fork | None = None
    is_trial: bool = False
    is_left: bool = False
    ceilings: Ceilings = NO_CEILINGS

    def woken(self, asleep: Asleep) -> Submission:
        """The same run, to be gone on with."""
        return self._replace(
            source="", args=None, run_id=asleep.run_id, resumes=True, after=asleep.bare(), fork=None
        )


def submission(
    tenant: str,
    source: str,
    source_name: str,
    args: Json | Missing,
    options: RunOptions,
    run_id: str | None,
) -> Submission:
    """Check what `Host.run` was given.

    Raises:
        TypeError, ValueError: one of the arguments is wrong.
    """
    require_workflow(source, source_name, args, tenant)
    if run_id is not None:
        require_run_id(run_id)
    return Submission(tenant, source, source_name, {} if isinstance(args, Missing) else args, options, run_id)


class NamedRuns:
    """Those of one host that go on. No tenant can take another's id, or wait for its run."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], _NamedRun] = {}

    async def join(self, asked: Submission) -> Outcome | None:
        """Wait for the run with this id; None where none goes on.

        Raises:
            ValueError: the run is another one.
            FlowcageError: whatever ended it.
        """
        run = None if asked.run_id is None else self._runs.get((asked.tenant, asked.run_id))
        return None if run is None else await run.join(asked)

    async def carry_out(self, asked: Submission, job: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Run a new one.

        Raises:
            ValueError: its id is in use.
            FlowcageError: the job's own.
        """
        if asked.run_id is None:
            return await job()
        key = (asked.tenant, asked.run_id)
        if key in self._runs:
            raise RunIdInUse(asked.run_id, ": that run goes on")
        run = self._runs[key] = _NamedRun(asked)
        try:
            run.outcome = await job()
            return run.outcome
        except Exception as error:
            run.error = error
            raise
        finally:
            del self._runs[key]
            run.over.set()


class _NamedRun:
    def __init__(self, asked: Submission) -> None:
        self.over = trio.Event()
        self.outcome: Outcome | None = None
        self.error: Exception = RunCancelled("the caller that began it was cancelled")
        self._asked = _identity(asked)

    async def join(self, asked: Submission) -> Outcome:
        for name, value in _identity(asked).items():
            if self._asked[name] != value:
                raise RunIdInUse(asked.run_id, f" for another {name}")
        await self.over.wait()
        if self.outcome is None:
            raise copy.copy(self.error) from self.error  # each caller adds to the traceback of its own
        return self.outcome


def _identity(asked: Submission) -> dict[str, str]:
    """What makes two runs the same; the args as a digest, since the caller may change them meanwhile."""
    args = strictjson.dumps(asked.args).encode("utf-8", "surrogatepass")
    modules = strictjson.dumps(dict(asked.options.modules)).encode("utf-8", "surrogatepass")
    return {
        "source": asked.source,
        "source_name": asked.source_name,
        "args": hashlib.sha256(args).hexdigest(),
        "modules": hashlib.sha256(modules).hexdigest(),
    }

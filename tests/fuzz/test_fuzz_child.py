"""Whatever a host or a workflow does, the child answers each request once, well framed, and serves on.

FLOWCAGE_FUZZ_EXAMPLES sets how many examples each of these tests tries, new ones each time. Without it the
suite tries a few, always the same; `make test-thoroughly` sets it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any, TypeAlias

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flowcage.protocol.errors import RUN_FAILURES
from flowcage.schemas import validate

from ..child.child_process import COMMAND, DEADLINE_S
from .messages import ODD, Expected, expected, lines, request
from .programs import damaged, hostile, programs, token_soup

EXAMPLES = int(os.environ.get("FLOWCAGE_FUZZ_EXAMPLES", "20"))
DEFAULT_MAX_BYTES = 8 * 1024 * 1024

fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


def replies_to(data: bytes) -> list[bytes]:
    """The lines that a child replies to `data`, after which it must leave with status 0 and in silence."""
    done = subprocess.run(COMMAND, input=data, capture_output=True, timeout=DEADLINE_S, check=False)
    assert (done.returncode, done.stderr) == (0, b""), (done.returncode, done.stderr, done.stdout[-500:])
    *replies, rest = done.stdout.split(b"\n")
    assert rest == b"", rest[-500:]
    return replies


class Reader:
    """Checks replies one by one against the lines they belong to."""

    def __init__(self) -> None:
        self._max_bytes = DEFAULT_MAX_BYTES
        self._failure: dict[str, Any] | None = None
        self._is_over = False

    def check(self, data: bytes, replies: list[bytes]) -> None:
        """Assert that each line has its reply, and that nothing else was said."""
        left = iter(replies)
        for line in data.split(b"\n")[:-1]:
            wanted = expected(line, self._max_bytes)
            if wanted.is_answered:
                self._check_reply(wanted, left)
            if wanted.is_last:
                break
        assert list(left) == []

    def _check_reply(self, wanted: Expected, left: Iterator[bytes]) -> None:
        text = next(left)
        assert len(text) <= self._max_bytes
        reply = json.loads(text.decode())
        assert reply.pop("jsonrpc") == "2.0"
        identifier = reply.pop("id")
        assert (type(identifier), identifier) == (type(wanted.id), wanted.id), text[:500]
        [(outcome, value)] = reply.items()
        if outcome == "error":
            self._check_error(wanted, value)
        else:
            self._check_result(wanted, outcome, value)

    def _check_error(self, wanted: Expected, error: dict[str, Any]) -> None:
        assert validate.error_error(error) is None, (validate.error_error(error), error)
        kind = error["data"]["kind"]
        assert kind != "internal", error
        if kind in RUN_FAILURES and wanted.method != "check":
            assert self._failure in (None, error), "a failed run repeats its failure"
            self._failure = error
            # `take` tells of the failure too, and leaves the calls before it to the next poll or drain.
            self._is_over = self._is_over or wanted.method != "take"

    def _check_result(self, wanted: Expected, outcome: str, result: Any) -> None:
        assert outcome == "result"
        assert wanted.method is not None, result
        assert validate.result_error(wanted.method, result) is None, result
        assert not self._is_over or wanted.method in ("resolve", "shutdown"), "a failed run stays failed"
        if wanted.method == "initialize":
            self._max_bytes = result["maxMessageBytes"]


def converse(*sent: bytes) -> None:
    """Throw lines at a fresh child, shut it down, and check all that it replied."""
    data = b"\n".join([*sent, request("the end", "shutdown", {})]) + b"\n"
    Reader().check(data, replies_to(data))


SMALL_LIMITS = st.fixed_dictionaries(
    {"stepTimeoutMs": st.sampled_from([20, 60])},
    optional={
        "memoryBytes": st.sampled_from([2**19, 2**20, 2**22, 2**24]),
        "stackBytes": st.sampled_from([2**15, 2**18, 2**22]),
        "maxPendingRequests": st.sampled_from([1, 50]),
        "maxQueuedBytes": st.sampled_from([100, 100_000]),
        "maxMessageBytes": st.sampled_from([500, 50_000]),
        "maxSleepMs": st.just(10),
        "cpuSeconds": st.just(5),
    },
)
RESOLUTIONS: list[dict[str, Any]] = [
    {"type": "ok", "value": {"then": None, "__proto__": [1], "toJSON": "\ud800"}},
    {"type": "ok", "value": None, "budget": {"total": 5, "spent": 9}},
    {"type": "ok_undefined"},
    {"type": "error", "message": "refused\0\n"},
]
Step: TypeAlias = tuple[str, dict[str, Any]]
SETTLEMENTS = st.fixed_dictionaries(
    {"id": st.sampled_from(["1", "2", "3"]), "resolution": st.sampled_from(RESOLUTIONS)}
)
TURNS = st.lists(st.lists(SETTLEMENTS, min_size=1, max_size=3), min_size=1, max_size=2)
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.sampled_from([("drain", {}), ("poll", {}), ("take", {})]),
    st.tuples(st.just("resolve"), SETTLEMENTS),
    st.tuples(st.just("advance"), st.fixed_dictionaries({"turns": TURNS})),
)


@fuzz
@given(
    source=st.one_of(hostile(), hostile(), damaged(), token_soup(), programs()),
    dialect=st.sampled_from(["auto", "auto", "module", "script"]),
    limits=SMALL_LIMITS,
    steps=st.lists(STEPS, min_size=1, max_size=8),
    checks=st.booleans(),
    begins=st.sampled_from(["start", "run"]),
)
def test_no_program_makes_the_child_fall_silent_or_die(
    source: str, dialect: str, limits: dict[str, int], steps: list[Step], checks: bool, begins: str
) -> None:
    begin = {"source": source, "dialect": dialect}
    messages: list[Step] = [("initialize", {"protocolVersion": "1.0", "limits": limits})]
    messages += [("check", begin)] if checks else []
    messages += [(begins, begin), *steps, ("drain", {}), ("drain", {})]
    converse(*(request(number, method, params) for number, (method, params) in enumerate(messages)))


INITIALIZE = request("first", "initialize", {"protocolVersion": "1.0", "limits": {"stepTimeoutMs": 60}})


@fuzz
@given(begun=st.booleans(), sent=st.lists(lines(), min_size=5, max_size=40))
@example(begun=False, sent=ODD)
@example(begun=True, sent=ODD)
def test_each_line_that_is_a_request_gets_one_reply_and_no_other_does(begun: bool, sent: list[bytes]) -> None:
    converse(*[INITIALIZE][: int(begun)], *sent)

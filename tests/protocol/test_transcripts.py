"""The golden transcripts, said again to a child: however its bytes come, it answers as it did."""

from __future__ import annotations

import json
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from flowcage.protocol import envelope
from flowcage.protocol.envelope import Failure, Incoming, Result
from flowcage.protocol.errors import CODES, RUN_FAILURES
from flowcage.schemas import validate
from tools.golden import record

from .transcripts import FOLDER, Answers, Transcript, load, replay

PATHS = sorted(FOLDER.glob("*.jsonl"))
UNFINISHED = b'{"jsonrpc":"2.0","id":99,"method":"drain"'


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def transcript(request: pytest.FixtureRequest) -> Transcript:
    return load(request.param)


def expected(transcript: Transcript) -> Answers:
    return Answers(b"".join(transcript.said_by("child")), left=True)


def test_whole(transcript: Transcript) -> None:
    assert replay([b"".join(transcript.said_by("host"))]) == expected(transcript)


def test_line_by_line(transcript: Transcript) -> None:
    assert replay(transcript.said_by("host")) == expected(transcript)


def test_byte_by_byte(transcript: Transcript) -> None:
    host = b"".join(transcript.said_by("host"))
    assert replay(host[at : at + 1] for at in range(len(host))) == expected(transcript)


def test_each_line_with_half_of_the_next(transcript: Transcript) -> None:
    lines = [b"", *transcript.said_by("host"), b""]
    pieces = [a[len(a) // 2 :] + b[: len(b) // 2] for a, b in pairwise(lines)]
    assert replay(piece for piece in pieces if piece) == expected(transcript)


def test_with_trailing_data_after_the_last_line(transcript: Transcript) -> None:
    host = b"".join(transcript.said_by("host"))
    assert replay([host + UNFINISHED + b"}\n" + UNFINISHED]) == expected(transcript)


def test_cut_off_before_the_last_line(transcript: Transcript) -> None:
    *complete, last = transcript.said_by("host")
    assert last.find(b'"shutdown"') > 0
    answers = [line for line in transcript.said_by("child") if line != _answer_to(last)]
    assert replay([*complete, last[:-1], b""]) == Answers(b"".join(answers), left=True)


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are listed in /proc")
def test_a_session_leaves_the_descriptors_of_its_process_as_they_are() -> None:
    before = descriptors()
    assert replay(load(FOLDER / "module.jsonl").said_by("host")).left
    assert descriptors() == before


def descriptors() -> dict[str, str]:
    """What this process has open, by number."""
    folder = Path("/proc/self/fd")
    return {
        number: os.readlink(folder / number) for number in os.listdir(folder) if (folder / number).exists()
    }


def _answer_to(line: bytes) -> bytes:
    incoming = envelope.parse_request(line)
    assert isinstance(incoming, Incoming)
    return b"" if incoming.id is None else envelope.result(incoming.id, "{}")


def test_every_answer_fits_its_published_schema(transcript: Transcript) -> None:
    requests = [envelope.parse_request(line) for line in transcript.said_by("host")]
    asked = {request.id: request.method for request in requests if isinstance(request, Incoming)}
    for line in transcript.said_by("child"):
        reply = envelope.parse_reply(line)
        if isinstance(reply, Result):
            assert validate.result_error(asked[reply.id], reply.result) is None
        else:
            assert validate.error_error(error_object(reply)) is None


def error_object(reply: Failure) -> dict[str, Any]:
    return {"code": reply.code, "message": reply.message, "data": reply.data}


def test_the_transcripts_hold_an_answer_of_each_kind_that_a_quiet_machine_can_give() -> None:
    replies = [envelope.parse_reply(line) for path in PATHS for line in load(path).said_by("child")]
    kinds = {reply.data["kind"] for reply in replies if isinstance(reply, Failure)}
    # Time, memory and the machine's own abilities are for the tests of the child.
    elsewhere = {"timeout", "memory", "stack", "isolation_unavailable", "internal"}
    assert kinds == CODES.keys() - elsewhere


def test_a_failed_run_repeats_its_failure_to_the_last_byte() -> None:
    for name in ("failure", "syntax", "missing-default", "serialization", "limit"):
        lines = load(FOLDER / f"{name}.jsonl").said_by("child")
        errors = [json.loads(line).get("error", {}) for line in lines]
        failures = [error for error in errors if error and error["data"]["kind"] in RUN_FAILURES]
        last = failures[-1]
        assert failures.count(last) >= 2, name


def test_recording_a_transcript_that_is_up_to_date_changes_nothing(tmp_path: Path) -> None:
    golden = FOLDER / "text.jsonl"
    copy = tmp_path / golden.name
    copy.write_bytes(golden.read_bytes())
    record(copy)
    assert copy.read_bytes() == golden.read_bytes()

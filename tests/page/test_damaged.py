"""A record with whatever a store lets through is refused, or comes to a document and its formats."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowcage.host.durable.errors import DamagedEntry
from flowcage.host.durable.records import Ending, RunRecord
from flowcage.host.page.fold import About
from flowcage.host.page.formats.writing import FORMATS, written
from flowcage.host.run.core.inputs import Compiled, Input, Opened, Said
from flowcage.protocol.messages import MISSING, WorkflowRequest

from ..protocol.strategies import json_values, texts
from ..resume.kept_runs import record_of
from .documents import record as recorded
from .pages import page_of
from .test_fold import made

TIMES = st.sampled_from([0, -(2**63), 2**63 - 1, 1_800_000_000_000])
FACTS = st.dictionaries(
    st.sampled_from(["model", "usage", "session_id", "worktree", "cached"]) | texts(), json_values()
)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    folder = tmp_path_factory.mktemp("damaged")
    made(folder)
    return record_of(folder / "runs.db")


def changes(given: Any) -> dict[str, st.SearchStrategy[Any]]:
    """What may stand in an input, as the codec reads it."""
    by_name = {
        "facts": FACTS,
        "value": json_values(),
        "result": json_values(),
        "message": texts(),
        "text": texts() | st.none(),
        "source_name": texts(),
        "id": texts(),
        "path": texts(),
        "diagnostics": st.lists(
            st.fixed_dictionaries({"kind": texts(), "message": json_values()}), max_size=2
        ),
    }
    return {name: values for name, values in by_name.items() if name in given._fields}


@st.composite
def damaged(draw: st.DrawFn, record: RunRecord) -> RunRecord:
    entries = list(record.entries)
    index = draw(st.integers(0, len(entries) - 1))
    given = entries[index].input
    if known := changes(given):
        name = draw(st.sampled_from(sorted(known)))
        entries[index] = entries[index]._replace(input=given._replace(**{name: draw(known[name])}))
    what = draw(st.sampled_from(["", "drop", "twice", "cut"]))
    if what == "cut":
        entries = entries[:index]
    elif what:
        entries[index : index + 1] = [entries[index]] * (2 if what == "twice" else 0)
    ending = draw(
        st.none() | st.builds(Ending, texts(), json_values() | st.just(MISSING), json_values(), st.none())
    )
    summary = record.summary._replace(
        state=draw(st.sampled_from(["ended", "running", "asleep", "queued", "diverged"])),
        verdict=draw(st.none() | texts()),
        created_at=draw(TIMES),
        updated_at=draw(TIMES),
        wake_at=draw(st.none() | TIMES),
        forked_from=draw(st.none() | texts()),
    )
    root = record.workflows[""]._replace(source=draw(texts()), args=draw(st.none() | texts()))
    return record._replace(entries=entries, ending=ending, summary=summary, workflows={"": root})


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_any_record_is_refused_or_is_a_document(record: RunRecord, data: st.DataObject) -> None:
    about = {"": About(data.draw(json_values()), data.draw(json_values()))}
    given = data.draw(damaged(record))
    try:
        page = page_of(given, about=about)
    except DamagedEntry:
        return
    for form in FORMATS:
        for full in (False, True):
            written(page, form, full=full).encode("utf-8", "backslashreplace")


def test_the_id_of_a_request_may_be_half_a_surrogate_pair() -> None:
    """JSON may have it, a child chooses ids, and the id of a child workflow's run is made from it."""
    inputs: list[Input] = [
        Opened("", "w.js"),
        Compiled("", "script"),
        Said("", (), (WorkflowRequest("\ud800", "kid"),)),
        Opened("\ud800", "kid.js", "\ud800"),
    ]
    page = page_of(recorded(inputs))

    assert [each["path"] for each in page["workflows"]] == ["", "\ud800"]
    for form in FORMATS:
        written(page, form).encode("utf-8", "backslashreplace")

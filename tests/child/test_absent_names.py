"""Names of other runtimes: absent, and what a workflow is told that uses one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .child_process import ChildProcess

ROOT = Path(__file__).parents[2]
LIST = (ROOT / "child" / "sandbox" / "prelude" / "4-absent.js").read_text(encoding="utf-8")
# Names that belong together, and what to do instead.
ROWS = [(names.split(), advice) for names, advice in re.findall(r"\['([^']+)',\s*'([^']+)'\],", LIST)]
ADVICE = {name: advice for names, advice in ROWS for name in names}
GLOBAL_NAMES = sorted(ADVICE.keys() - {"Math.random"})
GLOBALS = "the globals of a workflow are args, budget, agent, workflow, parallel, pipeline, phase, log, SW"

# What the ancestor of this runtime blocked, and what the page promises.
EXPECTED = set(
    re.findall(
        r"\S+",
        """
        Date performance WeakRef FinalizationRegistry eval Function AsyncFunction fetch XMLHttpRequest
        WebSocket EventSource navigator location Deno Bun process require Buffer __dirname __filename
        setTimeout console crypto structuredClone URL TextEncoder btoa Intl Uint8Array AbortController
        Math.random
        """,
    )
)


def test_the_list_holds_each_name_once_and_all_that_were_ever_blocked() -> None:
    names = [name for names, _ in ROWS for name in names]
    assert len(names) == len(set(names))
    assert set(names) >= EXPECTED


def test_the_page_shows_the_list() -> None:
    page = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (`.+`) \| (.+) \|$", page.split("## Absent names")[1].split("\n## ")[0], re.MULTILINE
    )
    assert [(re.findall(r"`([^`]+)`", names), advice) for names, advice in rows] == ROWS


def test_none_of_them_is_a_property_of_the_global_object(child: ChildProcess) -> None:
    source = """export default args.filter(
        (name) => typeof globalThis[name] !== 'undefined' || name in globalThis);"""
    assert child.result_of(source, args=GLOBAL_NAMES) == []


def test_typeof_finds_none_of_them_and_throws_for_none(child: ChildProcess) -> None:
    asked = ", ".join(f"typeof {name}" for name in GLOBAL_NAMES if name != "eval")
    assert set(child.result_of(f"export default [{asked}];")) == {"undefined"}


@pytest.mark.parametrize(
    "use", ["{name}.x", "{name}()", "new {name}()", "1 instanceof {name}", "{name}?.x", "void {name}"]
)
@pytest.mark.parametrize("name", ["Date", "process", "require", "fetch", "Buffer"])
def test_each_use_of_one_is_told_with_its_name_its_line_and_what_to_do(
    child: ChildProcess, name: str, use: str
) -> None:
    failure = child.failure_of(f"const a = 1;\n{use.format(name=name)};\nreturn a;")
    assert failure.data["message"] == f"{name} is not defined: {ADVICE[name]}; {GLOBALS}"
    assert failure.message.endswith(failure.data["message"])
    assert "workflow.js:2:" in failure.data["stack"]


@pytest.mark.parametrize("names", [names for names, _ in ROWS], ids=lambda names: names[0])
def test_every_one_of_them_is_told_so(child: ChildProcess, names: list[str]) -> None:
    source = f"""export default parallel([
        {", ".join(f"() => {name}.x ?? {name}()" for name in names)}
    ]);"""
    child.start(source)
    notes = [note for note in child.drain()["diagnostics"] if note["kind"] == "swallowed_error"]
    assert len(notes) == len(names)
    for note, name in zip(notes, names, strict=True):
        said = "Math.random is disabled" if name == "Math.random" else f"{name} is not defined"
        assert note["error"]["message"].startswith(f"{said}: {ADVICE[name]}")
        assert f"{said}: {ADVICE[name]}" in note["message"]


@pytest.mark.parametrize(
    "source",
    [
        "Promise.reject(new ReferenceError('Date is not defined')); export default 1",
        "const f = async () => Date.now(); f(); export default 1",
        "queueMicrotask(() => { Date.now(); }); export default 1",
    ],
)
def test_a_note_on_such_an_error_says_what_to_do_too(child: ChildProcess, source: str) -> None:
    child.start(source)
    (note,) = child.drain()["diagnostics"]
    assert f"Date is not defined: {ADVICE['Date']}" in note["message"]


def test_a_workflow_may_define_such_a_name_for_itself(child: ChildProcess) -> None:
    source = "globalThis.Date = { now: () => 7 }; const process = { env: {} }; return [Date.now(), process];"
    assert child.result_of(source) == [7, {"env": {}}]


@pytest.mark.parametrize("message", ["Date is not defined yet", "Date", "mine"])
def test_other_messages_of_a_reference_error_are_left_as_they_are(child: ChildProcess, message: str) -> None:
    failure = child.failure_of(f"throw new ReferenceError('{message}'); export default 1")
    assert failure.data["message"] == message


def test_the_engines_own_eval_is_gone_for_good(child: ChildProcess) -> None:
    source = """
        globalThis.eval = (text) => `mine: ${text}`;
        return [eval("1 + 1"), (0, eval)("1")];
    """
    assert child.result_of(source) == ["mine: 1 + 1", "mine: 1"]

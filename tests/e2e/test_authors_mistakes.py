"""What a person reads who made one of the common mistakes: the name, the line, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from .command import flowcage

META = "export const meta = { name: 'm', description: 'd' };\n"
ECHO = ("--agent", "echo")

# source, the place and the message that `run` shows
RUNS = {
    "Date": (
        f"{META}const now = new Date(args.now);\nreturn now;",
        ":2:",
        "Date is not defined: a workflow has no clock; pass the time in args",
    ),
    "require": (
        f"{META}const fs = require('fs');\nreturn fs;",
        ":2:",
        "require is not defined: a workflow has no packages",
    ),
    "a dynamic import": (
        f"{META}const {{ R }} = await import('./lib/rules.mjs');\nreturn R;",
        ":2:28",
        'workflow imports are restricted: "./lib/rules.mjs" is neither',
    ),
    "parallel of calls": (
        f"{META}return await parallel(agent('left'), agent('right'));",
        ":2:",
        "takes an array of functions, not a promise; pass functions, such as [() => agent",
    ),
    "a symbol": (
        f"{META}return Symbol('x');",
        "",
        "workflow result cannot be serialized: a symbol has no JSON",
    ),
}


@pytest.mark.parametrize(("source", "place", "message"), RUNS.values(), ids=RUNS)
def test_a_run_that_fails_tells(tmp_path: Path, source: str, place: str, message: str) -> None:
    path = tmp_path / "w.js"
    path.write_text(source)
    finished = flowcage("run", path, *ECHO)
    assert (finished.status, finished.json["verdict"]) == (1, "failed")
    assert message in finished.stderr
    assert f"w.js{place}" in finished.stderr or not place
    assert finished.json["error"].get("place", "").startswith(f"w.js{place}" if place else "")


# source, the place, the message, and what stands under the caret
REFUSED = {
    "a meta with a variable": (
        "const MODEL = 'large';\n\nexport const meta = {\n  phases: [{ title: 'Argue', model: MODEL }],\n};\n"
        "phase('Argue');\nreturn await agent('argue');",
        ":4:37: SyntaxError: meta must be a literal",
        "MODEL",
    ),
    "a title that is no text": (
        "export const meta = { phases: [{ title: 1 }] };\nreturn 1;",
        ":1:41: SyntaxError: meta.phases[0].title must be a string, not a number",
        "1 }]",
    ),
    "TypeScript": (
        f"{META}interface Finding {{ file: string }}\nreturn 1;",
        ":2:1: SyntaxError: this is TypeScript, not JavaScript: `interface Finding",
        "interface",
    ),
    "a static import": (
        "import { RULES } from 'rules';\nexport default async () => agent(RULES.join());",
        ':1:23: workflow imports are restricted: "rules"',
        "'rules",
    ),
    "a name that is not there": (
        "import { wait } from 'workflow:extra';\nreturn 1;",
        ":1:10: Could not find export 'wait'",
        "wait }",
    ),
    "an unclosed call": (
        'return await agent("x"',
        ":1:23: SyntaxError: unexpected end of the source; a bracket is not closed",
        "",
    ),
}


@pytest.mark.parametrize(("source", "message", "under"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("command", ["run", "check"])
def test_run_and_check_refuse_alike_with_line_and_caret(
    tmp_path: Path, source: str, message: str, under: str, command: str
) -> None:
    path = tmp_path / "w.js"
    path.write_text(source)
    finished = flowcage(command, path)
    assert finished.status == 1
    if command == "run":
        head, line, caret = finished.stderr.rstrip("\n").split("\n")[-4:-1]  # then how long it took
        assert f"w.js{message}" in head
    else:
        head, line, caret, _ = finished.stdout.rstrip("\n").split("\n")
        place, _, what = message.partition(": ")
        assert f"w.js{place}: error: {what.removeprefix('SyntaxError: ')}" in head
    assert line[caret.index("^") :].startswith(under)


NO_DEFAULT = {
    "an exported function": (
        f"{META}export async function run() {{}}",
        "it exports only run: add `export default run;`",
    ),
    "nothing": ("", "it exports nothing that could be one: end it with `return"),
}


@pytest.mark.parametrize(("source", "message"), NO_DEFAULT.values(), ids=NO_DEFAULT)
@pytest.mark.parametrize("command", ["run", "check"])
def test_run_and_check_miss_the_same_default(tmp_path: Path, source: str, message: str, command: str) -> None:
    path = tmp_path / "w.js"
    path.write_text(source)
    finished = flowcage(command, path)
    assert finished.status == 1
    assert message in (finished.stderr if command == "run" else finished.stdout)


@pytest.mark.parametrize("column", [1, 60, 61, 121, 500, 5000])
def test_an_excerpt_of_a_long_line_is_marked_where_it_is_cut(tmp_path: Path, column: int) -> None:
    path = tmp_path / "w.js"
    path.write_text("x" * (column - 1) + "\0" + "y" * (5000 - column))
    line, caret = flowcage("check", path).stdout.rstrip("\n").split("\n")[-3:-1]
    shown = line.removeprefix("  ")
    assert len(shown) <= 122
    assert shown.startswith("…") == (column > 61)
    assert shown.endswith("…") == (column < 4941)
    assert set(shown.strip("…")) <= {"x", "y", " "}
    before = shown[: caret.index("^") - 2].strip("…")
    assert set(before) <= {"x"}
    assert shown[caret.index("^") - 2] == " "


NOTES = {
    "a Set": (
        "return { seen: new Set(['a']) };",
        "note: result.seen is a Set and crosses as {}: use [...set]",
    ),
    "NaN": ("return { average: 0 / 0 };", "note: result.average is NaN and crosses as null"),
    "a promise in a prompt": (
        "const a = agent('one');\nreturn await agent(`Sum up ${a}`);",
        "holds '[object Promise]': await it first",
    ),
    "an async main": (
        "async function main() { return await agent('x'); }\nmain();",
        "nothing waits for the async main(); write `return await main();`",
    ),
}


@pytest.mark.parametrize(("body", "note"), NOTES.values(), ids=NOTES)
def test_a_run_that_succeeds_notes(tmp_path: Path, body: str, note: str) -> None:
    path = tmp_path / "w.js"
    path.write_text(META + body)
    finished = flowcage("run", path, *ECHO)
    assert finished.status == 0, finished.stderr
    assert note in finished.stderr


def test_no_stack_in_a_result_tells_of_flowcages_own_frames(tmp_path: Path) -> None:
    path = tmp_path / "w.js"
    path.write_text(
        f"{META}return await parallel([() => new Error('x').stack, async () => new Error().stack]);"
    )
    finished = flowcage("run", path)
    assert all("w.js:2:" in stack and "flowcage:" not in stack for stack in finished.json["result"])

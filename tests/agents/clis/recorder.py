"""A program that calls the real `claude` or `codex`, and writes down what it does as it does it.

It is run with ``python -I``, and imports nothing of ours. FLOWCAGE_REAL is the real program, FLOWCAGE_TAPE a
folder for files ``N.call.json``, ``N.stdout`` and ``N.end.json``; the last is missing where it was killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

_OF_INTEREST = ('"token_count"', '"turn_context"')


def main() -> None:
    """Call the real program."""
    folder, real = Path(os.environ["FLOWCAGE_TAPE"]), os.environ["FLOWCAGE_REAL"]
    number = len(list(folder.glob("*.call.json")))
    stdin = sys.stdin.buffer.read()
    call = {"arguments": sys.argv[1:], "stdin": stdin.decode()}
    (folder / f"{number}.call.json").write_text(json.dumps(call))
    with (folder / f"{number}.stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [real, *sys.argv[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr
        )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(stdin)
    process.stdin.close()
    with (folder / f"{number}.stdout").open("wb") as stdout:
        for line in process.stdout:
            stdout.write(line)
            stdout.flush()
            sys.stdout.buffer.write(line)
            sys.stdout.flush()
    status = process.wait()
    error = (folder / f"{number}.stderr").read_text()
    sys.stderr.write(error)
    (folder / f"{number}.end.json").write_text(
        json.dumps({"status": status, "stderr": error, "stored": _stored()})
    )
    sys.exit(status)


def _stored() -> dict[str, list[str]]:
    """The lines of conversations that are of interest, by path in the home."""
    home = Path(os.environ["HOME"])
    return {
        str(path.relative_to(home)): [
            line for line in path.read_text().splitlines() if any(each in line for each in _OF_INTEREST)
        ]
        for path in home.glob(".codex/sessions/*/*/*/*.jsonl")
    }


if __name__ == "__main__":
    main()

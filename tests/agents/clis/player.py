"""A program that is called as `claude` or `codex` is, and does what these did in a transcript.

It is run with ``python -I``, and imports nothing of ours. FLOWCAGE_TAPE is a folder with the transcript as
``tape.json``; each run adds to ``runs.jsonl`` there how it was called, and takes the transcript's next run.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Do what the program did in the next run."""
    folder = Path(os.environ["FLOWCAGE_TAPE"])
    calls = folder / "runs.jsonl"
    number = len(calls.read_text().splitlines()) if calls.exists() else 0
    run = json.loads((folder / "tape.json").read_text())["runs"][number]
    call = {"arguments": sys.argv[1:], "stdin": sys.stdin.buffer.read().decode(), "folder": os.getcwd()}
    call["variables"] = dict(os.environ)
    with calls.open("a") as file:
        file.write(json.dumps(call) + "\n")
    for path, lines in run.get("stored", {}).items():
        stored = Path(os.environ["HOME"], path)
        stored.parent.mkdir(parents=True, exist_ok=True)
        stored.write_text("".join(f"{line}\n" for line in lines))
    sys.stderr.write(run["stderr"])
    sys.stderr.flush()
    for line in run["stdout"]:
        sys.stdout.buffer.write(line.encode("utf-8", "surrogateescape") + b"\n")
    sys.stdout.flush()
    _end(run["status"])


def _end(status: int | None) -> None:
    if status is None:  # it was ended from outside
        while True:
            signal.pause()
    if status < 0:
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()

"""Carries out the scripts that docs/performance.md names: prints their tables, or writes them into the page.

    python bench/report.py [--write] [--only WORDS]

The page has each table between ``<!-- bench/NAME.py ARGUMENTS -->`` and ``<!-- end -->``: the first line is
the command that makes the table, so no table is there without its script. What is no Markdown is fenced. A
script that fails stops the report; what was measured by then is written.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
_TABLE = re.compile(
    r"(?P<begin><!-- (?P<command>bench/\S+\.py[^>]*?) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)


def commands(page: str) -> list[str]:
    """The commands that the page names, in its order."""
    return [found["command"] for found in _TABLE.finditer(page)]


def with_output(page: str, command: str, output: str) -> str:
    """The page with what a command printed in the place of its table."""

    def filled(found: re.Match[str]) -> str:
        if found["command"] != command:
            return found[0]
        is_markdown = "\n| ---" in output
        text = f"\n{output}\n\n" if is_markdown else f"\n```text\n{output}\n```\n\n"
        return f"{found['begin']}{text}{found['end']}"

    return _TABLE.sub(filled, page)


def carry_out(command: str) -> str:
    """What a command prints, without the line ends around it."""
    words = shlex.split(command)
    done = subprocess.run((sys.executable, *words), cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip("\n")


def main() -> None:
    """Print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    parser.add_argument("--only", default="", help="only commands with these words")
    given = parser.parse_args()
    for command in commands(PAGE.read_text()):
        if given.only not in command:
            continue
        print(f"\n$ python {command}", flush=True)
        output = carry_out(command)
        print(output, flush=True)
        if given.write:
            PAGE.write_text(with_output(PAGE.read_text(), command, output))


if __name__ == "__main__":
    main()

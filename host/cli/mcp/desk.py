"""What the tools work on, and the words of the commands that they carry out."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from flowcage.host.cli.mcp.starts import Starts
from flowcage.host.cli.mcp.terms import Terms
from flowcage.host.cli.names.places import hits
from flowcage.host.durable.address import StorePlace
from flowcage.host.page.sources import Sources
from flowcage.host.ui.api.kept import KeptRuns
from flowcage.host.ui.api.problems import Problem
from flowcage.host.ui.api.program import Program
from flowcage.host.ui.api.resuming import Resuming
from flowcage.host.workflows.names import is_name
from flowcage.protocol import strictjson

# Of `run`, which a tool may set, beside the ceiling on costs. Who answers agent() is none of them: that could
# be any program, by `command:CMD`.
_OPTIONS = {
    "budget": "--budget",
    "maxAgents": "--max-agents",
    "maxTotalAgents": "--max-total-agents",
    "timeoutSeconds": "--timeout",
}


class Desk(NamedTuple):
    """Of one server.

    Attributes:
        runs: that can be looked at.
        program: the command.
        resuming: goes on with runs.
        sources: of workflows that were read.
        store: file of the runs.
        terms: of all runs.
        starts: bound on those that go on.
        queue: pool of workers that carry out what is begun; None where that is done here.
    """

    runs: KeptRuns
    program: Program
    resuming: Resuming
    sources: Sources
    store: StorePlace
    terms: Terms
    starts: Starts
    queue: str | None = None

    def require_begins(self) -> None:
        """Refuse to begin what would not be seen here. Raises `Problem`."""
        self.runs.require_acts()
        if self.runs.tenant and self.queue is None:  # a run of the command is of the tenant ""
            shown = f"this server shows the runs of tenant {self.runs.tenant!r} alone"
            raise Problem(403, f"{shown}, and what it begins would be none; start one without --tenant")

    def workflow(self, given: dict[str, Any]) -> tuple[str, bytes]:
        """The workflow of a tool as a word of a command, and what that gets on stdin."""
        source, word = given.get("source"), given.get("workflow")
        if source is not None and word is None:
            return "-", source.encode()
        if word is None or source is not None:
            raise Problem(400, "expected one of workflow, a name or path, and source, the text of a script")
        return self._file(word), b""

    def _file(self, word: str) -> str:
        """A word for the command, which finds names by itself, and tells what is wrong with them."""
        if word == "-":
            raise Problem(400, "- is no workflow here; give the text of a script as source")
        if not is_name(word) or os.path.isfile(word) or not hits(word):
            self._require_readable(word)
        return word

    def _require_readable(self, path: str) -> None:
        """Refuse what is no file of the folder; there may be none. Raises `Problem`.

        A folder may have links that lead out of it, and a pipe holds up whoever reads it.
        """
        folder = self.terms.folder
        if "\0" in path or not Path(os.path.realpath(path)).is_relative_to(folder):
            raise Problem(403, f"{path[:200]!r} lies outside of {folder}, where workflows are read")
        if os.path.exists(path) and not os.path.isfile(path):
            raise Problem(400, f"{path[:200]!r} is no file; list_workflows tells what has a name here")

    def begin_words(self) -> list[str]:
        """The command that begins a run, without its options and its workflow."""
        if self.queue is None:
            return ["run", "--detach", "--quiet", "--no-prompt", f"--store={self.store}"]
        whose = [f"--tenant={self.runs.tenant}"] if self.runs.tenant else []
        return ["submit", "--json", f"--pool={self.queue}", *whose, f"--store={self.store}"]

    @contextmanager
    def run_words(self, given: dict[str, Any]) -> Iterator[list[str]]:
        """The options of a run that a tool asks for; its args stand in a file for the length of the block."""
        words = self.terms.words(given.get("maxCost"))
        words += [f"{option}={given[name]}" for name, option in _OPTIONS.items() if name in given]
        if "args" not in given:
            yield words
            return
        # The list of processes shows the words of a command to all users.
        with tempfile.TemporaryDirectory(prefix="flowcage-mcp-") as folder:
            file = Path(folder) / "args.json"
            file.write_text(strictjson.dumps(given["args"]))
            yield [*words, f"--args-file={file}"]

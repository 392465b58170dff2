"""A host program with the agent of docs/durable.md, in two lives.

    python -m tests.resume.sessions FOLDER PAGE

Its provider is a folder: a session is a file that outlives the host. The first life is killed between
`remember` and the answer; the second one goes on.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import trio

from flowcage import AgentAnswer, AgentCall, Host, RunOptions
from flowcage.host.durable.sqlite.store import SqliteStore

SOURCE = "export default [await agent('before'), await agent('long work'), await agent('after')]"


class Session:
    """One conversation."""

    def __init__(self, folder: Path, identifier: str) -> None:
        self.id = identifier
        self._file = folder / identifier

    def note(self, word: str, key: str) -> None:
        with self._file.open("a") as file:
            file.write(json.dumps([word, key]) + "\n")

    async def result(self) -> str:
        begun = [json.loads(line) for line in self._file.read_text().splitlines()]
        if begun[0][0] == "long work" and len(begun) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return f"<{begun[0][0]}>"


class Provider:
    """Keeps sessions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def begin(self, prompt: str, *, key: str) -> Session:
        session = Session(self._folder, f"session-{len(list(self._folder.iterdir()))}")
        session.note(prompt, key)
        return session

    async def attach(self, identifier: str, *, key: str) -> Session:
        session = Session(self._folder, identifier)
        session.note("attached", key)
        return session


def agent_of(page: Path, provider: Provider) -> Any:
    """The agent of the page."""
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    [code] = [each for each in blocks if "remember" in each]
    names: dict[str, Any] = {"AgentCall": AgentCall, "AgentAnswer": AgentAnswer, "provider": provider}
    exec(code, names)
    return names["answer"]


async def main(folder: Path, page: Path) -> None:
    (folder / "sessions").mkdir(exist_ok=True)
    agent = agent_of(page, Provider(folder / "sessions"))
    store = SqliteStore.open(folder / "runs.db")
    try:
        async with Host(store=store, options=RunOptions(agent=agent, timeout_seconds=120)) as host:
            is_new = not await store.runs()
            outcome = await (host.run(SOURCE, run_id="run") if is_new else host.resume("run"))
            print(json.dumps(outcome.result))
    finally:
        await store.aclose()


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), Path(sys.argv[2]))

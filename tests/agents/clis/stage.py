"""Where a program is called: a home, a folder to work in, a server, and few variables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import trio

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer, AgentUsage, Progress
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentError
from flowcage.host.agents.settings import AgentSettings

from ..servers import anthropic, openai
from ..servers.loopback import Server
from . import claude_situations, codex_situations
from .situation import Situation

SITUATIONS = {"claude": claude_situations.SITUATIONS, "codex": codex_situations.SITUATIONS}
USAGES = {"claude": claude_situations.USAGE, "codex": codex_situations.USAGE}
SERVERS = {"claude": anthropic.server, "codex": openai.server}
KEY = "key-0123456789-of-a-test"
DEADLINE_S = 300.0

_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE")
_CONFIG = """
model = "gpt-5"
model_provider = "loopback"

[model_providers.loopback]
name = "loopback"
base_url = "{url}/v1"
env_key = "LOOPBACK_API_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
"""


@dataclass(frozen=True)
class Stage:
    """The place of one situation.

    Attributes:
        program: "claude" or "codex".
        home, folder: of the program, and to work in.
        variables: all that the program gets.
        progress: what was told of its work.
    """

    program: str
    home: Path
    folder: Path
    variables: Mapping[str, str]
    progress: list[Progress]

    def ask(self, situation: Situation, idle_timeout_s: float | None = None) -> AgentAnswer | AgentError:
        """Ask, and before that once more where the situation continues a conversation."""
        settings = AgentSettings(DEADLINE_S, idle_timeout_s, situation.own)
        with only(_changed(self.variables, situation.environment)):
            session = None
            if situation.continues:
                first = self._ask(situation, settings, None)
                assert isinstance(first, AgentAnswer), first
                session = first.session_id
            return self._ask(situation, settings, session)

    def _ask(
        self, situation: Situation, settings: AgentSettings, session: str | None
    ) -> AgentAnswer | AgentError:
        agent: Agent = import_module(f"flowcage.host.agents.programs.{self.program}").make(None, settings)
        call = AgentCall(
            "1",
            situation.prompt,
            situation.options,
            folder=str(self.folder),
            watcher=self.progress.append,
            **({"session": session} | dict(situation.call)),
        )
        try:
            return trio.run(agent, call)
        except AgentError as error:
            return error


def set_up(program: str, place: Path, url: str, path: str | None = None) -> Stage:
    """Make the folders of a stage.

    Args:
        program: that is called.
        place: a new folder.
        url: of the server.
        path: PATH; None for that of this process.
    """
    home, folder = place / "home", place / "folder"
    for each in (home / ".codex", folder):
        each.mkdir(parents=True)
    (home / ".codex" / "config.toml").write_text(_CONFIG.format(url=url))
    variables = {name: os.environ[name] for name in _KEPT if name in os.environ} | {
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": KEY,
        "LOOPBACK_API_KEY": KEY,
        "CLAUDE_CODE_MAX_RETRIES": "0",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
    }
    return Stage(program, home, folder, variables | ({} if path is None else {"PATH": path}), [])


def play(stage: Stage, situation: Situation, server: Server) -> AgentAnswer | AgentError:
    """Ask with the real program, whose server does what the situation says."""
    if situation.happens is not None:
        situation.happens(server)
    return stage.ask(situation)


def require_expected(situation: Situation, outcome: AgentAnswer | AgentError, usage: AgentUsage) -> None:
    """Compare what came of a situation with what it says.

    Args:
        situation: that was.
        outcome: of it.
        usage: of one answer of the model.
    """
    spent = AgentUsage(*(each * situation.times for each in vars(usage).values()))
    assert (outcome.usage or AgentUsage()) == spent
    assert KEY not in str(outcome)
    if situation.error is None:
        assert isinstance(outcome, AgentAnswer), outcome
        assert outcome.value == situation.value
        assert outcome.session_id
        assert outcome.model
        return
    assert type(outcome) is situation.error, outcome
    for word in situation.words:
        assert word in str(outcome)


@contextmanager
def only(variables: Mapping[str, str]) -> Iterator[None]:
    """The environment of this process is this one for a while."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _changed(variables: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    together = {**variables, **changes}
    return {name: value for name, value in together.items() if value is not None}

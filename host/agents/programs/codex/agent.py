"""Runs the `codex` program for a call, and takes its answer."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import OptionNotHonoured
from flowcage.host.agents.form import prompt_of
from flowcage.host.agents.held import require_share
from flowcage.host.agents.honour import Examined, Examiner
from flowcage.host.agents.http.forms.subset import OPENAI, Narrowed, Outside, narrowed
from flowcage.host.agents.programs.cli import Cli, json_answer, latest_exit, require_followed
from flowcage.host.agents.programs.codex.failure import failure_of, refuses_schema
from flowcage.host.agents.programs.codex.rollout import Rollout, rollout_of
from flowcage.host.agents.programs.codex.stream import CodexStream, since
from flowcage.host.agents.programs.own_settings import OwnSettings
from flowcage.host.agents.redaction import redacted_json
from flowcage.host.agents.settings import AgentSettings
from flowcage.host.agents.trace import traced
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

NAME = "codex"
_INSTALL = "npm install -g @openai/codex"
_PROVIDERS = ("openai", "codex")
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_SANDBOXES = ("read-only", "workspace-write", "danger-full-access")
_SETTINGS = ("program", "sandbox", "config", "args")
# It takes names of conversations, too, which are not told from one another.
_SESSION = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def make(model: str | None, settings: AgentSettings) -> Agent:
    """Make the agent.

    Args:
        model: for calls that name none; None for the program's own default.
        settings: `own` has ``program``, ``sandbox``, ``config`` and ``args``.

    Raises:
        AgentSpecError: `own` has something else.
    """
    return _made(model, settings).answer


def examiner(model: str | None, settings: AgentSettings) -> Examiner:
    """What the agent makes of calls. Raises AgentSpecError as `make`."""
    return _made(model, settings).examined


def _made(model: str | None, settings: AgentSettings) -> _Codex:
    own = OwnSettings(NAME, settings.own, _SETTINGS)
    flags = [f"--sandbox={own.text('sandbox', _SANDBOXES) or 'read-only'}"]
    flags += [f"--config={each}" for each in own.texts("config")]
    cli = Cli(NAME, own.text("program") or NAME, _INSTALL)
    return _Codex(cli, model, settings, (*flags, *own.texts("args")))


def found() -> str | None:
    """Path and version of the program; None where it is not in PATH."""
    return Cli(NAME, NAME, _INSTALL).found()


@dataclass(frozen=True)
class _Codex:
    cli: Cli
    model: str | None
    settings: AgentSettings
    flags: tuple[str, ...]

    async def answer(self, call: AgentCall) -> AgentAnswer:
        """Run the program for one call.

        Raises:
            OptionNotHonoured: the call has an option that the program does not follow.
            AgentsUnavailable: it is not there, too old, or its account cannot be used.
            AgentError: it has no answer.
            WrongAnswer: it has none by the call's schema.
        """
        self.examined(call)
        # It has no limit of its own, and tells what it has spent at its end.
        require_share(call, f"agent {NAME!r}", usd=None, tokens=None)
        form = _form(call)
        before = await _stored(call.session)
        told, end = await self._ask(call, form)
        if form is not None and refuses_schema(told):
            form = None
            told, end = await self._ask(call, form)
        spent = await self._spent(call, told, before)
        text = told.text
        if told.failure is not None or not told.is_done or text is None or not text.strip():
            raise failure_of(told, end, spent)
        value = _value(call, text, form, spent)
        return AgentAnswer(redacted_json(value), session_id=told.thread_id, **spent)

    def examined(self, call: AgentCall) -> Examined:
        """What would be asked. Raises `OptionNotHonoured`."""
        _require_honoured(call)
        return Examined(call.model or self.model)

    async def _ask(self, call: AgentCall, form: Narrowed | None) -> tuple[CodexStream, str]:
        """What the program told, and how it ended."""
        told = CodexStream(call.tell)
        end = "was ended"
        with _schema_file(form) as path, trio.CancelScope() as scope:

            def take(event: dict[str, Any]) -> None:
                told.take(event)
                if told.is_done:
                    scope.deadline = latest_exit()

            arguments = self._arguments(call, path)
            prompt = prompt_of(call, says_schema=form is None)
            end = await self.cli.run(arguments, prompt, call, self.settings, take, traced(os.environ))
        return told, end

    def _arguments(self, call: AgentCall, schema: str | None) -> list[str]:
        """With ``=``, so that no value is taken for an option. Not all are known to ``fork``."""
        arguments = ["exec", "--json", "--skip-git-repo-check", "--color=never", *self.flags]
        if model := call.model or self.model:
            arguments.append(f"--model={model}")
        if call.effort is not None:
            arguments.append(f"--config=model_reasoning_effort={_toml(call.effort)}")
        if call.instructions is not None:
            arguments.append(f"--config=developer_instructions={_toml(call.instructions)}")
        if schema is not None:
            arguments.append(f"--output-schema={schema}")
        if call.session is not None:
            # A copy: several calls may go on with one answer, and a fork of the run with an old one.
            arguments += ["fork", call.session]
        return [*arguments, "-"]

    async def _spent(self, call: AgentCall, told: CodexStream, before: Rollout) -> dict[str, Any]:
        """What this call cost: what is told and stored counts the whole conversation."""
        after = await _stored(told.thread_id)
        usage, earlier = told.usage or after.usage, before.usage
        if usage is not None and earlier is not None:
            usage = since(usage, earlier)
        return {} if usage is None else {"usage": usage, "model": after.model or call.model or self.model}


def _require_honoured(call: AgentCall) -> None:
    require_followed(call, NAME, providers=_PROVIDERS, efforts=_EFFORTS)
    if call.session is not None and not _SESSION.fullmatch(call.session):
        raise OptionNotHonoured(f"agent {NAME!r} has no session {call.session[:80]!r}")
    if call.tools is not None:
        raise OptionNotHonoured(
            f"agent {NAME!r} cannot be held to the tools of an agent's type; leave `tools` out there, and "
            "see to its sandbox"
        )


def _form(call: AgentCall) -> Narrowed | None:
    """The schema for the program; None where it goes into the prompt, or there is none."""
    try:
        return None if call.schema is None else narrowed(call.schema, OPENAI)
    except Outside:
        return None


def _value(call: AgentCall, text: str, form: Narrowed | None, spent: dict[str, Any]) -> Json:
    if call.schema is None:
        return text
    if form is None:
        return json_answer(text, call.schema, spent)
    return form.restore(json_answer(text, form.schema, spent))


async def _stored(thread: str | None) -> Rollout:
    if thread is None:
        return Rollout()
    return await trio.to_thread.run_sync(rollout_of, thread, dict(os.environ))


@contextmanager
def _schema_file(form: Narrowed | None) -> Iterator[str | None]:
    """The path of a file with the schema, which the program reads as it starts."""
    if form is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="flowcage-") as folder:
        path = Path(folder, "schema.json")
        path.write_text(strictjson.dumps_ascii(form.schema))
        yield str(path)


def _toml(text: str) -> str:
    """A basic string of TOML: one of JSON, but for what only TOML requires to be escaped."""
    clean = text.encode("utf-8", "replace").decode()
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")

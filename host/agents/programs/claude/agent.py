"""Runs the `claude` program for a call, and takes its answer."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import trio

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer, tokens_of
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentError, AgentSpecError, ShareTooSmall
from flowcage.host.agents.form import prompt_of
from flowcage.host.agents.honour import Examined, Examiner
from flowcage.host.agents.http.forms.models import MODELS
from flowcage.host.agents.http.told import text_at
from flowcage.host.agents.programs.claude.failure import failure_of, refuses_schema
from flowcage.host.agents.programs.claude.schema import NotTaken, Taken, taken
from flowcage.host.agents.programs.claude.share import held, variables
from flowcage.host.agents.programs.claude.stream import ClaudeStream
from flowcage.host.agents.programs.cli import Cli, json_answer, latest_exit, require_followed
from flowcage.host.agents.programs.own_settings import OwnSettings
from flowcage.host.agents.redaction import redacted_json
from flowcage.host.agents.settings import AgentSettings
from flowcage.host.agents.trace import traced
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

NAME = "claude"
_INSTALL = "npm install -g @anthropic-ai/claude-code"
# Pieces of a message of the model, which comes as a whole, too. They are a sign of life.
_PIECES = b'{"type":"stream_event","event":{"type":"content_block_delta"'
_PROVIDERS = ("anthropic", "claude", "claude-code")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_MODES = ("default", "acceptEdits", "plan", "dontAsk", "auto", "bypassPermissions")
_SETTINGS = (
    "program",
    "permission_mode",
    "allowed_tools",
    "disallowed_tools",
    "max_turns",
    "max_budget_usd",
    "args",
)
# One argument may have 128 KiB on Linux. A larger schema goes into the prompt.
_MAX_ARGUMENT_BYTES = 120_000
# Of a session around this one, from which the program would take itself to be a part of that.
_OF_ANOTHER = ("CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SSE_PORT", "CLAUDE_CODE_SESSION_ID")


def make(model: str | None, settings: AgentSettings) -> Agent:
    """Make the agent.

    Args:
        model: for calls that name none; None for the program's own default.
        settings: `own` has ``program``, ``permission_mode``, ``allowed_tools``, ``disallowed_tools``,
            ``max_turns``, ``max_budget_usd`` and ``args``.

    Raises:
        AgentSpecError: `own` has something else.
    """
    return _made(model, settings).answer


def examiner(model: str | None, settings: AgentSettings) -> Examiner:
    """What the agent makes of calls. Raises AgentSpecError as `make`."""
    return _made(model, settings).examined


def _made(model: str | None, settings: AgentSettings) -> _Claude:
    own = OwnSettings(NAME, settings.own, _SETTINGS)
    budget = own.above_zero("max_budget_usd")
    return _Claude(
        Cli(NAME, own.text("program") or NAME, _INSTALL, _PIECES),
        model,
        settings,
        _flags(own),
        own.texts("args"),
        budget,
    )


def found() -> str | None:
    """Path and version of the program; None where it is not in PATH."""
    return Cli(NAME, NAME, _INSTALL).found()


def _flags(own: OwnSettings) -> tuple[str, ...]:
    """Options of every call. What would ask a person is refused, unless the settings allow it."""
    flags = [f"--permission-mode={own.text('permission_mode', _MODES) or 'default'}"]
    for name, flag in (("allowed_tools", "--allowedTools"), ("disallowed_tools", "--disallowedTools")):
        if tools := own.texts(name):
            flags.append(f"{flag}={','.join(tools)}")
    if (turns := own.above_zero("max_turns")) is not None:
        if turns != int(turns):
            raise AgentSpecError(f"agents.{NAME}.max_turns must be a whole number, not {turns}")
        flags.append(f"--max-turns={int(turns)}")
    return tuple(flags)


@dataclass(frozen=True)
class _Claude:
    cli: Cli
    model: str | None
    settings: AgentSettings
    flags: tuple[str, ...]
    further: tuple[str, ...]
    budget_usd: float | None
    usual: list[str] = field(default_factory=list)  # the model that answered a call which named none

    async def answer(self, call: AgentCall) -> AgentAnswer:
        """Run the program for one call.

        Raises:
            OptionNotHonoured: the call has an option that the program does not follow.
            AgentsUnavailable: it is not there, too old, or its account cannot be used.
            AgentError: it has no answer.
            WrongAnswer: it has none by the call's schema.
        """
        self.examined(call)
        if call.is_held:
            named = call.model or self.model or next(iter(self.usual), None)
            call = await held(call, NAME, named)
        form = _form(call)
        told = await self._ask(call, form)
        if told is None:
            form = None
            told = await self._ask(call, form)
        assert told is not None
        if told.model is not None and (call.model or self.model) is None:
            self.usual[:] = [told.model]
        return _answer(call, told, form)

    def examined(self, call: AgentCall) -> Examined:
        """What would be asked. Raises `OptionNotHonoured`."""
        require_followed(call, NAME, providers=_PROVIDERS, efforts=_EFFORTS)
        model = call.model or self.model
        return Examined(MODELS.get(model, model) if model else None)

    async def _ask(self, call: AgentCall, form: Taken | None) -> ClaudeStream | None:
        """What the program told; None where it does not take the form, which costs nothing.

        Raises:
            AgentError: it told no answer.
        """
        told = ClaudeStream(call.tell)
        arguments = (*self._arguments(call, form), *self.further)
        end = "was ended"
        with trio.CancelScope() as scope:

            def take(message: dict[str, Any]) -> None:
                nonlocal end
                if scope.cancel_called:  # what it wrote in the meantime is not waited for
                    return
                told.take(message)
                if form is not None and told.has_schema is False:
                    scope.cancel()
                elif told.goes_on and _is_spent(call, told):
                    end = (
                        f"was ended: the run had {call.tokens_left} tokens left for it, and they are used up"
                    )
                    scope.cancel()
                elif told.result is not None:
                    scope.deadline = latest_exit()

            prompt = _prompt(call, form)
            end = await self.cli.run(arguments, prompt, call, self.settings, take, _environment(call))
        if form is not None and (told.has_schema is False or refuses_schema(told)):
            return None
        if told.result is None and scope.cancel_called and call.is_held:
            raise _short(told, end)
        if told.result is None:
            raise AgentError(f"agent {NAME!r} {end}", **told.spent)
        if told.result.get("is_error") is not False or text_at(told.result, "stop_reason") == "refusal":
            raise self._failure(call, told)
        return told

    def _failure(self, call: AgentCall, told: ClaudeStream) -> AgentError:
        """Why the last message is no answer; for a share that is used up, a larger one may do."""
        failure, own = failure_of(told), self.budget_usd
        is_spent = text_at(told.result, "subtype") == "error_max_budget_usd"
        is_share = call.cost_left is not None and (own is None or call.cost_left < own)
        return _short(told, str(failure)) if call.is_held and is_spent and is_share else failure

    def _arguments(self, call: AgentCall, form: Taken | None) -> list[str]:
        """With ``=``, so that no value is taken for an option."""
        arguments = ["-p", "--output-format=stream-json", "--verbose", "--include-partial-messages"]
        arguments += self.flags
        if model := call.model or self.model:
            arguments.append(f"--model={model}")
        if call.effort is not None:
            arguments.append(f"--effort={call.effort}")
        if form is not None:
            arguments.append(f"--json-schema={strictjson.dumps_ascii(form.schema)}")
        if call.session is not None:
            # A copy: several calls may go on with one answer, and a fork of the run with an old one.
            arguments += [f"--resume={call.session}", "--fork-session"]
        if call.instructions is not None:
            arguments.append(f"--append-system-prompt={call.instructions}")
        if call.tools is not None:
            arguments.append(f"--tools={','.join(call.tools)}")
        budgets = [each for each in (call.cost_left, self.budget_usd) if each is not None]
        if budgets:
            arguments.append(f"--max-budget-usd={max(min(budgets), 0.000_001):.6f}")
        return arguments


def _short(told: ClaudeStream, why: str) -> ShareTooSmall:
    why = why.removeprefix(f"agent {NAME!r} ")
    return ShareTooSmall(f"agent {NAME!r} {why}", needs_usd=0.0, needs_tokens=0, **told.spent)


def _is_spent(call: AgentCall, told: ClaudeStream) -> bool:
    """Whether the tokens that the run had left are used up, which the program itself cannot be told."""
    usage = told.usage
    return call.tokens_left is not None and usage is not None and tokens_of(0, usage) > call.tokens_left


def _form(call: AgentCall) -> Taken | None:
    """The schema for the program; None where it goes into the prompt, or there is none."""
    if call.schema is None:
        return None
    try:
        form = taken(call.schema)
    except NotTaken:
        return None
    return form if len(strictjson.dumps_ascii(form.schema)) <= _MAX_ARGUMENT_BYTES else None


def _prompt(call: AgentCall, form: Taken | None) -> str:
    prompt = prompt_of(call, says_schema=form is None or not form.is_whole)
    # A slash at the beginning would make it a command of the program's.
    return f"\n{prompt}" if prompt.startswith("/") else prompt


def _environment(call: AgentCall) -> dict[str, str]:
    own = {name: value for name, value in traced(os.environ).items() if name not in _OF_ANOTHER}
    own.setdefault("DISABLE_AUTOUPDATER", "1")
    # Else "@/etc/passwd" in a prompt is that file, whatever the agent may read.
    own["CLAUDE_CODE_DISABLE_ATTACHMENTS"] = "1"
    return own | variables() if call.is_held else own


def _answer(call: AgentCall, told: ClaudeStream, form: Taken | None) -> AgentAnswer:
    value = _value(call, told, form)
    return AgentAnswer(
        redacted_json(value),
        usage=told.usage,
        cost_usd=told.cost_usd,
        model=told.model,
        session_id=told.session_id,
    )


def _value(call: AgentCall, told: ClaudeStream, form: Taken | None) -> Json:
    result = told.result or {}
    if form is not None and "structured_output" in result:
        structured: Json = result["structured_output"]
        return form.restored(structured)
    text = text_at(result, "result") or ""
    if call.schema is None:
        if not text.strip():
            raise AgentError(f"agent {NAME!r} ended without an answer", **told.spent)
        return text
    value = json_answer(text, call.schema, told.spent)
    return value if form is None else form.restored(value)

"""Names of agents, as ``--agent NAME[:MODEL]`` takes them; a module is imported once its agent is chosen."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.compose.priced import priced
from flowcage.host.agents.compose.worktree import without_isolation, worktree
from flowcage.host.agents.errors import AgentSpecError
from flowcage.host.agents.honour import Examined, Examiner
from flowcage.host.agents.mock.mock import mock
from flowcage.host.agents.settings import AgentSettings
from flowcage.host.terminal.near_match import did_you_mean

if TYPE_CHECKING:
    from flowcage.host.agents.mock.fixtures import Fixture

DEFAULT_TIMEOUT_S = 600.0
# Another name of `mock`, from before it had this one.
MOCK = ("mock", "echo")

_HOME = "flowcage.host.agents"
# Modules with ``make(model, settings)``, ``examiner`` of the same, and ``found()``. Where no agent is chosen,
# the first of the programs that is found answers.
_PROGRAMS = {"claude": f"{_HOME}.programs.claude", "codex": f"{_HOME}.programs.codex"}
_MODELS = {name: f"{_HOME}.http.{name}" for name in ("anthropic", "openai", "ollama")}
_BUILT_IN = {**_PROGRAMS, **_MODELS}
# The names that a text may begin with.
KNOWN_AGENTS = (*_BUILT_IN, "command", "mock")

# Who bills the tokens of an agent, as the table of prices names them; of others, models tell. What ollama
# bills is in no table, and a model of that name has other prices elsewhere.
_PROVIDERS = {
    "claude": "anthropic",
    "anthropic": "anthropic",
    "codex": "openai",
    "openai": "openai",
    "ollama": "ollama",
}


class Spec(NamedTuple):
    """What a text such as ``--agent`` takes comes to.

    Attributes:
        name: of the agent.
        rest: the model, or the command line of ``command``; None for none.
    """

    name: str
    rest: str | None


def read_spec(text: str) -> Spec:
    """Split the name of an agent from what follows it.

    Raises:
        AgentSpecError: there is no such agent, or what follows is not what it takes.
    """
    name, colon, rest = text.partition(":")
    if name in MOCK:
        if colon:
            raise AgentSpecError(f"{text!r}: {name} takes no model; write '{name}'")
        return Spec("mock", None)
    if name not in KNOWN_AGENTS or (name == "command" and not colon):
        raise AgentSpecError(f"there is no agent {text!r}{did_you_mean(name, KNOWN_AGENTS)}; {_known()}")
    if colon and not rest.strip():
        what = "names no program" if name == "command" else "has no model after the colon"
        raise AgentSpecError(f"{text!r} {what}; {_known()}")
    if "\0" in rest:
        raise AgentSpecError(f"{text!r} contains a NUL character, which no command line may")
    return Spec(name, rest if colon else None)


def parse_agent(
    spec: str,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    settings: AgentSettings | None = None,
    fixtures: tuple[Fixture, ...] | None = None,
) -> Agent:
    """Make the agent that a text names.

    Args:
        spec: ``NAME`` or ``NAME:MODEL``; or ``command:`` and a command line that is split as a POSIX shell
            would, but not given to one. ``mock`` makes answers up.
        timeout_s: seconds that one attempt may take, where there are no settings.
        settings: of the agent.
        fixtures: the answers of ``mock``.

    Raises:
        AgentSpecError: the text names no agent, or a command line that cannot be split; or the settings are
            not those of this agent.
        ValueError: `timeout_s` is not above 0.
    """
    settings = settings or AgentSettings(timeout_s)
    name, rest = read_spec(spec)
    if name == "mock":
        _require_no_own(name, settings)
        return mock(fixtures)
    agent = _made(name, rest, spec, settings)
    return priced(agent, provider=_PROVIDERS.get(name))


def _made(name: str, rest: str | None, spec: str, settings: AgentSettings) -> Agent:
    if name == "command":
        from flowcage.host.agents.programs.command import command_agent
        from flowcage.host.agents.programs.own_settings import OwnSettings

        argv, idle = _split(spec, rest or ""), settings.idle_timeout_s
        keeps = OwnSettings(name, settings.own, ("keeps_to_share",)).flag("keeps_to_share")
        agent = command_agent(argv, timeout_s=settings.timeout_s, idle_timeout_s=idle, keeps_to_share=keeps)
        return worktree(agent, settings.worktrees)
    made: Agent = _module(name).make(rest, settings)
    return worktree(made, settings.worktrees) if name in _PROGRAMS else made


def examiner_of(spec: str, settings: AgentSettings) -> Examiner:
    """What tells how the agent that a text names would answer a call, without asking it.

    Neither a program nor a key has to be there.

    Raises:
        AgentSpecError: as `parse_agent`.
    """
    name, rest = read_spec(spec)
    if name in ("mock", "command"):
        _require_no_own(name, settings)
    if name == "mock":
        return lambda _call: Examined(costs_nothing=True)
    if name == "command":
        return lambda call: Examined(without_isolation(call).model)
    examine: Examiner = _module(name).examiner(rest, settings)
    return examine if name in _MODELS else lambda call: examine(without_isolation(call))


def provider_of(name: str) -> str | None:
    """Who bills the tokens of an agent, as the table of prices names them; None to find it by the model."""
    return _PROVIDERS.get(name)


def missing_program(spec: str, settings: AgentSettings | None = None) -> str | None:
    """The program of ``command:``, or of an agent that is one, if it is not here; None otherwise.

    For a check before the run: with a missing program every ``agent()`` call rejects, and ``parallel`` turns
    those rejections into null.

    Args:
        spec: names the agent.
        settings: of the agent; ``program`` of `own` is another program than the usual one.
    """
    name, rest = read_spec(spec)
    if name == "command":
        program = _split(spec, rest or "")[0]
    elif name in _PROGRAMS:
        program = str((settings or AgentSettings()).own.get("program") or name)
    else:
        return None
    return None if shutil.which(program) else program


def found_agents() -> Iterator[tuple[str, str | None]]:
    """Each agent with how it was found here, such as the path and version of its program; None for not."""
    for name in _BUILT_IN:
        yield name, _module(name).found()


def found_program() -> tuple[str, str] | None:
    """The first agent whose command line program is here, with how it was found."""
    for name in _PROGRAMS:
        if (how := _module(name).found()) is not None:
            return name, how
    return None


def _require_no_own(name: str, settings: AgentSettings) -> None:
    for key in settings.own:
        raise AgentSpecError(f"agents.{name} has no setting {key!r}")


def _module(name: str) -> ModuleType:
    return import_module(_BUILT_IN[name])


def _known() -> str:
    built_in = (f"{name}[:MODEL]" for name in _BUILT_IN)
    return (
        f"known are {', '.join([*built_in, 'mock'])} (made-up answers) and command:CMD (runs CMD with the "
        "prompt on stdin, such as 'command:python3 agent.py')"
    )


def _split(spec: str, command: str) -> list[str]:
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise AgentSpecError(f"{spec!r} cannot be split into words: {error}") from None
    if not argv or not argv[0]:
        raise AgentSpecError(f"{spec!r} names no program; {_known()}")
    return argv

"""The agent of a run, made of those that were chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.compose.aliased import aliased, pinned
from flowcage.host.agents.compose.typed import typed
from flowcage.host.agents.compose.worktree import Delivery, Worktrees
from flowcage.host.agents.errors import AgentSpecError
from flowcage.host.agents.settings import AgentSettings
from flowcage.host.agents.spec import DEFAULT_TIMEOUT_S, missing_program, parse_agent, read_spec
from flowcage.host.cli.console import note
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.protocol import strictjson
from flowcage.protocol.limits import DEFAULT_MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from flowcage.host.agents.compose.route import Route
    from flowcage.host.agents.mock.fixtures import Fixture
    from flowcage.host.agents.types.agent_type import AgentType
    from flowcage.host.agents.types.folders import AgentTypes

# Makes an agent by its name and settings.
Made: TypeAlias = Callable[[str, AgentSettings], Agent]
# Keys of a table [agents.NAME] that are the same for all agents.
_COMMON = ("model", "timeout", "idle_timeout")


def agent_of(files: InputFiles, folder: Path, given: Mapping[str, Any]) -> Agent:
    """Make the agent.

    Args:
        files: reads the fixtures.
        folder: of the workflow.
        given: the options, with what `choose` has put there.

    Raises:
        InputError: an agent is not known, or not here; or the fixtures are wrong.
    """
    fixtures = _fixtures(files, given)

    def made(spec: str, settings: AgentSettings) -> Agent:
        if (missing := missing_program(spec, settings)) is not None:
            raise AgentSpecError(f"there is no program {missing!r} here, or it is not executable")
        return parse_agent(spec, settings=settings, fixtures=fixtures)

    return composed(folder, given, made)


def composed(folder: Path, given: Mapping[str, Any], made: Made) -> Agent:
    """Put routes, aliases and types of agents around agents.

    Args:
        folder: of the workflow.
        given: the options, with what `choose` has put there.
        made: makes an agent by its name and settings; it may raise `AgentSpecError`.

    Raises:
        InputError: an agent cannot be made.
    """
    return _Composer(folder, given, made).whole()


def identity_of(given: Mapping[str, Any]) -> str:
    """Name of who answers, for forks: another model is another one."""
    rest = {name: given.get(name) for name in ("model", "models", "routes") if given.get(name)}
    return f"{given['agent']} {strictjson.dumps(rest)}" if rest else str(given["agent"])


class _Types:
    """Types of agents, which are looked for when the first call names one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, name: str) -> AgentType:
        return self._all.find(name)

    @cached_property
    def _all(self) -> AgentTypes:
        from flowcage.host.cli.setup.places import agent_types

        return agent_types(self._folder)


class _Composer:
    def __init__(self, folder: Path, given: Mapping[str, Any], made: Made) -> None:
        self._given = given
        self._models: Mapping[str, str] = given.get("models") or {}
        self._tables: Mapping[str, Mapping[str, Any]] = given.get("tables") or {}
        self._types = _Types(folder)
        self._made = made

    def whole(self) -> Agent:
        agent = self._agent("--agent", self._given["agent"], self._given.get("model"))
        routes = self._given.get("routes") or ()
        if not routes:
            return agent
        from flowcage.host.agents.compose.route import route

        return route([self._route(number, told) for number, told in enumerate(routes)], agent)

    def _route(self, number: int, told: Mapping[str, str]) -> Route:
        from flowcage.host.agents.compose.route import Route

        where, spec = f"route[{number}].agent", told["agent"]
        agent = self._agent(where, spec, None)
        name, model = _read(where, spec)
        if model is not None and name != "command":
            agent = pinned(agent, model)
        patterns = {key: told.get(key) for key in ("label", "phase", "model", "provider")}
        return Route(agent, **patterns, agent_type=told.get("agentType"))

    def _agent(self, where: str, spec: str, default: str | None) -> Agent:
        """One agent, with other names for models and with types.

        Args:
            where: the option or key that names it, for messages.
            spec: as it names it.
            default: the model for calls that name none.
        """
        name, rest = _read(where, spec)
        table = self._tables.get(name, {})
        if rest is not None and name != "command":
            if default is not None:
                raise InputError(
                    f"{where} {spec} and --model {default} both say which model; give one of them"
                )
            default = rest
        default, settings = default or table.get("model"), self._settings(table)
        try:
            agent = self._made(spec, settings)
        except AgentSpecError as error:
            raise InputError(f"{where}: {error}") from None
        return typed(aliased(agent, self._models, default), self._types)

    def _settings(self, table: Mapping[str, Any]) -> AgentSettings:
        timeout = self._given.get("agent_timeout") or table.get("timeout") or DEFAULT_TIMEOUT_S
        idle = self._given.get("agent_idle_timeout") or table.get("idle_timeout")
        own = {key: value for key, value in table.items() if key not in _COMMON}
        return AgentSettings(float(timeout), None if idle is None else float(idle), own, self._worktrees())

    def _worktrees(self) -> Worktrees:
        deliver: Delivery = self._given.get("worktrees") or "branch"
        return Worktrees(self._given.get("base") or "HEAD", deliver, note=lambda text: note(f"note: {text}"))


def _read(where: str, spec: str) -> tuple[str, str | None]:
    try:
        return read_spec(spec)
    except AgentSpecError as error:
        raise InputError(f"{where}: {error}") from None


def _fixtures(files: InputFiles, given: Mapping[str, Any]) -> tuple[Fixture, ...] | None:
    file = given.get("fixtures")
    if file is None:
        return None
    specs = [given["agent"], *(told["agent"] for told in given.get("routes") or ())]
    if all(_read("--agent", spec)[0] != "mock" for spec in specs):
        raise InputError(
            f"--fixtures are the answers of mock, but --agent is {given['agent']}; give --agent mock"
        )
    return fixtures_in(files, Path(file))


def fixtures_in(files: InputFiles, file: Path) -> tuple[Fixture, ...]:
    """The answers of a file.

    Raises:
        InputError: it cannot be read, or has another form.
    """
    from flowcage.host.agents.mock.fixtures import FixturesError, read_fixtures

    what = f"--fixtures {file}"
    try:
        data = files.read("--fixtures", file)
    except OSError as error:
        raise InputError(f"{what}: cannot be read: {error.strerror}") from None
    if len(data) > DEFAULT_MAX_MESSAGE_BYTES:
        raise InputError(f"{what}: longer than {DEFAULT_MAX_MESSAGE_BYTES} bytes")
    try:
        return read_fixtures(data, what)
    except FixturesError as error:
        raise InputError(str(error)) from None

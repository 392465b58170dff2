"""Answers from a file, for `mock`: JSON with a list of entries, or JSON Lines with one entry each.

An entry has ``answer`` (any JSON) or ``error`` (text), and may have ``label``, ``phase`` and ``prompt``:
patterns with ``*``, ``?`` and ``[…]``, of which all have to fit. What the answer cost is ``tokens``,
``usage`` (``input``, ``output``, ``cacheRead``, ``cacheWrite``) and ``costUsd``; ``model`` and
``sessionId`` say who gave it.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer, AgentUsage
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentError
from flowcage.host.terminal.near_match import did_you_mean
from flowcage.protocol import strictjson

_PATTERNS = ("label", "phase", "prompt")
_COSTS = ("tokens", "usage", "costUsd", "model", "sessionId")
_KEYS = (*_PATTERNS, "answer", "error", *_COSTS)
_USAGE = {"input": "input", "output": "output", "cacheRead": "cache_read", "cacheWrite": "cache_write"}


class FixturesError(ValueError):
    """A file of answers cannot be used. The message names the file and the place in it."""


@dataclass(frozen=True)
class Fixture:
    """One entry.

    Attributes:
        patterns: by ``label``, ``phase`` or ``prompt``.
        answer: what it gives; an error is raised.
    """

    patterns: dict[str, str]
    answer: AgentAnswer | AgentError

    def fits(self, call: AgentCall) -> bool:
        """Whether this answers a call."""
        found = {"label": call.label, "phase": call.phase, "prompt": call.prompt}
        return all(fnmatchcase(found[name] or "", pattern) for name, pattern in self.patterns.items())


def answers_from(fixtures: tuple[Fixture, ...]) -> Agent:
    """The agent that gives the answer of the first entry that fits.

    It raises `AgentError` where that is an error, or no entry fits.
    """

    async def answer(call: AgentCall) -> AgentAnswer:
        found = answer_for(fixtures, call)
        if found is None:
            raise _without_answer(call)
        return found

    return answer


def answer_for(fixtures: tuple[Fixture, ...], call: AgentCall) -> AgentAnswer | None:
    """The answer of the first entry that fits; None where none does.

    Raises:
        AgentError: the entry is an error.
    """
    for fixture in fixtures:
        if fixture.fits(call):
            if isinstance(fixture.answer, AgentError):
                raise _copy(fixture.answer)
            return fixture.answer
    return None


def _without_answer(call: AgentCall) -> AgentError:
    about = f"label {call.label!r}" if call.label else "no label"
    return AgentError(
        f"no fixture answers this call ({about}, prompt {call.prompt[:80]!r}); add an entry to the file of "
        '--fixtures, or one that answers all, such as {"answer": "…"}'
    )


def _copy(error: AgentError) -> AgentError:
    """A new exception: one that is raised twice would gather the tracebacks of both."""
    return AgentError(
        str(error), tokens=error.tokens, usage=error.usage, cost_usd=error.cost_usd, model=error.model
    )


def read_fixtures(data: bytes, file: str) -> tuple[Fixture, ...]:
    """Read the entries of a file.

    Args:
        data: its content.
        file: its name, for messages.

    Raises:
        FixturesError: it is neither JSON nor JSON Lines, or an entry has another form.
    """
    found = tuple(_fixture(entry, where) for where, entry in _entries(data, file))
    if not found:
        raise FixturesError(
            f'{file}: has no entry; expected some such as {{"label": "review", "answer": "fine"}}'
        )
    return found


def _entries(data: bytes, file: str) -> Iterator[tuple[str, Any]]:
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        whole = strictjson.loads(data)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise _not_json(f"{file}:{error.lineno}", error) from None
    except (ValueError, RecursionError) as error:
        raise _not_json(file, error) from None
    else:
        entries = whole if isinstance(whole, list) else [whole]
        yield from ((f"{file}: entry {number}", entry) for number, entry in enumerate(entries, 1))
        return
    yield from _lines(data, file)


def _lines(data: bytes, file: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            try:
                yield f"{file}:{number}", strictjson.loads(line)
            except (ValueError, RecursionError) as error:
                raise _not_json(f"{file}:{number}", error) from None


def _not_json(where: str, error: Exception) -> FixturesError:
    why = error.msg if isinstance(error, json.JSONDecodeError) else error
    return FixturesError(
        f"{where}: is not JSON: {why}; expected a list of entries, or one entry on each line"
    )


def _fixture(entry: Any, where: str) -> Fixture:
    if not isinstance(entry, dict):
        raise FixturesError(f"{where}: expected an object with `answer`, not {strictjson.dumps(entry)[:80]}")
    for name in entry:
        if name not in _KEYS:
            raise FixturesError(f"{where}: there is no key {name[:80]!r}{did_you_mean(name, _KEYS)}")
    for name in (*_PATTERNS, "error", "model", "sessionId"):
        if not isinstance(entry.get(name, ""), str):
            raise FixturesError(f"{where}: `{name}` must be text, not {strictjson.dumps(entry[name])[:80]}")
    if ("answer" in entry) == ("error" in entry):
        raise FixturesError(f"{where}: expected one of `answer` and `error`")
    patterns = {name: entry[name] for name in _PATTERNS if name in entry}
    try:
        return Fixture(patterns, _answer(entry))
    except (TypeError, ValueError) as error:
        raise FixturesError(f"{where}: {error}") from None


def _answer(entry: dict[str, Any]) -> AgentAnswer | AgentError:
    usage = _usage(entry["usage"]) if "usage" in entry else None
    answer = AgentAnswer(
        entry.get("answer"),
        entry.get("tokens", 0),
        usage,
        entry.get("costUsd", 0.0),
        entry.get("model"),
        entry.get("sessionId"),
    )
    if "answer" in entry:
        return answer
    return AgentError(
        entry["error"], tokens=answer.tokens, usage=usage, cost_usd=answer.cost_usd, model=answer.model
    )


def _usage(told: Any) -> AgentUsage:
    if not isinstance(told, dict):
        raise ValueError(f"`usage` must be an object, not {strictjson.dumps(told)[:80]}")
    for name in told:
        if name not in _USAGE:
            raise ValueError(f"`usage` has no {name[:80]!r}{did_you_mean(name, _USAGE)}")
    return AgentUsage(**{_USAGE[name]: count for name, count in told.items()})

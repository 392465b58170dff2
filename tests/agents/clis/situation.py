"""One call of a command line program: how it comes about, and what the agent makes of it.

The situations have three uses: `record` writes down what the real programs write in them, `test_transcripts`
plays that to the agents, and `test_real_programs` has the real programs do it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowcage.host.agents.errors import AgentError

from ..servers.loopback import Server

TEXT = "The answer is 42."
LATER = "options.retry tries the call again later"
NAMED: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}},
}
WORDS: dict[str, Any] = {
    "type": "array",
    "items": {"$ref": "#/$defs/word"},
    "minItems": 1,
    "$defs": {"word": {"type": "string"}},
}


@dataclass(frozen=True)
class Situation:
    """One call, and what becomes of it.

    Attributes:
        name: of its transcript.
        happens: tells the server what to answer; None for the usual.
        prompt, options: of the call.
        own: settings of the agent.
        environment: changes to the program's variables; None takes one away.
        call: further fields of the call.
        continues: whether it continues the conversation of a call before it.
        value: the answer.
        times: how often the model was asked for it.
        error, words: of the error in its place; each word stands in its text.
    """

    name: str
    happens: Callable[[Server], Any] | None = None
    prompt: str = "What is the answer?"
    options: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str | None] = field(default_factory=dict)
    call: Mapping[str, Any] = field(default_factory=dict)
    continues: bool = False
    value: Any = TEXT
    times: int = 1
    error: type[AgentError] | None = None
    words: Sequence[str] = ()

    def __str__(self) -> str:
        return self.name

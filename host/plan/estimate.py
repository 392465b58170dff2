"""What calls would cost, by their prompts and a stated assumption on their answers.

Nobody can know it before: an answer may be short or long, and an agent that is a program asks its model many
times for one call. So each figure says what it is: an estimate under assumptions, or a bound that is kept.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowcage.host.agents.answer import AgentUsage
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.form import prompt_of
from flowcage.protocol.messages import Json

# Of English text; other scripts and code have fewer.
CHARACTERS_A_TOKEN = 4
MAX_ATTEMPTS = 10


def usage_of(call: AgentCall, output_tokens: int) -> AgentUsage:
    """Tokens of one answer, where the prompt, the schema and the instructions are read once."""
    characters = len(prompt_of(call)) + len(call.instructions or "")
    return AgentUsage(input=-(-characters // CHARACTERS_A_TOKEN), output=output_tokens)


def most_asks(options: Mapping[str, Json]) -> int:
    """How often an agent may be asked for one call: in each attempt, and twice where there is a schema."""
    retry = options.get("retry")
    attempts = retry.get("maxAttempts") if isinstance(retry, dict) else None
    is_count = isinstance(attempts, int) and 1 <= attempts <= MAX_ATTEMPTS
    return (attempts if is_count and attempts is not None else 1) * (
        1 if options.get("schema") is None else 2
    )

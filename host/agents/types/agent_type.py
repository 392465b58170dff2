"""What one file says about a type of agent."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.types.front_matter import Page, Value, split_list
from flowcage.host.terminal.near_match import did_you_mean

# For people; they change nothing.
_ABOUT = ("description", "color", "version", "author", "license", "tags")
MAX_NAME = 100  # characters; messages have names
_FOLLOWED = ("name", "tools", "model", "effort", "isolation")


@dataclass(frozen=True)
class AgentType:
    """A type of agent, as ``options.agentType`` names it.

    Attributes:
        name: its name.
        instructions: its system prompt; None for none.
        tools: names of those that it may use at most; None for all.
        model, effort, isolation: options of calls that do not have them; None for none.
        description: what it is for.
    """

    name: str
    instructions: str | None = None
    tools: tuple[str, ...] | None = None
    model: str | None = None
    effort: str | None = None
    isolation: str | None = None
    description: str = ""

    def applied(self, call: AgentCall) -> AgentCall:
        """The call as an agent without types has it."""
        options = {name: value for name, value in call.options.items() if name != "agentType"}
        for name in ("model", "effort", "isolation"):
            if getattr(self, name) is not None and options.get(name) is None:
                options[name] = getattr(self, name)
        return replace(call, options=options, instructions=self.instructions, tools=self.tools)


def type_of(page: Page, stem: str) -> AgentType:
    """The type that a file describes.

    Args:
        page: its content.
        stem: its name without ``.md``, for a type that has no other.

    Raises:
        ValueError: it says what is not followed here, or not in this form.
    """
    for key in page.matter:
        if key not in _ABOUT and key not in _FOLLOWED:
            known = (*_FOLLOWED, *_ABOUT)
            raise ValueError(
                f"{key!r} is not followed here{did_you_mean(key, known)}; known are {', '.join(known)}"
            )
    name = _text(page, "name") or stem
    if len(name) > MAX_NAME:
        raise ValueError(f"'name' has {len(name)} characters, and may have {MAX_NAME}")
    description = page.matter.get("description", "")
    return AgentType(
        name=name,
        instructions=page.body or None,
        tools=_tools(page.matter["tools"]) if "tools" in page.matter else None,
        model=_model(_text(page, "model")),
        effort=_text(page, "effort"),
        isolation=_text(page, "isolation"),
        description=description if isinstance(description, str) else ", ".join(description),
    )


def _text(page: Page, name: str) -> str | None:
    value = page.matter.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise ValueError(f"{name!r} must be a text, not {value!r}")
    return value


def _model(name: str | None) -> str | None:
    return None if name == "inherit" else name


def _tools(told: Value) -> tuple[str, ...] | None:
    if told == "":
        raise ValueError("'tools' is empty; write [] for none, or leave it out for all")
    names = split_list(told) if isinstance(told, str) else told
    if "*" in names:
        return None
    if "" in names:
        raise ValueError(f"'tools' has a name that is empty: {told!r}")
    return tuple(names)


# Those that scripts name without a file.
BUILT_IN = (
    AgentType("general-purpose", description="any task, with all tools"),
    AgentType(
        "Explore",
        "Find out what you are asked about these files. Search broadly, read what matters, and change "
        "nothing. Answer with what you found, each fact with the file and the line that it is from.",
        ("Read", "Grep", "Glob"),
        description="finds things out, and changes nothing",
    ),
    AgentType(
        "Plan",
        "Make a plan for what you are asked. Read the files that it concerns, and change nothing. Answer "
        "with the steps in order, the files of each, and what could go wrong.",
        ("Read", "Grep", "Glob"),
        description="plans a change, and makes none",
    ),
)

"""The agent ``openai``: OpenAI's Responses or Chat Completions, or another server that speaks either."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from flowcage.host.agents.honour import Examiner
from flowcage.host.agents.http import chat, responses
from flowcage.host.agents.http.agent import HttpAgent
from flowcage.host.agents.http.forms.means import Way
from flowcage.host.agents.http.network.setup import Own, base_url_of, key_of, setup, without_key
from flowcage.host.agents.settings import AgentSettings

NAME = "openai"
URL = "https://api.openai.com/v1"
KEY_VARIABLE = "OPENAI_API_KEY"
URL_VARIABLE = "OPENAI_BASE_URL"
MODEL = "gpt-5.5"
_WAYS = {"format": (Way.FORMAT, Way.PROMPT), "prompt": (Way.PROMPT,)}


def make(model: str | None, settings: AgentSettings) -> HttpAgent:
    """The agent, for a model of the API.

    Raises:
        AgentSpecError: there is no key, or a setting is wrong.
    """
    own = Own(NAME, settings, ("api", "store"))
    url = base_url_of(own, URL_VARIABLE, URL)
    is_openai = urlsplit(url).hostname == urlsplit(URL).hostname
    chosen = setup(own, url, key_of(own, KEY_VARIABLE, is_needed=is_openai))
    ways = _WAYS[own.choice("structured", _WAYS) or "format"]
    if (own.choice("api", ("responses", "chat")) or ("responses" if is_openai else "chat")) == "chat":
        api = chat.api(chosen, ways, is_openai=is_openai)
    else:
        api = responses.api(chosen, ways, stores=own.flag("store", True))
    return HttpAgent(chosen, api, model or (MODEL if is_openai else None))


def examiner(model: str | None, settings: AgentSettings) -> Examiner:
    """What the agent makes of calls; no key is looked for. Raises AgentSpecError as `make`."""
    return make(model, without_key(settings)).examined


def found() -> str | None:
    """What of the environment this agent would use; None where there is no key."""
    return KEY_VARIABLE if os.environ.get(KEY_VARIABLE) else None

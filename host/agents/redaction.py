"""Takes keys out of what a program or a server wrote, before it gets into errors, events and journals."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from flowcage.protocol.messages import Json

HIDDEN = "[redacted]"
# A shorter value, such as "true", stands in ordinary text, too.
SHORTEST = 8
_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)
# Keys that are not in the environment, such as those of a program's own settings: by their usual forms.
# Few starts, and each is followed over so many characters only: the text may be an attack.
_FORMS = re.compile(
    r"(?<![\w-])(?:(?:sk|rk|pk)-(?=[\w-]{0,100}\d)[\w-]{20,}|gh[a-z]_\w{20,}|xox[a-z]-[\w-]{10,})"
    r"|(?<=Bearer )[\w.~+/=-]{8,}"
)


def redacted(text: str, environment: Mapping[str, str] | None = None) -> str:
    """A text without the values of variables that have KEY, TOKEN, SECRET or PASSWORD in their names.

    Args:
        text: as a program or a server wrote it, not yet cut: half of a key is not found.
        environment: of these variables; None for the host's.
    """
    return _without(text, _secrets(environment))


def redacted_json(value: Json, environment: Mapping[str, str] | None = None) -> Json:
    """The same of all text in a value, names of members included."""
    return _json_without(value, _secrets(environment))


def _json_without(value: Json, secrets: Sequence[str]) -> Json:
    if isinstance(value, str):
        return _without(value, secrets)
    if isinstance(value, list):
        return [_json_without(each, secrets) for each in value]
    if isinstance(value, dict):
        return {_without(name, secrets): _json_without(each, secrets) for name, each in value.items()}
    return value


def _without(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return _FORMS.sub(HIDDEN, text)


def _secrets(environment: Mapping[str, str] | None) -> list[str]:
    """The longest first: one may be a part of another."""
    variables = os.environ if environment is None else environment
    found = {part for name, value in variables.items() if _NAMES.search(name) for part in _parts(value)}
    return sorted(found, key=len, reverse=True)


def _parts(value: str) -> Iterator[str]:
    """A value, and of one in several lines each line: a program may write it in its own layout."""
    for part in (value, *value.splitlines()):
        if len(part.strip()) >= SHORTEST:
            yield part.strip()

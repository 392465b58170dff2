"""Every message of these tests, in both directions, is put to jsonschema, too."""

from __future__ import annotations

import pytest

from flowcage.host.process import codec


@pytest.fixture(autouse=True)
def checked_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, and in those that it starts."""
    monkeypatch.setenv("FLOWCAGE_CHECK_MESSAGES", "1")
    monkeypatch.setattr(codec, "CHECKS_MESSAGES", True)

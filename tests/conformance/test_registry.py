"""How checks get their ids."""

from __future__ import annotations

import pytest

from flowcage.conformance.check import Level, Registry, Theme


@pytest.fixture
def theme() -> Theme[None]:
    """Of a registry without checks."""
    return Registry[None]().theme("ends", "protocol.md: The process")


def import_(_subject: None) -> None:
    """Named with an underscore, as the plain word is a keyword."""


def at_the_end(_subject: None) -> None:
    """Two words."""


def _(_subject: None) -> None:
    """Nameless."""


def test_an_id_is_the_theme_and_the_functions_name_with_hyphens() -> None:
    registry = Registry[None]()
    theme = registry.theme("ends", "protocol.md: The process")
    assert theme.must("One.")(at_the_end) is at_the_end
    theme.should("Another.")(import_)
    theme.must("A third.", id="with-2.0")(at_the_end)
    told = [(check.id, check.level, check.run) for check in registry.checks]
    assert told == [
        ("ends/at-the-end", Level.MUST, at_the_end),
        ("ends/import", Level.SHOULD, import_),
        ("ends/with-2.0", Level.MUST, at_the_end),
    ]


def test_two_checks_of_one_name_are_refused(theme: Theme[None]) -> None:
    theme.must("One.")(at_the_end)
    with pytest.raises(ValueError, match="two checks are called ends/at-the-end"):
        theme.must("Another.")(at_the_end)


def test_a_check_without_a_name_is_refused(theme: Theme[None]) -> None:
    with pytest.raises(ValueError, match="has no name: One"):
        theme.must("One.")(_)

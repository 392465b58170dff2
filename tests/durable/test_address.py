"""Addresses of databases: what is taken, what is shown, what is refused without showing it."""

from __future__ import annotations

import pytest

from flowcage.host.cli.runs.detaching import _shown
from flowcage.host.durable.address import PostgresAddress, is_address, read_address

TAKEN = {
    "postgresql://h/d": ("postgresql://h/d", "flowcage", None),
    "postgres://u@h:1,i:2/d": ("postgres://u@h:1,i:2/d", "flowcage", None),
    "postgresql://u:geheim@h/d": ("postgresql://u@h/d", "flowcage", "geheim"),
    "postgresql://:geheim@h/d": ("postgresql://h/d", "flowcage", "geheim"),
    "postgresql://u:%40%2F%25@h/d": ("postgresql://u@h/d", "flowcage", "@/%"),
    "postgresql://u@h/d?password=geheim&sslmode=require": (
        "postgresql://u@h/d?sslmode=require",
        "flowcage",
        "geheim",
    ),
    "postgresql:///d?host=/run&schema=mine": ("postgresql:///d?host=/run", "mine", None),
    "postgresql://": ("postgresql://", "flowcage", None),
}
REFUSED = (
    *("postgresql://u:geh@eim@h/d", "postgresql://u:geh/eim@h/d", "postgresql://u:geh?eim@h/d"),
    *("postgresql://u:geh#eim@h/d", "postgresql://u:geh:eim@h/d", "postgresql://u:geh%eim@h/d"),
    *("postgresql://u:geh eim@h/d", "postgresql://u:geh\neim@h/d", "postgresql://h/d?sslpassword=geheim"),
    *("postgresql://h/d?pass%77ord=geheim", "postgresql://h/d?schema=geh-eim", "postgresql://h/d?schema="),
    "postgresql://h/d?schema=" + "geheim" * 10,
)


@pytest.mark.parametrize("text", TAKEN)
def test_an_address_is_shown_without_its_password(text: str) -> None:
    server, schema, password = TAKEN[text]
    address = read_address(text)
    assert address == PostgresAddress(server, schema, password)
    assert "geheim" not in f"{address} {address!r}"
    assert read_address(str(address)).with_password(password) == address
    assert read_address(address.for_libpq).password == password


@pytest.mark.parametrize("text", REFUSED)
def test_what_could_show_a_part_of_a_password_is_refused_without_it(text: str) -> None:
    with pytest.raises(ValueError, match="address") as refused:
        read_address(text)
    assert "geh" not in str(refused.value)
    assert "eim" not in str(refused.value)


def test_a_password_of_the_address_itself_counts_before_another() -> None:
    assert read_address("postgresql://u:a@h").with_password("b").password == "a"
    assert read_address("postgresql://u@h").with_password("b").password == "b"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "runs.db?blobs=/geheim",
            "blobs is not taken in the address of a store; give --blobs",
        ),
        ("runs.db?keys=a:geheim", "keys is not taken in the address of a store; give --keys"),
        ("runs.db?mode=ro", "a store in a file has no options"),
        ("postgresql+psycopg://u:geheim@h/d", "a store is a file, or postgresql://"),
        ("mysql://u:geheim@h/d", "this is another address"),
        ("file:///geheim/runs.db", "this is another address"),
        ("POSTGRESQL://u:geheim@h/d", "this is another address"),
    ],
)
def test_an_address_is_not_taken_for_the_name_of_a_file(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        is_address(text)
    assert "geheim" not in str(refused.value)


def test_names_of_files_may_be_strange() -> None:
    assert not any(map(is_address, ("runs.db", "/a/b?c/runs.db", "what?.db", "C:/runs.db", "a=b", "")))


@pytest.mark.parametrize("name", ["blobs", "keys"])
def test_what_has_an_option_of_its_own_is_refused_in_an_address(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is not taken in the address of a store; give --{name}"):
        read_address(f"postgresql://u@h/d?sslmode=require&{name}=geheim")


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("--store=postgresql://u:geheim@h/d", "--store=postgresql://u@h/d"),
        ("postgresql://u:geheim@h/d", "postgresql://u@h/d"),
        ("s3://bucket/runs", "s3://bucket/runs"),
        ("--blobs=file:///shared", "--blobs=file:///shared"),
        ("https://host/?keys=1", "https://host/?keys=1"),
    ],
)
def test_the_words_of_a_detached_command_are_those_that_were_given(word: str, shown: str) -> None:
    assert _shown(word) == shown

"""The options that give a workflow its args."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from flowcage.host.cli.console import FilePath
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.inputs import texts
from flowcage.protocol.messages import Json

F = TypeVar("F", bound=Callable[..., Any])

_NAMES = ("args_json", "args_file", "args_pairs", "args_json_pairs")


def taking_args(whose: str) -> Callable[[F], F]:
    """Give a command these options.

    Args:
        whose: the beginning of what help tells of them.
    """
    options = (
        click.option("--args", "args_json", metavar="JSON",
                     help=f"{whose}, as JSON; @FILE reads a file, - stdin."),
        click.option("--args-file", type=FilePath(allow_dash=True),
                     help="The same from a JSON file; - is stdin."),
        click.option("--arg", "args_pairs", metavar="NAME=VALUE", multiple=True,
                     help="One member of args, a text: VALUE, or what @FILE or - (stdin) holds; @@ begins "
                     "one that begins with @. May be repeated."),
        click.option("--arg-json", "args_json_pairs", metavar="NAME=JSON", multiple=True,
                     help="One member of args, as JSON, @FILE or -; beside --arg, and may be repeated."),
    )  # fmt: skip

    def with_options(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return with_options


def has_args(given: Mapping[str, Any]) -> bool:
    """Whether any of them was given."""
    return any(given[name] not in (None, ()) for name in _NAMES)


def named(given: Mapping[str, Any]) -> dict[str, Path | None]:
    """The files that they name, for `InputFiles`."""
    return {
        "--args": texts.file_of(given["args_json"]),
        "--args-file": given["args_file"],
        **texts.named_in("--arg", given["args_pairs"]),
        **texts.named_in("--arg-json", given["args_json_pairs"]),
    }


def args(files: InputFiles, given: Mapping[str, Any]) -> Json:
    """The workflow's args; ``{}`` without any.

    Raises:
        InputError: more than one was given, a text cannot be read or is not JSON, or a name comes twice.
    """
    text, file = given["args_json"], given["args_file"]
    pairs, json_pairs = given["args_pairs"], given["args_json_pairs"]
    if sum((text is not None, file is not None, bool(pairs or json_pairs))) > 1:
        raise InputError("give one of --args, --args-file and --arg (with --arg-json), not several")
    if text is not None:
        return texts.json_of(files, "--args", text)
    if file is not None:
        return texts.json_file(files, "--args-file", file)
    found = texts.unique("--arg", (_text(files, pair) for pair in pairs))
    more = json_values(files, "--arg-json", json_pairs, "NAME=JSON, such as --arg-json count=3")
    if both := found.keys() & more.keys():
        raise InputError(f"--arg and --arg-json both give {min(both)}; give it once")
    return found | more


def json_values(files: InputFiles, option: str, pairs: tuple[str, ...], expected: str) -> dict[str, Json]:
    """The values of an option ``NAME=JSON`` that may be repeated.

    Raises:
        InputError: one has another form, or a name comes twice.
    """

    def value(pair: str) -> tuple[str, Json]:
        name, word = texts.split(option, pair, expected)
        return name, texts.json_of(files, f"{option} {name}", word)

    return texts.unique(option, map(value, pairs))


def _text(files: InputFiles, pair: str) -> tuple[str, str]:
    name, word = texts.split("--arg", pair, "NAME=VALUE, such as --arg topic=whales")
    return name, texts.text_of(files, f"--arg {name}", word)

"""Commands for hosts and children in other languages: ``schema``, ``conformance`` and ``serve``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, FilePath, Seconds, fail, say
from flowcage.host.cli.operating import logs, metrics
from flowcage.host.cli.runs.times import in_unit_of
from flowcage.host.terminal.text import leave, safe
from flowcage.protocol.limits import MAX_LIMIT, Limits
from flowcage.protocol.messages import ISOLATIONS
from flowcage.schemas.loader import PROTOCOLS, Protocol

_MAX_DIGITS = len(str(MAX_LIMIT))


@click.command(cls=Command)
@click.argument("name", required=False)
@click.option("--bundle", "form", flag_value="bundle", help="All schemas in one JSON Schema document.")
@click.option("--openrpc", "form", flag_value="openrpc", help="The child's methods as an OpenRPC document.")
@click.option("--typescript", "form", flag_value="typescript", help="TypeScript types of the messages.")
@click.option("--protocol", type=click.Choice(PROTOCOLS), default="child", show_default=True,
              help="child: between a host and its child. host: that of `flowcage host`.")  # fmt: skip
def schema(name: str | None, form: str | None, protocol: Protocol) -> None:
    """Print a protocol's messages: the schema NAME, all in one form, or without arguments their names."""
    from flowcage.schemas.published import UnknownSchema, published

    if name and form:
        fail(exits.USAGE, f"give either NAME or --{form}")
    try:
        say(published(name, form, protocol).removesuffix("\n"))
    except UnknownSchema as error:
        fail(exits.USAGE, str(error))


@click.command(cls=Command)
@click.option("--child", metavar="CMD", help="Check this child: CMD speaks the protocol on stdin and stdout.")
@click.option("--host", metavar="CMD", help="Check this host: CMD runs {workflow} with the child {child}.")
@click.option("--service", metavar="CMD",
              help="Check this host of the host protocol: CMD speaks it on stdin and stdout.")  # fmt: skip
@click.option("--client", metavar="CMD",
              help="Check this client of it: CMD runs {workflow} with the host {host}.")  # fmt: skip
@click.option("--list", "only_list", is_flag=True, help="Show the checks and run none.")
@click.option("--only", metavar="PATTERN", help="Checks whose ids match, such as framing or '*/eof*'.")
@click.option("--level", type=click.Choice(["MUST", "SHOULD"]), help="MUST leaves out recommendations.")
@click.option("--timeout", type=Seconds(),
              help="Time for one answer (10s), or for one run of a host or client (30s).")  # fmt: skip
@click.option("--junit", type=FilePath(), help="File for the findings, as JUnit XML.")
def conformance(only_list: bool, **given: Any) -> None:
    """Check a child or a host, or a host or a client of the host protocol, in any language.

    Exit status: 0 all passed, 1 some failed, 2 usage, or CMD does not speak the protocol.
    """
    from flowcage.conformance import command

    request = command.Request(**given)
    try:
        if only_list:
            say(command.listing(request))
            return
        passed = command.check_conformance(request, say, safe)
    except command.Unusable as error:
        fail(exits.USAGE, str(error))
    if not passed:
        leave(exits.FAILED)


@click.command(cls=Command)
@click.option("--socket", "path", type=FilePath(),
              help="Path of the Unix socket; left out, the one that systemd hands over.")  # fmt: skip
@click.option("--mode", default="600", show_default=True, metavar="OCTAL",
              help="Permissions of the socket, as for chmod.")  # fmt: skip
@click.option("--allow-uid", "uids", type=click.IntRange(0), multiple=True,
              help="A user whose connections are served; may be repeated.  "
              "[default: the server's own user]")  # fmt: skip
@click.option("--cage", "--isolation", "isolation", type=click.Choice(ISOLATIONS), default="strict",
              show_default=True, help="The weakest that a peer may ask for; below strict there may be no "
              "cage.")  # fmt: skip
@click.option("--max-limit", "ceilings", metavar="NAME=N", multiple=True,
              help="The most that a peer may ask for, such as memoryBytes=1073741824 or cpuSeconds=2m.  "
              "[default: a run's default limits]")  # fmt: skip
@click.option("--max-connections", type=click.IntRange(1), default=100, show_default=True,
              help="Connections with a child, at once; allowed users have equal shares.")  # fmt: skip
@click.option("--max-waiting", type=click.IntRange(0), default=200, show_default=True,
              help="Further connections, without a child yet; allowed users have equal shares.")  # fmt: skip
@click.option("--handshake-timeout", type=Seconds(), default=10.0, show_default=True,
              help="Time to the first byte, and again from the fork to a closed cage.")  # fmt: skip
@click.option("--timeout", type=Seconds(), default=3600.0, show_default=True,
              help="Time for one connection with its child.")  # fmt: skip
@click.option("--grace", type=Seconds(), default=5.0, show_default=True,
              help="Time for open connections after SIGTERM or Ctrl-C.")  # fmt: skip
@metrics.option
@logs.option
def serve(path: Path | None, mode: str, uids: tuple[int, ...], **given: Any) -> None:
    """Give each connection to a Unix socket a fresh caged child, which speaks the wire contract on it.

    For hosts in other languages: forking is ten times as fast as starting a child. A peer that asks for a
    weaker isolation or for more than --max-limit gets the server's: the reply to initialize says what holds,
    the log on stderr what was refused. A connection whose cage is not closed in time is ended.
    """
    from flowcage.host.serve.program import serve_until_told_to_end
    from flowcage.host.serve.server import ServeLimits
    from flowcage.host.serve.socket import ListenError
    from flowcage.protocol.terms import Terms

    if re.fullmatch("0?[0-7]{3}", mode) is None:
        fail(exits.USAGE, f"--mode {mode}: expected three octal digits, such as 600 or 660")
    if len(set(uids)) > given["max_connections"]:
        fail(
            exits.USAGE,
            f"--max-connections {given['max_connections']}: there must be one for each --allow-uid, of "
            f"which there are {len(set(uids))}",
        )
    terms = Terms(given["isolation"], _ceilings(given["ceilings"]))
    limits = ServeLimits(
        given["max_connections"],
        given["max_waiting"],
        given["handshake_timeout"],
        given["timeout"],
        given["grace"],
    )
    address, tell = given["metrics_addr"], logs.teller(given["log_format"], "serve")
    expose = None if address is None else metrics.of_server(address, tell)
    peers = frozenset(uids) or None
    try:
        serve_until_told_to_end(path, int(mode, 8), peers, tell, limits=limits, terms=terms, expose=expose)
    except ListenError as error:
        fail(exits.USAGE, str(error))


def _ceilings(pairs: tuple[str, ...]) -> Limits:
    from flowcage.protocol.terms import ceilings

    chosen: dict[str, int] = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        value = in_unit_of(name, text)
        if not value.isascii() or not value.isdigit() or len(value) > _MAX_DIGITS:
            fail(
                exits.USAGE,
                f"--max-limit {pair}: expected NAME=N, such as --max-limit memoryBytes=1073741824",
            )
        chosen[name] = int(value)
    try:
        return ceilings(chosen)
    except ValueError as error:
        fail(exits.USAGE, f"--max-limit: {error}")

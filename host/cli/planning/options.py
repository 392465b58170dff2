"""The options of a plan; apart from what carries them out, which takes long to import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import fail

F = TypeVar("F", bound=Callable[..., Any])

MAX_ITEMS = 1_000
MAX_TOKENS = 1_000_000
_OPTIONS = (
    click.option("--plan", "is_plan", is_flag=True,
                 help="Ask nobody and spend nothing: run with answers that are made up by schemas, or come "
                 "from --fixtures, and print what would be asked, with an estimate of the cost."),
    click.option("--plan-items", type=click.IntRange(0, MAX_ITEMS),
                 help="Items of each array in an answer of a plan that is made up.  [default: 2]"),
    click.option("--plan-output-tokens", type=click.IntRange(0, MAX_TOKENS),
                 help="Tokens of an answer that a plan reckons with.  [default: 1000]"),
    click.option("--json", "as_json", is_flag=True, help="Print a plan as JSON."),
)  # fmt: skip
# Those that a plan has no use for: nothing is kept, and nobody is asked.
_ELSEWHERE = {
    "detach": "--detach",
    "store": "--store",
    "events": "--events",
    "metrics_addr": "--metrics-addr",
}


def planning(command: F) -> F:
    """Give a command the options of a plan."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def is_plan(given: Mapping[str, Any]) -> bool:
    """Whether a plan is asked for; options that do not go together end the command."""
    if not given["is_plan"]:
        for name, option in (("plan_items", "--plan-items"), ("plan_output_tokens", "--plan-output-tokens")):
            if given[name] is not None:
                fail(exits.USAGE, f"{option} is of a plan; give --plan, too")
        if given["as_json"]:
            fail(exits.USAGE, "--json is of a plan; without --plan the result is JSON anyway")
        return False
    for name, option in _ELSEWHERE.items():
        if given[name]:
            fail(exits.USAGE, f"{option} has no use with --plan, which keeps nothing; leave it out")
    if given["result_format"] == "raw":
        fail(exits.USAGE, "--format raw is of a result, and a plan has none; give text or json")
    return True

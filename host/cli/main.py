"""The command line: ``flowcage run`` and its kin.

stdout carries results and nothing else; messages and progress go to stderr. A command imports what it needs
when it runs, so that ``--help`` and ``--version`` import neither trio nor rich (tests/e2e/test_start_up.py).
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowcage.host.cli import exits
from flowcage.host.cli.checking.command import check
from flowcage.host.cli.checking.workflows import workflows
from flowcage.host.cli.console import Dollars, FilePath, Seconds, fail, note, say, to_the_end
from flowcage.host.cli.groups import Grouped
from flowcage.host.cli.hosting.command import host
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.inputs import workflow_args
from flowcage.host.cli.inputs.workflow_args import taking_args
from flowcage.host.cli.mcp.command import mcp
from flowcage.host.cli.names import completion
from flowcage.host.cli.names.workflow_path import WorkflowPath
from flowcage.host.cli.operating import metrics
from flowcage.host.cli.pages import ui
from flowcage.host.cli.planning.drawing import graph
from flowcage.host.cli.planning.options import is_plan, planning
from flowcage.host.cli.queueing.cluster import cluster
from flowcage.host.cli.queueing.scheduling import schedule
from flowcage.host.cli.queueing.submitting import submit
from flowcage.host.cli.queueing.working import worker
from flowcage.host.cli.runs import detaching, places, table
from flowcage.host.cli.runs.times import Length
from flowcage.host.cli.setup.options import choosing
from flowcage.host.cli.showing import is_asked, progress_of, showing
from flowcage.host.cli.starter.command import init
from flowcage.host.cli.wire import conformance, schema, serve
from flowcage.host.terminal import form
from flowcage.host.terminal.text import is_interactive, leave, safe, tell
from flowcage.protocol.limits import MAX_LIMIT
from flowcage.protocol.messages import DIALECTS, ISOLATIONS
from flowcage.protocol.version import PACKAGE_VERSION

if TYPE_CHECKING:
    from flowcage.host.events.records import Listener
    from flowcage.host.outcome.report import Outcome


class _Interrupted(BaseException):
    """Ctrl-C, in a form that click does not handle: it would write to stderr, and so wait for its reader."""


class _Commands(Grouped):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _Interrupted from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(PACKAGE_VERSION, prog_name="flowcage")
def cli() -> None:
    """Run untrusted JavaScript workflows, each in its own caged child process."""


@cli.command(epilog="Exit status: 0 done, 1 the workflow failed, or its agents did (--fail-on), 2 usage, "
             "75 no agent can be asked, see to the account, 124 timeout, 125 flowcage's fault, "
             "130 interrupted (129 hung up, 143 terminated), "
             "137 out of memory or killed.")  # fmt: skip
@click.argument("file", metavar="FILE|NAME", type=WorkflowPath())
@taking_args("The workflow's args")
@choosing
@click.option("--agent-timeout", type=Seconds(), help="Time for one attempt of an agent: seconds, or 90s, "
              "1h30m.  [default: 10m]")  # fmt: skip
@click.option("--agent-idle-timeout", type=Seconds(),
              help="Time without a sign of life, after which an attempt is over.  "
              "[default: none]")  # fmt: skip
@click.option("--timeout", type=Seconds(),
              help="Time for the whole run, without that in which it is asleep or nobody goes on with it.  "
              "[default: none, or 1h with --no-store]")  # fmt: skip
@click.option("--expires-in", type=Length(), help="A time such as 12h or 30d, after which a run that is kept "
              "is not gone on with any more.")  # fmt: skip
@click.option("--memory", type=click.IntRange(1, 1 << 20), default=128, show_default=True,
              help="MiB of JavaScript heap.")  # fmt: skip
@click.option("--limit", "limit_pairs", metavar="NAME=N", multiple=True,
              help="Any limit, such as cpuSeconds=10 or =2m; overrides all other options.")  # fmt: skip
@click.option("--limits", "limits_file", type=FilePath(allow_dash=True),
              help="Limits as a JSON object in a file, or - for stdin; --limit overrides it.")  # fmt: skip
@click.option("--cage", "--isolation", "isolation", type=click.Choice(ISOLATIONS),
              help="What to do where a layer of the cage is unavailable: fail (strict), go on without it "
              "(best_effort); none closes no cage. [default: strict on Linux]")  # fmt: skip
@click.option("--budget", type=click.IntRange(0, MAX_LIMIT),
              help="Ceiling on the agents' tokens: agent() is refused once they are spent.")  # fmt: skip
@click.option("--hard-budget/--soft-budget", default=None,
              help="Whether agent() is refused once the budget is spent, or the workflow only sees it.  "
              "[default: hard]")  # fmt: skip
@click.option("--max-cost", type=Dollars(),
              help="Ceiling on what the agents cost, in US dollars: agent() is refused once they are spent, "
              "or once a cost is not known.")  # fmt: skip
@click.option("--max-agents", type=click.IntRange(1), default=16, show_default=True,
              help="Agents at work at once.")  # fmt: skip
@click.option("--max-total-agents", type=click.IntRange(1), default=1000, show_default=True,
              help="How often agents are asked in the whole run; retries count.")  # fmt: skip
@click.option("--agent-failure", type=click.Choice(["null", "throw"]),
              help="What agent() does without an answer.  "
              "[default: null in scripts, throw in modules]")  # fmt: skip
@click.option("--fail-on", type=click.Choice(["none", "any", "all"]), default="all", show_default=True,
              help="Exit with 1 although the workflow completed: if any, or all, of its agent calls "
              "failed.")  # fmt: skip
@click.option("--root", type=FilePath(file_okay=False, exists=True),
              help="Folder that workflow() may start files from [default: FILE's].")  # fmt: skip
@click.option("--events", type=FilePath(), help="File for every event, as JSON Lines.")
@click.option("--dialect", type=click.Choice(DIALECTS), default="auto", show_default=True,
              help="How to read FILE.")  # fmt: skip
@click.option("--child-command", metavar="CMD",
              help="Program to run as the child, in place of flowcage's own. It must close its cage itself; "
              "with --cage strict the kernel is asked whether it has.")  # fmt: skip
@places.option("Store that keeps the run: a file, or postgresql://USER@HOST/DATABASE")
@click.option("--no-store", is_flag=True, help="Keep nothing of the run.")
@click.option("--no-store-prompts", is_flag=True,
              help="Keep digests of prompts and of programs, and no args of child workflows.")  # fmt: skip
@click.option("--no-prompt", is_flag=True, help="Ask nobody at the terminal; flowcage answer answers ask().")
@detaching.options
@planning
@metrics.option
@showing
def run(file: Path, **given: Any) -> None:
    """Run the workflow in FILE, or from stdin where FILE is -, and print its result.

    NAME is that of a file NAME.js or NAME.mjs here, in workflows, .flowcage/workflows or .claude/workflows,
    or in a folder of the user's; flowcage workflows lists the names.

    Where stdout is no terminal, that is one line of JSON that tells how the run ended.
    """
    from dataclasses import replace

    from flowcage.host.cli import arguments
    from flowcage.host.cli.events_file import EventsFile
    from flowcage.host.cli.operating.tracing import traced
    from flowcage.host.cli.outcomes.conclusion import Conclusion
    from flowcage.host.cli.outcomes.ending import Ending
    from flowcage.host.cli.people.prompt import prompt
    from flowcage.host.cli.progress import watched
    from flowcage.host.cli.runs import keeping
    from flowcage.host.cli.setup.choice import choose, may_ask
    from flowcage.host.run.run import Run

    if is_plan(given):
        from flowcage.host.cli.planning.command import carry_out

        carry_out(file, given)
    if given["detach"] and given["no_store"]:
        fail(exits.USAGE, "--detach needs a store, by which the run is found again; leave --no-store out")
    detaching.start_if(given)
    if given["detached"] is not None:
        given["store"] = places.absolute(keeping.place_of(given["store"]))  # without it, nothing is run
    with ExitStack() as stack:
        try:
            files = InputFiles({"FILE": file, **workflow_args.named(given), "--limits": given["limits_file"]})
            script = arguments.script(files, file, given["root"], given["dialect"])
            args = workflow_args.args(files, given)
            given["timeout"] = given["timeout"] or keeping.default_timeout(given["no_store"])
            told = choose(file.parent, given)
            options = arguments.options(files, file, modules=script.modules, **given)
            if given["store"] and given["no_store"]:
                raise InputError("give one of --store and --no-store, not both")
            conclusion = Conclusion.of_command(files, given)
            events = stack.enter_context(EventsFile(given["events"], files)) if given["events"] else None
        except InputError as error:
            fail(exits.USAGE, str(error))

        if told is not None and may_ask(script.text):
            note(told)
        ending = Ending(script, given["fail_on"], conclusion)
        ask = prompt(is_wanted=is_asked(given), is_kept=not given["no_store"])

        began = detaching.announced(given["detached"], given["store"], ending.begin)
        began = stack.enter_context(metrics.of_run(given["metrics_addr"], began))
        with_spans = stack.enter_context(traced())

        async def work(listener: Listener | None) -> Outcome:
            chosen = replace(options, listener=with_spans(ending.hears(listener)), ask=ask)
            if given["no_store"]:
                began(Run(chosen, script.name, run_id=ending.run_id), False)
                assert ending.run is not None
                return await ending.run.execute(script.text, args)
            settings = keeping.settings_of(file, options, given)
            return await keeping.carry_out(
                given["store"], script, args, chosen, ending.run_id, settings=settings, began=began
            )

        if events is not None and not events.has_reader and not given["quiet"]:
            note(f"note: --events {given['events']}: this pipe has no reader yet; the run does not wait")
        progress = progress_of(given, has_prompt=ask is not None)
        ending.of(lambda: watched(work, events, progress))


@cli.command()
def types() -> None:
    """Print TypeScript declarations for workflows: globals, modules, meta."""
    from flowcage.schemas.loader import author_types

    say(author_types().removesuffix("\n"))


@cli.command(epilog="Exit status: 0 ready, also with weaker isolation; 1 not ready.")
@click.option("--json", "as_json", is_flag=True, help="The checks as JSON.")
def doctor(as_json: bool) -> None:
    """Print what this machine has, what to do about what it lacks, and whether it is ready for runs.

    It looks at Python, memory, the engine, the layers of the cage, the store, agents and settings.
    """
    from flowcage.host.cli.operating.doctor import examine

    examined = to_the_end(examine)
    say(json.dumps(examined.to_json(), indent=2) if as_json else "\n".join(examined.lines()))
    if examined.verdict == "not_ready":
        leave(exits.FAILED)


_OTHERS = (
    init, workflows, check, graph, completion.completion, schema, conformance, serve, ui, mcp, host,
    submit, worker, schedule, cluster,
)  # fmt: skip
for command in (*table.COMMANDS, *_OTHERS):
    cli.add_command(command)


def _tell_misuse(error: click.ClickException) -> None:
    if form.is_json():
        note(error.format_message())
        return
    shown = StringIO()
    error.show(shown)
    tell(safe(shown.getvalue()).removesuffix("\n"))


def main() -> None:
    """The ``flowcage`` command."""
    # If SIGCHLD is inherited as ignored, the kernel reaps children and wait4() finds none.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    form.choose(sys.argv[1:])
    completion.tell_if_asked(cli)
    try:
        places.hide_secrets()
        cli(prog_name="flowcage", standalone_mode=False)  # a process of our own is begun with -c
    except click.ClickException as error:
        _tell_misuse(error)
        leave(exits.USAGE)
    except (KeyboardInterrupt, click.Abort, _Interrupted):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the message of the first one must come out whole
        if is_interactive() and not form.is_json():
            tell("")  # ends the line on which the terminal shows ^C
        fail(exits.INTERRUPTED, "interrupted")
    except OSError as error:  # the machine lacks something, such as descriptors: not a bug to be reported
        file = f"{error.filename}: " if error.filename else ""
        fail(exits.OUR_FAULT, f"{file}{error.strerror or error}")
    except Exception as error:
        fail(exits.OUR_FAULT, f"internal error, please report it: {exits.innermost(error)!r}")
    leave(exits.DONE)

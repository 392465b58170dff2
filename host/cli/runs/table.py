"""The commands about kept runs, in the order in which ``flowcage --help`` has them."""

from __future__ import annotations

from flowcage.host.cli.people.answer import answer
from flowcage.host.cli.report.command import report
from flowcage.host.cli.reuse.forking import fork
from flowcage.host.cli.runs.cancelling import cancel
from flowcage.host.cli.runs.commands import resume
from flowcage.host.cli.runs.looking.following import logs, wait
from flowcage.host.cli.runs.looking.listing import ls
from flowcage.host.cli.runs.looking.showing import result, show
from flowcage.host.cli.runs.looking.watch import watch
from flowcage.host.cli.runs.moving import export_run, import_runs
from flowcage.host.cli.runs.removing import prune, rm
from flowcage.host.cli.runs.replaying import replay
from flowcage.host.cli.runs.stack import stack
from flowcage.host.cli.runs.upkeep import store

COMMANDS = (
    *(resume, fork, answer, ls, show, watch, logs, report, result, wait, stack, replay, cancel, rm, prune),
    *(export_run, import_runs, store),
)

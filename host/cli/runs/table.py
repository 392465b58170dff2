"""The commands about kept runs, in the order in which ``flowcage --help`` has them."""

from __future__ import annotations

from flowcage.host.cli.runs.cancelling import cancel
from flowcage.host.cli.runs.commands import ls, result, resume, show
from flowcage.host.cli.runs.moving import export_run, import_runs
from flowcage.host.cli.runs.removing import prune, rm

COMMANDS = (resume, ls, show, result, cancel, rm, prune, export_run, import_runs)

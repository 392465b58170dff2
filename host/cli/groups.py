"""The commands by use, each in a line, for ``flowcage --help``."""

from __future__ import annotations

import click

from flowcage.host.cli.console import Command

GROUPS = {
    "Run a workflow": {
        "run": "Run a workflow, or with --plan only tell what it would ask for.",
        "check": "Say what is wrong with workflows, without running them.",
        "graph": "Draw what a workflow asks for.",
        "workflows": "List the workflows that have a name here.",
        "init": "Write settings, an example, and a skill for coding agents.",
        "types": "Print TypeScript declarations of the globals.",
    },
    "Look at runs": {
        "ls": "List the runs that are kept, the newest first.",
        "watch": "Follow a run, of whichever process, in a table.",
        "ui": "Show the runs in a browser, live, and act on them.",
        "report": "Write a run as a page in one file, Markdown, JSON or a trace.",
        "show": "Print how a run stands, and its calls by phase.",
        "logs": "Print what happened in a run.",
        "result": "Print the result of a run.",
        "stack": "Print what a run waits for, and where in its source.",
    },
    "Go on with runs": {
        "resume": "Go on with an interrupted run, or with an edited script.",
        "fork": "Run it again from some turn, or with other answers.",
        "answer": "Answer a question that a run asks a person.",
        "wait": "Wait until a run has ended.",
        "cancel": "End a run.",
        "replay": "Carry out a run once more with nobody asked, and compare.",
    },
    "Run on many machines": {
        "submit": "Put a workflow into the queue of a store, for any worker.",
        "worker": "Take runs from that queue and carry them out.",
        "schedule": "Have workers begin runs at times, in the words of cron.",
        "cluster": "Print the workers of a store, and what its queue has.",
    },
    "Keep runs": {
        "rm": "Remove runs that are over.",
        "prune": "Remove runs that ended long ago.",
        "export": "Write a run to a file.",
        "import": "Read runs from such a file.",
        "store": "Encrypt a store anew, and sweep what lies outside of it.",
    },
    "This machine, and other languages": {
        "completion": "Print what a shell needs to complete what is typed.",
        "doctor": "Print what this machine has and lacks, and whether it is ready.",
        "mcp": "Offer workflows and runs to a coding agent, over MCP.",
        "host": "Run workflows for programs in any language, which answer what they ask.",
        "serve": "Give each connection to a socket a fresh caged child.",
        "schema": "Print the messages of a child, or of flowcage host.",
        "conformance": "Check a child, a host or a client, in any language.",
    },
}


class Grouped(Command, click.Group):
    """A group whose help lists its commands by use."""

    command_class = Command

    def list_commands(self, _: click.Context) -> list[str]:
        """All of them, in the order of `GROUPS`."""
        return [name for commands in GROUPS.values() for name in commands]

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group."""
        width = max(map(len, self.commands))
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:<{width}}", told) for name, told in commands.items()])

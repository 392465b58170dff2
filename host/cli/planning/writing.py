"""A drawing or a plan, on stdout or in a file."""

from __future__ import annotations

import os
from pathlib import Path

from flowcage.host.cli import exits
from flowcage.host.cli.console import fail, say
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.outcomes.output_file import open_output
from flowcage.host.terminal.line_sink import write_all


def put(files: InputFiles, path: Path | None, text: str) -> None:
    """Write a text; where it cannot be written, leave with a message.

    Args:
        files: that were read, and are not written over.
        path: of the file; None for stdout.
        text: of whole lines.
    """
    if path is None:
        say(text.removesuffix("\n"))
        return
    what = f"--output {path}"
    try:
        descriptor = open_output(what, path, files)
        if descriptor is None:
            fail(exits.USAGE, f"{what}: this pipe has no reader")
        try:
            write_all(descriptor, text.encode("utf-8", "replace"))
        finally:
            os.close(descriptor)
    except InputError as error:
        fail(exits.USAGE, str(error))
    except OSError as error:
        fail(exits.USAGE, f"{what}: cannot be written: {error.strerror}")

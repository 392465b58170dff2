"""The command ``flowcage init``."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path, PurePosixPath

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, FilePath, fail, note
from flowcage.host.cli.runs import access
from flowcage.host.terminal.text import leave

# Where each file of the package is put.
_FILES = {
    "flowcage.toml": "flowcage.toml",
    "example.js": ".flowcage/workflows/example.js",
    "skill.md": ".claude/skills/flowcage/SKILL.md",
}
_NEXT = (
    "flowcage check example",
    "flowcage run example --agent mock    # with answers that are made up",
    "flowcage run example --plan          # what it would cost",
)
# Without O_NOFOLLOW, a link in a folder that was checked out would have files written elsewhere.
_FOLDER = os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


@click.command(cls=Command, name="init")
@click.argument("folder", type=FilePath(file_okay=False, exists=True), default=".")
@access.JSON
def init(folder: Path, as_json: bool) -> None:
    """Write what a project begins with into FOLDER: settings, an example, and a skill for coding agents.

    A file that is there already is left alone, whatever is in it.
    """
    wrote: list[str] = []
    kept: list[str] = []
    failed: list[str] = []
    for name, path in _FILES.items():
        try:
            (wrote if _is_written(folder, PurePosixPath(path), _text(name)) else kept).append(path)
        except OSError as error:
            failed.append(f"{folder / path}: cannot be written: {_why(error)}")
    lines = [f"wrote {folder / path}" for path in wrote]
    lines += [f"left alone {folder / path}, which is there already" for path in kept]
    lines += () if failed else [f"next{'' if folder == Path() else f', in {folder}'}:", *_NEXT]
    access.say_all(lines, {"wrote": wrote, "leftAlone": kept}, as_json=as_json)
    for message in failed[:-1]:
        note(message)
    if failed:
        fail(exits.USAGE, failed[-1])
    leave(exits.DONE)


def _text(name: str) -> bytes:
    return files("flowcage.host.cli.starter").joinpath("files", name).read_bytes()


def _why(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return f"{error.filename} is a symbolic link or no folder; nothing is written through it"
    return error.strerror or str(error)


def _is_written(root: Path, path: PurePosixPath, data: bytes) -> bool:
    """Whether a file was written; False where there is one, or anything else of its name.

    Raises:
        OSError: it cannot be written, or a folder on the way is a symbolic link.
    """
    with _folder(root, path.parent.parts) as folder:
        try:
            descriptor = os.open(path.name, _NEW, 0o666, dir_fd=folder)
        except FileExistsError:
            return False
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
        except OSError:
            with suppress(OSError):  # a part of it would be taken for the whole by the next time
                os.unlink(path.name, dir_fd=folder)
            raise
    return True


@contextmanager
def _folder(root: Path, names: tuple[str, ...]) -> Iterator[int]:
    """The descriptor of a folder below the root, which is made where it is missing."""
    descriptor = os.open(root, os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=descriptor)
            inner = os.open(name, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)

"""Workflow files: reading them, and which of them a workflow may start as a child."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from flowcage.host.errors import FlowcageError, RequestRejected, RunError, WorkflowFailed
from flowcage.host.run import Run
from flowcage.protocol.framing import DEFAULT_MAX_MESSAGE_BYTES
from flowcage.protocol.messages import MISSING, Json, WorkflowRequest


class SourceFileError(FlowcageError):
    """A workflow file that cannot be read as one; the message names it and says what to do."""


def read_source(path: Path, name: str | None = None, *, only_regular: bool = False) -> str:
    """Read a workflow's source.

    Args:
        path: the file.
        name: what errors call it, where that is not the path.
        only_regular: refuse pipes and devices, whose reading could block for ever.

    Raises:
        SourceFileError: missing, a folder, unreadable, too large, or not UTF-8 (with the byte's place).
    """
    name = str(path) if name is None else name
    try:
        data = _read(path, only_regular)
    except FileNotFoundError:
        raise SourceFileError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise SourceFileError(f"{name}: is a folder; name a workflow file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SourceFileError(f"{name}: cannot be read: {reason}") from None
    if len(data) > DEFAULT_MAX_MESSAGE_BYTES:
        raise SourceFileError(f"{name}: longer than {DEFAULT_MAX_MESSAGE_BYTES} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceFileError(
            f"{name}:{line}: not UTF-8 (byte 0x{data[error.start]:02x} at offset {error.start}); "
            "save the file as UTF-8"
        ) from None


def _read(path: Path, only_regular: bool) -> bytes:
    # Without O_NONBLOCK, opening a named pipe would wait for somebody to write to it.
    flags = os.O_RDONLY | os.O_CLOEXEC | (os.O_NONBLOCK if only_regular else 0)
    descriptor = os.open(path, flags)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if only_regular and not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(DEFAULT_MAX_MESSAGE_BYTES + 1)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class ChildWorkflows:
    """Answers ``workflow({scriptPath})`` from files.

    Attributes:
        root: no file outside this folder is read, whatever ``..`` or symbolic links say.
    """

    root: Path

    async def __call__(self, run: Run, request: WorkflowRequest) -> Json:
        """Run a file relative to the parent's, on the parent's account, one level deep.

        Raises:
            RequestRejected: it may not be run, or did not end with a result.
        """
        if run.depth > 0:
            raise RequestRejected("a child workflow cannot start workflows of its own")
        if isinstance(request.ref, str):
            raise RequestRejected(
                f"there is no workflow named {request.ref!r} here; use workflow({{scriptPath: '…'}})"
            )
        # The workflow knows the file by this name; where it lies is no business of untrusted code.
        name = str(request.ref.get("scriptPath"))
        path = self._resolve(run, name)
        args = {} if request.args is MISSING else request.args
        try:
            return await run.run_child(read_source(path, name, only_regular=True), name, args)
        except (SourceFileError, RunError) as error:
            place = error.place if isinstance(error, WorkflowFailed) else ""
            why = f"{place}: {error}" if place else str(error)
            raise RequestRejected(f"workflow {name!r} failed: {why}") from error

    def _resolve(self, run: Run, script_path: str) -> Path:
        root = self.root.resolve()
        try:
            path = (Path(run.source_name).parent / script_path).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise RequestRejected(f"workflow {script_path!r}: not a path: {error}") from None
        if not path.is_relative_to(root):
            raise RequestRejected(f"workflow {script_path!r} lies outside the root folder")
        return path

"""Workflow files: reading them, and which of them a workflow may start as a child."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flowcage.host.errors import FlowcageError, RequestRejected, RunError, WorkflowFailed
from flowcage.host.run import Run
from flowcage.protocol.framing import DEFAULT_MAX_MESSAGE_BYTES
from flowcage.protocol.messages import MISSING, Json, WorkflowRequest


class SourceFileError(FlowcageError):
    """A workflow file that cannot be read as one; the message names it and says what to do."""


def read_source(path: Path) -> str:
    """Read a workflow's source.

    Raises:
        SourceFileError: missing, a folder, unreadable, too large, or not UTF-8 (with the byte's place).
    """
    try:
        with path.open("rb") as file:
            data = file.read(DEFAULT_MAX_MESSAGE_BYTES + 1)
    except FileNotFoundError:
        raise SourceFileError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise SourceFileError(f"{path}: is a folder; name a workflow file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SourceFileError(f"{path}: cannot be read: {reason}") from None
    if len(data) > DEFAULT_MAX_MESSAGE_BYTES:
        raise SourceFileError(f"{path}: longer than {DEFAULT_MAX_MESSAGE_BYTES} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceFileError(
            f"{path}:{line}: not UTF-8 (byte 0x{data[error.start]:02x} at offset {error.start}); "
            "save the file as UTF-8"
        ) from None


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
        path = self._resolve(run, str(request.ref.get("scriptPath")))
        args = {} if request.args is MISSING else request.args
        try:
            return await run.run_child(read_source(path), str(path), args)
        except (SourceFileError, RunError) as error:
            place = error.place if isinstance(error, WorkflowFailed) else ""
            why = f"{place}: {error}" if place else str(error)
            raise RequestRejected(f"workflow {request.ref['scriptPath']!r} failed: {why}") from error

    def _resolve(self, run: Run, script_path: str) -> Path:
        root = self.root.resolve()
        try:
            path = (Path(run.source_name).parent / script_path).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise RequestRejected(f"workflow {script_path!r}: not a path: {error}") from None
        if not path.is_relative_to(root):
            raise RequestRejected(f"workflow {script_path!r} lies outside the root folder")
        return path

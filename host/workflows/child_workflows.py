"""Which workflow files a workflow may start as a child."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from flowcage.host.outcome.errors import (
    ChildSilent,
    MemoryExceeded,
    OutputExceeded,
    RequestRejected,
    RunError,
    RunTimedOut,
    WorkflowFailed,
    WorkflowStalled,
)
from flowcage.host.run.options import Caller, KeptChild
from flowcage.host.terminal.near_match import did_you_mean
from flowcage.host.workflows.beneath import OutsideRoot, relative_to
from flowcage.host.workflows.names import (
    MAX_NAME_CHARACTERS,
    WORKFLOWS_FOLDERS,
    file_paths,
    is_name,
    names_in,
    stem,
)
from flowcage.host.workflows.siblings import sibling_modules
from flowcage.host.workflows.source_files import NoSuchFile, SourceFileError, text_below
from flowcage.protocol.messages import MISSING, Json, WorkflowRequest


@dataclass(frozen=True)
class ChildWorkflows:
    """Answers ``workflow({scriptPath})`` and ``workflow('name')`` from files.

    A path is relative to the folder of its caller. A name is that of a file, `.js` or `.mjs`,
    beside its caller, in one of `WORKFLOWS_FOLDERS` below the root, or elsewhere, in this order. What the
    caller gets to see of the file's place, in errors, stacks and events, is its path below its root.

    Attributes:
        root: no file outside this folder is read, whatever ``..`` or symbolic links say.
        folder: where the workflow lies that the host started; left out, its source name is its path below the
            root, or an absolute one.
        elsewhere: further folders for names, each as its root and its path below that.
    """

    root: Path
    folder: Path | None = None
    elsewhere: tuple[tuple[Path, str], ...] = ()

    async def __call__(self, caller: Caller, request: WorkflowRequest) -> Json:
        """Run a file on the parent's account, one level deep.

        Raises:
            RequestRejected: it may not be run, or did not end with a result.
        """
        if caller.depth > 0:
            raise RequestRejected("a child workflow cannot start workflows of its own")
        asked = _name_of(request)
        try:
            return await caller.run_child(*await self._found(caller, request, asked))
        except (SourceFileError, RunError) as error:
            raise as_rejection(request, error) from error

    async def _found(self, caller: Caller, request: WorkflowRequest, asked: str) -> KeptChild:
        args = {} if request.args is MISSING else request.args
        if (kept := caller.kept) is not None:  # what became of the file does not matter
            return kept._replace(args=args) if kept.args is MISSING else kept
        find = self._named if isinstance(request.ref, str) else self._at_path
        # In a thread: a disk, or whoever serves the file system, may take its time.
        root, name, source = await trio.to_thread.run_sync(
            find, self._beside(caller), asked, abandon_on_cancel=True
        )
        return KeptChild(source, name, args, await sibling_modules(source, name, root))

    def named(self, name: str) -> tuple[Path, str, str]:
        """A workflow by its name: the root and the path below it, and its text. It reads files.

        Raises:
            RequestRejected: there is none, or it is ambiguous.
        """
        return self._named(str(self.root), name)

    def _beside(self, caller: Caller) -> str:
        """The folder of the caller, as an absolute path, by the name that lies below the root if one does."""
        folder = self.folder or (self.root / caller.source_name).parent
        names = [os.path.abspath(folder), os.path.realpath(folder)]
        return next((name for name in names if relative_to(self.root, name) is not None), names[0])

    def _at_path(self, beside: str, script_path: str) -> tuple[Path, str, str]:
        path = relative_to(self.root, os.path.join(beside, script_path))
        if path is None:
            raise RequestRejected(f"workflow {script_path!r} lies outside the root folder")
        return self.root, *self._read(path, script_path)

    def _named(self, beside: str, name: str) -> tuple[Path, str, str]:
        if not is_name(name):
            raise RequestRejected(
                f"{name[:MAX_NAME_CHARACTERS]!r} is no workflow's name: it may hold no '/' and no '\\', not "
                f"begin with '.', and have {MAX_NAME_CHARACTERS} characters at most; "
                "for a path use workflow({scriptPath: '…'})"
            )
        below = relative_to(self.root, beside)
        own = dict.fromkeys((*(() if below is None else (below,)), *WORKFLOWS_FOLDERS))
        for root, folder in (*((self.root, each) for each in own), *self.elsewhere):
            if found := replace(self, root=root)._in_folder(folder, name):
                return root, *found
        raise RequestRejected(self._unknown(name, list(own)))

    def _unknown(self, name: str, own: list[str]) -> str:
        files = " or ".join(file_paths(".", name))
        others = ", and in the folders of project and user" if self.elsewhere else ""
        names = names_in(self.root, own)
        names += [each for root, folder in self.elsewhere for each in names_in(root, [folder])]
        hint = did_you_mean(stem(name), names)
        where = f"{', '.join(own)} below the root folder{others}"
        return f"there is no workflow {name!r}: no {files} in {where}{hint}"

    def _in_folder(self, folder: str, name: str) -> tuple[str, str] | None:
        found = []
        for path in file_paths(folder, name):
            try:
                found.append(self._read(path, path))
            except NoSuchFile:
                continue
        if len(found) > 1:
            raise RequestRejected(
                f"the workflow {name!r} is ambiguous: there are {' and '.join(path for path, _ in found)}; "
                "use workflow({scriptPath: '…'})"
            )
        return found[0] if found else None

    def _read(self, path: str, name: str) -> tuple[str, str]:
        """The path below the root as errors and stacks have it, and the text."""
        try:
            return os.path.normpath(path), text_below(self.root, path, name)
        except OutsideRoot:
            raise RequestRejected(f"workflow {name!r} lies outside the root folder") from None


# Their text is of the workflow's own doing. Others may tell of the host: where its programs lie, what its
# handlers raised, what a child said on stderr. The event `child_ended` has it all.
_TELLABLE = (
    SourceFileError,
    WorkflowFailed,
    WorkflowStalled,
    RunTimedOut,
    ChildSilent,
    MemoryExceeded,
    OutputExceeded,
)


def as_rejection(request: WorkflowRequest, error: SourceFileError | RunError) -> RequestRejected:
    """What the parent is told of a child workflow without a result."""
    return RequestRejected(f"workflow {_name_of(request)!r} failed: {_for_workflows(error)}")


def _name_of(request: WorkflowRequest) -> str:
    return request.ref if isinstance(request.ref, str) else str(request.ref.get("scriptPath"))


def _for_workflows(error: SourceFileError | RunError) -> str:
    if isinstance(error, WorkflowFailed) and error.place:
        return f"{error.place}: {error}"
    if isinstance(error, RunError) and not isinstance(error, _TELLABLE):
        return f"it ended as {error.verdict}"
    return str(error)

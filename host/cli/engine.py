"""How the installed JavaScript engine was built, and what to say about that."""

from __future__ import annotations

import importlib.metadata
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowcage.host.outcome.usage import Usage

_INSTALL = "pip install --force-reinstall --no-cache-dir --no-binary quickjs-ng quickjs-ng"
# A run that has computed for so long would have ended noticeably earlier.
_NOTICEABLE_SECONDS = 1.0


def engine_build() -> str:
    """Whether quickjs-ng was built on this machine from source, or is the slower prebuilt wheel."""
    tags = _foreign_tags()
    if tags is None:
        return "built from source (optimised)"
    compiler = "a C compiler is installed" if shutil.which("cc") else "install a C compiler first"
    return (
        f"prebuilt wheel ({', '.join(tags) or 'no tag'}): 2 to 3 times slower than a build from source; "
        f"{compiler}: {_INSTALL}"
    )


def note_on(usage: Usage) -> str | None:
    """What to say at the end of a run that has computed for long with the slower engine; None for others."""
    if usage.user_cpu_seconds < _NOTICEABLE_SECONDS or _foreign_tags() is None:
        return None
    return (
        f"note: the workflow used {usage.user_cpu_seconds:.1f} s of CPU with a prebuilt engine, which is "
        "2 to 3 times slower than one built from source; `flowcage doctor` says how to build it"
    )


def _foreign_tags() -> list[str] | None:
    """The platform tags of a wheel that was built elsewhere; None where the engine was built here.

    A wheel from the package index has a manylinux, musllinux or macOS platform tag in its WHEEL file; one
    that pip has built has this machine's plain tag, such as linux_x86_64.
    """
    text = importlib.metadata.distribution("quickjs-ng").read_text("WHEEL") or ""
    tags = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("Tag:")]
    if any("linux_" in tag and "manylinux" not in tag and "musllinux" not in tag for tag in tags):
        return None
    return tags

"""The command line of a child's interpreter, which skips `site` where all is found without it.

`site` looks through site-packages for .pth files and carries out their lines: a third of the time that an
interpreter takes to start, more beside editable installs, and code in a child that no child needs.
"""

from __future__ import annotations

import os
import site
import sys
from importlib.machinery import PathFinder

# What a child imports that is neither Python's nor ours.
_PACKAGES = ("_quickjs", "tree_sitter", "tree_sitter_javascript", "jsonschema_rs")


def child_command(module: str, main: str) -> tuple[str, ...]:
    """An interpreter in isolated mode with its program, whose arguments follow.

    Isolated (``-I``): no PYTHON* variables, no user site, no current folder on the path.

    Args:
        module: the program as ``python -m`` takes it, for where `site` is needed.
        main: as in `without_site`.
    """
    return without_site(main) or (sys.executable, "-I", "-m", module)


def without_site(main: str) -> tuple[str, ...] | None:
    """The same without `site`, and without garbage collection, which the program turns on when it has loaded.

    Args:
        main: the module with the program's function `main`.

    Returns:
        None where what a child imports is not found by the name of a folder alone.
    """
    folders = _folders()
    if folders is None:
        return None
    program = (
        f"import gc, sys; gc.disable(); sys.path += {folders!r}; "
        f"from flowcage._kept_modules import use; use({main!r}); from {main} import main; main()"
    )
    return (sys.executable, "-I", "-S", "-c", program)


def _folders() -> list[str] | None:
    """The folders that a child imports from.

    Packages are looked for in site-packages only: elsewhere on `sys.path` may be the current folder. The
    folder of flowcage comes last, because that of a checkout holds more than flowcage.
    """
    folders: list[str] = []
    for package in _PACKAGES:
        found = [each for each in site.getsitepackages() if PathFinder.find_spec(package, [each]) is not None]
        if not found:
            return None
        folders.append(found[0])
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if PathFinder.find_spec("flowcage", [own]) is None:
        return None
    return list(dict.fromkeys([*folders, own]))

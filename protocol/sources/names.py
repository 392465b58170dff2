"""Names of the modules that a workflow imports: the one rule that host, child and clients name them by.

A module is named as the source of the workflow is: by a path with ``/``, which is a name and nothing else.
The child finds it among the modules that the host has given it, and opens no file. The name of an import is
the path of the folder of the module that has it, joined with the specifier, and made normal by its text
alone: without empty steps and ``.``, and with ``..`` at the beginning only. So there is one name for each
module of a run, and it tells no more of the host than the name of the source does.
"""

from __future__ import annotations

# Of the modules beside the source in one message. Each that imports the next holds frames of the C stack.
MAX_MODULES = 64
MAX_NAME_CHARACTERS = 4096
# Names of modules that the child itself has begin so.
VIRTUAL = "workflow:"


def is_relative(specifier: str) -> bool:
    """Whether an import names a file beside its own, and not a package, a URL or an absolute path."""
    return specifier.startswith(("./", "../"))


def module_name(importer: str, specifier: str) -> str | None:
    """The name of the module that an import names.

    Args:
        importer: name of the module, or of the workflow's source, that has the import.
        specifier: as it is written there.

    Returns:
        None where no module can have it: it is not relative, leads above ``/``, names a folder, is too
        long, or holds a control character or a backslash.
    """
    if not is_relative(specifier) or any(each < " " or each in "\\\x7f" for each in specifier):
        return None
    folder = importer.rpartition("/")[0]
    steps: list[str] = []
    for step in (*folder.split("/"), *specifier.split("/")):
        if step == ".." and steps and steps[-1] != "..":
            steps.pop()
        elif step == ".." and importer.startswith("/"):
            return None
        elif step not in ("", "."):
            steps.append(step)
    if specifier.rpartition("/")[2] in ("", ".", ".."):
        return None
    name = ("/" if importer.startswith("/") else "") + "/".join(steps)
    return None if name.startswith(VIRTUAL) or len(name) > MAX_NAME_CHARACTERS else name

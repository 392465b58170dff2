"""The code of every module that a program of the child imports, kept in one file.

To import a module, Python looks through the folders of `sys.path`, reads a file of bytecode, and compares it
with its source. For the hundred modules of a child that is a fifth of its start. So a program that has loaded
everything keeps their bytecode in one file beside flowcage's own, in ``__pycache__``; the next one takes each
module from there when it is imported.

The file is trusted as bytecode is: who can write it can write the bytecode. It is used only if it was made by
the same interpreter with the same `sys.path`, and each source has the size and the time of modification that
it had then. Where it cannot be written, or is damaged, everything is imported as usual. A module that comes
later in a folder in front of another is not seen; a child's folders are fixed.

Here, and not in `flowcage.child`: nothing may be imported before `use` that it could find in the file.
"""

from __future__ import annotations

import _imp
import marshal
import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import ExtensionFileLoader, SourceFileLoader

TYPE_CHECKING = False  # what type checkers take for True, without importing typing
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

# Of a module: its file, the file's time and size, whether it is a package, and where its bytecode begins and
# ends among that of all; both are 0 for an extension.
_Kept = tuple[str, int, int, bool, int, int]
# The file begins with two numbers: where the bytecode of all modules begins, and where it ends.
_HEAD_BYTES = 16


def use(program: str) -> None:
    """Import from here on what was kept for a program, if it is still so. A second call does nothing."""
    global _file, _bytecode
    if _file is not None:
        return
    _file = _file_of(program)
    try:
        with open(_file, "rb") as file:
            content = memoryview(file.read())
        start, end = (int.from_bytes(content[at : at + 8]) for at in (0, 8))
        if len(content) != end:
            return
        kept: dict[str, _Kept] = marshal.loads(content[_HEAD_BYTES:start])
        for path, changed, size, *_ in kept.values():
            status = os.stat(path)
            if status.st_mtime_ns != changed or status.st_size != size:
                return
    except (OSError, ValueError, TypeError, EOFError, AttributeError):  # there is none, or it is damaged
        return
    _modules.update(kept)
    _bytecode = content[start:]
    sys.meta_path.insert(0, _Importer)


def keep() -> None:
    """Keep all modules that are loaded for the next `use`, and free what this one has read.

    Call it when everything is loaded. Nothing is written where the modules were taken from the file.
    """
    global _bytecode
    if _file is not None and not _modules and not sys.dont_write_bytecode:
        _write(_file)
    _modules.clear()
    _bytecode = memoryview(b"")


def _write(path: str) -> None:
    from contextlib import suppress  # here, because `use` comes before all imports of files

    # More than one process may do so at once: each writes a file of its own first.
    own = f"{path}.{os.getpid()}"
    try:
        modules, bytecode = _loaded()
        index = marshal.dumps(modules)
        start = _HEAD_BYTES + len(index)
        with open(own, "xb") as file:
            os.fchmod(file.fileno(), 0o644)  # a zygote's umask would let nobody else read it
            file.write(start.to_bytes(8) + (start + len(bytecode)).to_bytes(8) + index + bytecode)
        os.replace(own, path)
    # The folder may belong to somebody else, the disk be full, or a source just have been changed.
    except (OSError, ImportError, SyntaxError):
        with suppress(OSError):
            os.unlink(own)


_file: str | None = None
_modules: dict[str, _Kept] = {}
_bytecode = memoryview(b"")


class _Importer:
    """Finds modules that were kept, before all other finders, and executes them."""

    @classmethod
    def find_spec(
        cls, fullname: str, _path: Sequence[str] | None = None, _target: object = None
    ) -> ModuleSpec | None:
        if fullname not in _modules:
            return None
        path, _, _, is_package, _, end = _modules[fullname]
        if not end:
            return ModuleSpec(fullname, ExtensionFileLoader(fullname, path), origin=path)
        spec = ModuleSpec(fullname, cls, origin=path, is_package=is_package)  # type: ignore[arg-type]
        if is_package:
            spec.submodule_search_locations = [os.path.dirname(path)]
        return spec

    @staticmethod
    def create_module(_spec: ModuleSpec) -> ModuleType | None:
        return None  # the usual one

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        path, *_, start, end = _modules[module.__name__]
        module.__file__ = path
        exec(marshal.loads(_bytecode[start:end]), module.__dict__)


def _file_of(program: str) -> str:
    interpreter = repr((sys.version, sys.path, sys.flags.optimize)).encode()
    name = f"{program}.{sys.implementation.cache_tag}-{_imp.source_hash(1, interpreter).hex()}.modules"
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "__pycache__", name)


def _loaded() -> tuple[dict[str, _Kept], bytes]:
    modules: dict[str, _Kept] = {}
    bytecode = b""
    for name, module in sys.modules.items():
        spec = getattr(module, "__spec__", None)
        loader = getattr(spec, "loader", None)
        if spec is None or spec.origin is None or name != spec.name:
            continue
        start = end = 0
        if isinstance(loader, SourceFileLoader):
            start = len(bytecode)
            bytecode += marshal.dumps(loader.get_code(name))
            end = len(bytecode)
        elif not isinstance(loader, ExtensionFileLoader):  # built in, or frozen
            continue
        status = os.stat(spec.origin)
        is_package = spec.submodule_search_locations is not None
        modules[name] = (spec.origin, status.st_mtime_ns, status.st_size, is_package, start, end)
    return modules, bytecode

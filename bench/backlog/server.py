"""A Postgres server for one session of measuring, in a temporary folder, as durable as it is by default."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
_USER = "nobody"  # the server refuses to be run by root


@contextmanager
def server(parent: str | None = None) -> Iterator[str]:
    """The address of a server that ends with the block.

    Args:
        parent: a folder on the disk that is measured; left out, that of temporary files.
    """
    found = shutil.which("initdb")
    programs = next(iter([*_PROGRAMS, *([Path(found).parent] if found else [])]), None)
    if programs is None:
        raise SystemExit("bench/engines.py needs the programs of a Postgres server, or --postgres ADDRESS")
    folder = Path(tempfile.mkdtemp(prefix="flowcage-bench-", dir=parent))
    if os.getuid() == 0:
        folder.chmod(0o755)
        shutil.chown(folder, _USER, "nogroup")
    data = folder / "data"
    try:
        _run([programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust"])
        options = f"-k {folder} -c listen_addresses='' -c max_connections=100"
        _run([programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"])
        yield f"host={folder} user=postgres dbname=postgres"
        _run([programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: Sequence[str | Path]) -> None:
    as_user = ["setpriv", "--reuid", _USER, "--regid", "nogroup", "--clear-groups"]
    whole = [*(as_user if os.getuid() == 0 else []), *map(str, command)]
    subprocess.run(whole, check=True, cwd="/", stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

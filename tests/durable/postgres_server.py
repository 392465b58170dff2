"""A Postgres server of the tests' own, in a temporary folder, for as long as a pytest process wants it.

    python -m tests.durable.postgres_server FOLDER

That starts one and keeps it while anybody has ``FOLDER/wanted`` open for writing: it ends with the last
process that does, however that ends. `address_for` starts it once for all workers of a run.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
BINARIES = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/local/pgsql/bin"))
USER = "nobody"  # the server refuses to be run by root
PORT = 5432  # of a socket in a folder of its own


def binaries() -> Path | None:
    """The folder of the server's programs."""
    found = shutil.which("initdb")
    places = (*BINARIES, *([Path(found).parent] if found else []))
    return next((each for each in places if (each / "initdb").exists()), None)


def address_for(shared: Path) -> str:
    """The address of a server, which is started where none is there yet.

    Args:
        shared: a folder that all workers have.
    """
    with (shared / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        link = shared / "postgres"
        if not (link.exists() and _joined(link)):
            link.unlink(missing_ok=True)
            link.symlink_to(tempfile.mkdtemp(prefix="flowcage-postgres-"))
            os.mkfifo(link / "wanted")
            server = subprocess.Popen(
                [sys.executable, "-m", "tests.durable.postgres_server", str(link.resolve())],
                cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, start_new_session=True,
            )  # fmt: skip
            os.open(link / "wanted", os.O_WRONLY)  # for as long as this process lives
            assert server.stdout is not None
            with server.stdout:
                assert server.stdout.readline() == "ready\n"
            assert server.wait() == 0
    return f"host={link.resolve()} port={PORT} user=postgres dbname=postgres"


def _joined(link: Path) -> bool:
    try:
        os.open(link / "wanted", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # its server has ended
        return False
    return True


def as_server(words: Sequence[str | Path]) -> list[str]:
    """A command that the server's user gives."""
    as_user = ["setpriv", "--reuid", USER, "--regid", "nogroup", "--clear-groups"] if os.getuid() == 0 else []
    return [*as_user, *map(str, words)]


def start(folder: Path, programs: Path) -> None:
    initialise(folder, programs)
    settings = {"listen_addresses": "''", "fsync": "off", "max_connections": "100", "autovacuum": "off"}
    begin(folder, programs, settings)


def initialise(folder: Path, programs: Path) -> None:
    """Make the files of a server."""
    data = folder / "data"
    if os.getuid() == 0:
        folder.chmod(0o755)
        shutil.chown(folder, USER, "nogroup")
    initdb = as_server([programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"])
    subprocess.run(initdb, check=True, cwd="/", stdout=subprocess.DEVNULL)


def begin(folder: Path, programs: Path, settings: Mapping[str, str]) -> None:
    """Start a server whose files are there."""
    given = [f"-p {PORT} -k {folder}", *(f"-c {name}={value}" for name, value in settings.items())]
    control(folder, programs, "start", "-l", folder / "log", "-o", " ".join(given))


def control(folder: Path, programs: Path, *words: str | Path) -> None:
    """Run pg_ctl. What it is told to start is not this process's to wait for."""
    subprocess.run(
        as_server([programs / "pg_ctl", "-D", folder / "data", "-w", "-t", "120", *words]),
        check=True, cwd="/", stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def main(folder: Path) -> None:
    programs = binaries()
    assert programs is not None
    with (folder / "wanted").open("rb") as wanted:
        start(folder, programs)
        print("ready", flush=True)
        if os.fork():
            os._exit(0)  # tests ask whether they have children, and this is none of theirs
        wanted.read()
    control(folder, programs, "stop", "-m", "immediate")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

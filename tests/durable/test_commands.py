"""The commands about kept runs, which are the same for a file and for a database."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from ..e2e.command import DEADLINE, Finished, flowcage

PASSWORD = "geheim"  # the server of the tests takes any
ASKS = "import { ask } from 'workflow:extra'; log('began'); export default await ask('Which?')"


class Kept:
    """A store, by the word that names it.

    Args:
        word: as ``--store`` takes it.
        folder: for files beside it, and for what is written on this machine.
    """

    def __init__(self, word: str, folder: Path) -> None:
        self.word, self.folder = word, folder
        self.mark = word.partition("schema=")[2] or word

    def until_it_asks(self) -> None:
        """Wait until the newest run asks its question, which a run that was detached soon does."""
        end = time.monotonic() + DEADLINE
        while "Which?" not in self.on("stack", "@last").stdout:
            assert time.monotonic() < end

    def on(self, *words: str, status: int = 0, **env: str) -> Finished:
        """A command about it, which shows no password whatever becomes of it."""
        done = flowcage(*words, "--store", self.word, cwd=self.folder, env=self.environment(**env))
        assert PASSWORD not in done.stdout + done.stderr
        assert done.status == status, done.stderr
        return done

    def plain(self, *words: str) -> Finished:
        """A command that takes no store."""
        return flowcage(*words, cwd=self.folder, env=self.environment())

    def environment(self, **more: str) -> dict[str, str]:
        return {"XDG_STATE_HOME": str(self.folder), **more}

    def script(self, source: str) -> str:
        (self.folder / "w.js").write_text(source)
        return "w.js"

    def detached(self) -> list[psutil.Process]:
        """The processes of detached runs; not what one has forked that has not executed anything yet."""
        found = {}
        for each in psutil.process_iter(["cmdline", "ppid"]):
            words = " ".join(each.info["cmdline"] or ())
            if "--detached=" in words and self.mark in words:
                found[each.pid] = each
        return [each for each in found.values() if each.info["ppid"] not in found]


def address(server: str, schema: str, **other: str) -> str:
    given = dict(pair.split("=", 1) for pair in server.split()) | other
    place = f"host={given['host']}&port={given['port']}&schema={schema}"
    return f"postgresql://{given['user']}:{PASSWORD}@/{given['dbname']}?{place}"


@pytest.fixture(params=["sqlite", "postgres"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    word = str(tmp_path / "runs.db")
    if request.param == "postgres":
        word = address(request.getfixturevalue("postgres"), f"t_{secrets.token_hex(8)}")
    made = Kept(word, tmp_path)
    yield made
    for process in made.detached():
        process.kill()


@pytest.fixture
def database(postgres: str, tmp_path: Path) -> Kept:
    return Kept(address(postgres, f"t_{secrets.token_hex(8)}"), tmp_path)


def schemas(server: str) -> set[str]:
    with psycopg.connect(server) as connection:
        return {name for (name,) in connection.execute("SELECT nspname FROM pg_namespace").fetchall()}


# ---- what the commands do --------------------------------------------------------------------


def test_a_run_is_looked_at_moved_and_removed(kept: Kept) -> None:
    script = kept.script("log('began'); phase('One'); export default await agent('hello', {label: 'x'})")
    run_id = kept.on("run", script, "--agent", "mock").json["runId"]
    assert [each["runId"] for each in kept.on("ls", "--json").json] == [run_id]
    assert kept.on("show", "@last", "--json").json["runId"] == run_id
    assert "began" in kept.on("logs", "@last").stdout
    assert "began" in kept.on("logs", "-f", "@last").stdout
    result = kept.on("result", "@last").stdout
    assert kept.on("wait", run_id[:30]).json["verdict"] == "completed"
    assert kept.on("watch", "@last").status == 0
    assert "hello" in kept.on("report", "@last", "--format", "md", "-o", "-").stdout
    assert kept.on("replay", "@last", "--verify", "--json").json["same"] is True
    assert "waits for nothing" in kept.on("stack", "@last").stderr
    assert kept.on("cancel", "@last", status=1).stdout == f"run {run_id} had ended already: completed\n"
    assert kept.on("fork", "@last", script, "--dry-run", "--json").json["reused"] == 1
    fork = kept.on("fork", "@last").json
    assert (fork["usage"]["reusedAgents"], fork["verdict"]) == (1, "completed")
    kept.on("resume", "@last", status=2)
    assert kept.on("export", run_id, "out.db").stdout == f"{run_id}\n"
    assert "is reused by" in kept.on("rm", run_id, status=1).stderr
    assert kept.on("rm", fork["runId"], "--json").json == [fork["runId"]]
    assert kept.on("prune", "--older-than", "0.001s", "--dry-run").stdout == f"{run_id}\n"
    assert kept.on("prune", "--older-than", "0.001s").stdout == f"{run_id}\n"
    assert kept.on("ls", "--json").json == []
    assert kept.on("import", "out.db").stdout == f"{run_id}\n"
    assert kept.on("result", run_id).stdout == result


def test_a_detached_run_is_answered_by_another_process(kept: Kept) -> None:
    told = kept.on("run", kept.script(ASKS), "--detach", "--no-prompt").json
    (process,) = kept.detached()
    assert PASSWORD not in " ".join(process.cmdline())
    assert [each["state"] for each in kept.on("ls", "--json").json] == ["running"]
    kept.until_it_asks()
    kept.on("answer", "@last", "this")
    waited = kept.on("wait", told["runId"]).json
    assert (waited["verdict"], waited["result"]) == ("completed", "this")
    process.wait(DEADLINE)
    log = Path(told["log"])
    assert "began" in log.read_text()
    assert PASSWORD not in log.read_text()
    kept.on("rm", told["runId"])
    assert not log.exists()


def test_a_detached_run_is_cancelled_and_resumed_by_other_processes(kept: Kept) -> None:
    told = kept.on("run", kept.script(ASKS), "--detach", "--no-prompt").json
    assert kept.on("cancel", "@last", "--wait", "--json").json["verdict"] == "cancelled"
    assert kept.on("wait", "@last", status=130).json["verdict"] == "cancelled"
    again = kept.on("resume", "@last", "--even-if-cancelled", "--detach", "--no-prompt").json
    assert again == told
    kept.until_it_asks()
    kept.on("answer", "@last", "that")
    assert kept.on("wait", "@last").json["result"] == "that"


def test_the_environment_names_the_store_of_all_commands(kept: Kept) -> None:
    env = kept.environment(FLOWCAGE_STORE=kept.word)
    ran = flowcage("run", kept.script("export default 1"), cwd=kept.folder, env=env)
    assert [each["runId"] for each in kept.on("ls", "--json").json] == [ran.json["runId"]]
    assert flowcage("result", "@last", cwd=kept.folder, env=env).stdout == "1\n"
    assert not (kept.folder / "flowcage").exists()


def test_no_agent_finds_the_password_in_its_environment(database: Kept) -> None:
    script = database.script("export default await agent('x')")
    for env in (
        {"FLOWCAGE_STORE": database.word},
        {"FLOWCAGE_STORE": database.word.replace(f":{PASSWORD}", ""), "FLOWCAGE_STORE_PASSWORD": PASSWORD},
    ):
        told = flowcage(
            *("run", script, "--detach", "--agent", "command:env"),
            cwd=database.folder,
            env=database.environment(**env),
        )
        waited = flowcage("wait", told.json["runId"], cwd=database.folder, env=database.environment(**env))
        assert "FLOWCAGE_RUN" in waited.json["result"]
        assert PASSWORD not in waited.stdout


def test_doctor_tells_of_the_database_that_the_environment_names(database: Kept, postgres: str) -> None:
    def store(word: str) -> dict[str, str]:
        done = flowcage("doctor", "--json", env=database.environment(FLOWCAGE_STORE=word))
        assert PASSWORD not in done.stdout + done.stderr
        (check,) = [each for each in done.json["checks"] if each["name"] == "store"]
        return dict(check)

    assert store(database.word)["state"] == "ok"
    none = store(address(postgres, "s", dbname="none"))
    assert (none["state"], '"none" does not exist' in none["value"]) == ("problem", True)


# ---- what is refused -------------------------------------------------------------------------

LOOKS: dict[str, tuple[int, tuple[str, ...]]] = {
    "ls": (0, ("ls",)),
    "show": (2, ("show", "@last")),
    "result": (2, ("result", "@last")),
    "logs": (2, ("logs", "-f", "@last")),
    "wait": (2, ("wait", "@last")),
    "watch": (2, ("watch", "@last")),
    "stack": (2, ("stack", "@last")),
    "report": (2, ("report", "@last", "-o", "-")),
    "replay": (2, ("replay", "@last", "--verify")),
    "export": (2, ("export", "@last", "out.db")),
    "cancel": (2, ("cancel", "@last")),
    "answer": (2, ("answer", "@last", "1")),
    "rm": (2, ("rm", "@last")),
    "prune": (2, ("prune", "--older-than", "1d")),
    "resume": (2, ("resume", "@last")),
    "fork": (2, ("fork", "@last")),
}


@pytest.mark.parametrize("name", LOOKS)
def test_no_store_is_made_by_a_command_about_runs_that_are_there(
    kept: Kept, name: str, request: pytest.FixtureRequest
) -> None:
    status, words = LOOKS[name]
    refused = kept.on(*words, status=status)
    assert refused.stderr.startswith("flowcage: there is no store")
    assert refused.stderr.count("\n") == 1
    assert not Path(kept.word).exists()
    assert kept.mark not in schemas(request.getfixturevalue("postgres"))


REFUSALS: dict[str, tuple[int, str, Callable[[str], str]]] = {
    "no server": (125, "No such file or directory", lambda server: address(server, "s", host="/none")),
    "no database": (
        125,
        'database "none" does not exist',
        lambda server: address(server, "s", dbname="none"),
    ),
    "no address": (2, "this is no address", lambda _: f"postgresql://u:{PASSWORD}@x@h/d"),
    "no option of libpq": (2, 'parameter: "nonsense"', lambda _: f"postgresql://u:{PASSWORD}@h/d?nonsense=1"),
    "another program's": (
        2,
        "it is of another program",
        lambda server: address(server, "information_schema"),
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("words", [("ls",), ("cancel", "@last"), ("run", "w.js", "--detach")], ids=" ".join)
def test_a_database_that_is_no_store_is_told_in_a_line(
    postgres: str, tmp_path: Path, words: tuple[str, ...], name: str
) -> None:
    status, why, word = REFUSALS[name]
    kept = Kept(word(postgres), tmp_path)
    kept.script("export default 1")
    refused = kept.on(*words, status=status)
    (line,) = [line for line in refused.stderr.splitlines() if why in line]
    assert len(line) < 400


def test_psycopg_that_is_not_there_is_told_with_what_to_do(database: Kept) -> None:
    (database.folder / "psycopg.py").write_text("raise ImportError('not installed')")
    refused = database.on("ls", status=2, PYTHONPATH=str(database.folder))
    assert "install flowcage[postgres]" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_role_that_may_only_read_can_look(database: Kept, postgres: str) -> None:
    run_id = database.on("run", database.script("export default 1")).json["runId"]
    role = f"r_{secrets.token_hex(8)}"
    with psycopg.connect(postgres, autocommit=True) as administrator:
        for statement in (
            f"CREATE ROLE {role} LOGIN",
            f"GRANT USAGE ON SCHEMA {database.mark} TO {role}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {database.mark} TO {role}",
        ):
            administrator.execute(statement.encode())
    reader = Kept(database.word.replace("postgres:", f"{role}:"), database.folder)
    assert [each["runId"] for each in reader.on("ls", "--json").json] == [run_id]
    assert reader.on("result", "@last").stdout == "1\n"
    refused = reader.on("rm", "@last", status=2)
    assert "permission denied" in refused.stderr

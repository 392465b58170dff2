"""The commands about a store that is encrypted, or whose large values lie elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..e2e.command import DEADLINE, flowcage
from .test_commands import ASKS, Kept, database, kept

__all__ = ["database", "kept"]  # fixtures
SECRET = "correct horse battery staple"


@pytest.fixture
def keys(kept: Kept) -> Path:
    path = kept.folder / "keys"
    path.write_text(new_key(kept, "one"))
    path.chmod(0o600)
    return path


def new_key(kept: Kept, name: str) -> str:
    return kept.plain("store", "new-key", name).stdout


def secret(kept: Kept) -> str:
    return kept.script(f"export default await agent({SECRET!r})")


def test_a_run_of_an_encrypted_store_is_looked_at_with_its_keys_only(kept: Kept, keys: Path) -> None:
    run = kept.on("run", secret(kept), "--agent", "mock", "--keys", str(keys)).json["runId"]
    for given in (str(keys), keys.read_text()):
        told = kept.on("report", run, "--format", "md", "-o", "-", FLOWCAGE_STORE_KEYS=given).stdout
        assert SECRET in told
    assert [each["runId"] for each in kept.on("ls", "--json").json] == [run]
    assert "encrypted with the key 'one'; give it by --keys FILE" in kept.on("show", run, status=2).stderr
    refused = kept.on("run", secret(kept), "--agent", "mock", status=2).stderr
    assert "encrypted with the key 'one'" in refused


def test_a_path_of_keys_may_have_a_colon(kept: Kept, keys: Path) -> None:
    keys.rename(kept.folder / "one:keys")
    kept.on("run", secret(kept), "--agent", "mock", "--keys", "one:keys")
    assert "encrypted with the key 'one'" in kept.on("show", "@last", status=2).stderr


def test_keys_are_exchanged(kept: Kept, keys: Path) -> None:
    kept.on("run", secret(kept), "--agent", "mock", "--keys", "keys")
    old = keys.read_text()
    keys.write_text(new_key(kept, "two") + old)
    assert "values were sealed anew" in kept.on("store", "reseal", "--keys", "keys").stdout
    assert kept.on("store", "reseal", "--json", "--keys", "keys").json == {"resealed": 0, "damaged": []}
    keys.write_text(keys.read_text().replace(old, ""))
    kept.on("show", "@last", "--keys", "keys")
    keys.write_text(old)
    lacking = kept.on("show", "@last", "--keys", "keys", status=2).stderr
    assert "the key 'two', which is not among those given (one)" in lacking
    assert "without keys nothing is sealed" in kept.on("store", "reseal", status=2).stderr


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        ("one:geheim", 0o600, "keys: key 1 is not of the form ID:KEY"),
        (None, 0o644, "keys has keys and may be read, or changed, by others; chmod 600"),
        ("", 0o600, "there is no key"),
    ],
)
def test_a_file_of_keys_that_cannot_be_used_is_refused(
    kept: Kept, keys: Path, text: str | None, mode: int, why: str
) -> None:
    given = keys.read_text() if text is None else text
    keys.write_text(given)
    keys.chmod(mode)
    told = kept.on("run", secret(kept), "--agent", "mock", "--keys", "keys", status=2).stderr
    assert why in told
    assert (given.partition(":")[2].strip() or "-----") not in told


def test_no_agent_finds_the_keys_and_a_detached_run_does(kept: Kept, keys: Path) -> None:
    given = keys.read_text().strip()
    script = kept.script("export default await agent('x')")
    found = kept.on("run", script, "--agent", "command:env", FLOWCAGE_STORE_KEYS=given)
    assert "PATH=" in found.stdout
    assert given.partition(":")[2] not in found.stdout

    told = kept.on("run", kept.script(ASKS), "--detach", "--no-prompt", FLOWCAGE_STORE_KEYS=given).json
    (process,) = kept.detached()
    assert given.partition(":")[2] not in " ".join(process.cmdline())
    assert "encrypted with" in kept.on("answer", "@last", "this", status=2).stderr
    while "Which?" not in kept.on("stack", "@last", FLOWCAGE_STORE_KEYS=given).stdout:
        assert process.is_running()
    kept.on("answer", "@last", "this", FLOWCAGE_STORE_KEYS=given)
    assert kept.on("wait", told["runId"], FLOWCAGE_STORE_KEYS=given).json["result"] == "this"
    process.wait(DEADLINE)


def test_large_values_lie_elsewhere_and_are_swept(kept: Kept) -> None:
    (kept.folder / "blobs").mkdir()
    blobs = ("--blobs", str(kept.folder / "blobs"))
    script = kept.script(
        "let t = '';\nfor (let i = 0; i < 200000; i++) t += (i * 7919 % 65521).toString(36);\n"
        "export default t.length + await agent(t)"
    )
    run = kept.on("run", script, "--agent", "command:cat", *blobs).json
    assert kept.on("result", "@last", *blobs).json == run["result"]
    assert "say where by --blobs URL" in kept.on("result", "@last", status=2).stderr
    assert kept.on("store", "sweep", "--older-than", "10m", *blobs).stdout == ""
    refused = kept.on("store", "sweep", "--older-than", "9m", *blobs, status=2).stderr
    assert "a host may be about to commit what it wrote" in refused
    path, *_ = [each for each in (kept.folder / "blobs").rglob("*-*") if each.is_file()]
    path.unlink()
    assert f"{path.name} is missing" in kept.on("store", "sweep", "--dry-run", *blobs, status=1).stderr


def test_a_run_with_keys_that_cannot_be_used_does_not_go_on_without_a_store(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("export default 1")
    words = ("run", "w.js", "--keys", "nowhere")
    done = flowcage(*words, cwd=tmp_path, env={"XDG_STATE_HOME": str(tmp_path)})
    assert (done.status, "names no file that is there" in done.stderr) == (2, True)


def test_a_key_that_has_no_name_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("export default 1")
    bare = "YGTJScpq/g2SEMiuJPKwjX9W59pnYhBWb5Rl0q+K7dg="
    for given in (bare, bare * 100):
        env = {"XDG_STATE_HOME": str(tmp_path), "FLOWCAGE_STORE_KEYS": given}
        done = flowcage("run", "w.js", cwd=tmp_path, env=env)
        assert (done.status, bare in done.stderr, "names no file" in done.stderr) == (2, False, True)


def test_an_address_of_another_kind_makes_no_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("export default 1")
    for given in ("postgresql+psycopg://u:geheim@h/d", "file:///there", "runs.db?blobs=/there"):
        for words, env in ((("--store", given), {}), ((), {"FLOWCAGE_STORE": given})):
            done = flowcage("run", "w.js", *words, cwd=tmp_path, env={"XDG_STATE_HOME": str(tmp_path), **env})
            assert (done.status, "geheim" in done.stderr) == (2, False), done.stderr
            assert [each.name for each in tmp_path.iterdir()] == ["w.js"]


def test_a_name_that_no_key_can_have_is_refused(tmp_path: Path) -> None:
    for name in ("", "a b", "a:b", "#a", "a" * 33):
        done = flowcage("store", "new-key", name, cwd=tmp_path)
        assert (done.status, done.stdout) == (2, "")
        assert "a key has a name of 1 to 32 of" in done.stderr

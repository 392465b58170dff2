"""Stores that are encrypted with a keyring."""

from __future__ import annotations

import base64
import os
import re
import secrets
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host.durable.errors import DamagedEntry, DamagedStore, Locked, WrongKeys
from flowcage.host.durable.options import DEFAULTS, StoreOptions
from flowcage.host.durable.queue.records import Schedule
from flowcage.host.durable.records import Ending
from flowcage.host.durable.sealing import Keyring, key_of, keys_of_file, new_key, read_keys
from flowcage.host.durable.sql.payloads import Payloads
from flowcage.host.durable.sql.upkeep.resealing import COLUMNS, Column, Look, Reseal, look
from flowcage.host.run.core.inputs import Answered

from . import entries
from .places import Place, begun, host, new, workflow, written
from .sqlite_file import changed, loaded, with_store

KEY = base64.b64encode(bytes(32)).decode()
SECRET = "correct horse battery staple"
OLD, NEW = secrets.token_bytes(32), secrets.token_bytes(32)


def ring(*names: str, **more: Any) -> Keyring:
    return Keyring({name: {"old": OLD, "new": NEW}[name] for name in names}, **more)


def sealed(*names: str, **more: Any) -> StoreOptions:
    return StoreOptions(sealer=ring(*names, **more))


# ---- a keyring -------------------------------------------------------------------------------


def test_what_was_sealed_opens_with_its_key_in_its_place() -> None:
    data = ring("old").seal(b"data", b"place")
    assert b"data" not in data
    assert key_of(data) == "old"
    assert ring("new", "old").open(data, b"place") == b"data"
    assert ring("old").seal(b"data", b"place") != data
    assert (ring("old", "new").is_current(data), ring("new", "old").is_current(data)) == (True, False)


@pytest.mark.parametrize(
    ("change", "keys", "where", "error", "why"),
    [
        (
            lambda data: data,
            {"new": NEW},
            b"here",
            Locked,
            "encrypted with the key 'old', which is not among",
        ),
        (lambda data: data, {"old": NEW}, b"here", ValueError, "the key 'old' is another one than sealed it"),
        (lambda data: data, {"old": OLD}, b"there", ValueError, "or it was changed or moved"),
        (lambda data: data[:-1], {"old": OLD}, b"here", ValueError, "changed"),
        (lambda data: data[:20], {"old": OLD}, b"here", ValueError, "cut off"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), {"old": OLD}, b"here", ValueError, "changed"),
        (lambda data: data.replace(b"old", b"new"), {"new": OLD}, b"here", ValueError, "another one"),
        (lambda _: b"", {"old": OLD}, b"here", ValueError, "a keyring has not sealed it"),
        (lambda data: b"\x02" + data[1:], {"old": OLD}, b"here", ValueError, "a keyring has not sealed it"),
    ],
)
def test_what_does_not_open_says_why(
    change: Callable[[bytes], bytes], keys: dict[str, bytes], where: bytes, error: type[Exception], why: str
) -> None:
    data = ring("old").seal(b"data", b"here")
    with pytest.raises(error, match=why):
        Keyring(keys).open(change(data), where)


def test_no_two_values_have_a_salt_and_a_nonce_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowcage.host.durable.sealing._VALUES_OF_A_SALT", 3)
    keys = ring("old")
    heads = [keys.seal(b"", b"")[5:33] for _ in range(7)]
    assert len(set(heads)) == 7
    assert [heads.index(next(h for h in heads if h[:16] == head[:16])) for head in heads] == [
        0,
        0,
        0,
        3,
        3,
        3,
        6,
    ]


def test_keys_are_read_from_lines_or_words() -> None:
    one, two = new_key(), new_key()
    for text in (f"a:{one}\nb:{two}\n", f"# first\na:{one} # seals\n\nb:{two}", f"a:{one},b:{two}"):
        keys = read_keys(text)
        assert (keys.names, keys.sealing_key, keys.accepts_plain) == (("a", "b"), "a", False)
    assert read_keys(f"accept-plain a:{one}").accepts_plain
    assert one not in repr(keys)
    assert len({new_key() for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "there is no key; flowcage store new-key makes one"),
        ("accept-plain", "there is no key"),
        ("geheim", "key 1 is not of the form ID:KEY"),
        (f"a:{KEY} b:geheim", "key 2 is not of the form"),
        (f"a:{KEY} a:{KEY}", "key 2 has the name of an earlier one"),
        (f"a:{base64.b64encode(b'geheim').decode()}", "32 bytes in base64"),
        (f"geh/eim:{KEY}", "key 1 is not of the form"),
    ],
)
def test_what_is_no_key_is_refused_and_not_repeated(text: str, why: str) -> None:
    with pytest.raises(WrongKeys, match=re.escape(why)) as raised:
        read_keys(text)
    assert "geheim" not in str(raised.value)


def pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)  # to which nobody writes


def socket_file(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
    path.chmod(0o600)


def of_text(text: bytes, mode: int = 0o600) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(text)
        path.chmod(mode)

    return make


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (pipe, "cannot be read from .*: it is no file"),
        (Path.mkdir, "cannot be read from .*: it is no file"),
        (lambda path: path.symlink_to("/dev/zero"), "cannot be read from .*: it is no file"),
        (lambda path: path.symlink_to(path), "cannot be read from .*: Too many levels"),
        (socket_file, "cannot be read from .*: No such device"),
        (lambda _: None, "cannot be read from .*: No such file"),
        (of_text(b"a:" + KEY.encode() + b"#" * 1_000_000), "more than 1,000,000 bytes"),
        (of_text(b"\xff\xfe"), "it is no text"),
        (of_text(b""), "there is no key"),
        (of_text(b"a:geheim"), "key 1 is not of the form"),
        (of_text(f"a:{KEY}\na:{KEY}".encode()), "key 2 has the name of an earlier one"),
        (of_text(f"a:{KEY}".encode(), 0o604), "may be read, or changed, by others"),
        (of_text(f"a:{KEY}".encode(), 0o620), "may be read, or changed, by others"),
    ],
)
def test_a_file_that_has_no_keys_is_refused_and_not_waited_for(
    tmp_path: Path, make: Callable[[Path], None], why: str
) -> None:
    open_ones = len(os.listdir("/proc/self/fd"))
    make(tmp_path / "keys")
    with pytest.raises(WrongKeys, match=why) as raised:
        keys_of_file(tmp_path / "keys")
    assert not {"geheim", KEY} & set(str(raised.value).replace(":", " ").split())
    assert len(os.listdir("/proc/self/fd")) == open_ones


# ---- a store ---------------------------------------------------------------------------------


def dump(place: Place) -> bytes:
    """All that is in the tables of a store."""
    store = place.open()
    try:
        return store._read_locked(_everything)
    finally:
        store.close()


def _everything(db: Any) -> bytes:
    tables = ("runs", "workflows", "entries", "answers", "blobs", "schedules")
    rows = [row for table in tables for row in db.execute(f"SELECT * FROM {table}").fetchall()]
    return b"\n".join(
        bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for r in rows for v in r
    )


async def told(store: Any, secret: str = SECRET) -> None:
    """A run that has the secret wherever one can be."""
    root = workflow(source=f"// {secret}", args=f'"{secret}"')
    await begun(
        store, "r", Answered("1", secret), Answered("2", secret + "x" * 70_000), root=root, settings=secret
    )
    await store.answer("r", Answered("3", secret))
    await store.end("r", 1, Ending("cancelled", secret))


def test_all_that_workflows_say_is_sealed(place: Place) -> None:
    async def main() -> Any:
        async with host(place, sealed("old")) as store:
            await told(store)
            return await store.load("r")

    record = trio.run(main)
    assert SECRET.encode() not in dump(place)
    assert record.workflows[""].source == f"// {SECRET}"
    assert record.settings == record.ending.result == SECRET
    assert [each.answer for each in record.answers] == [Answered("3", SECRET)]


def test_without_the_key_nothing_is_read_and_nothing_written_in_the_clear(place: Place) -> None:
    async def main() -> None:
        async with host(place, sealed("old")) as store:
            await told(store)
        for options, why in (
            (DEFAULTS, "the store is encrypted with the key 'old'; give it by --keys"),
            (sealed("new"), r"the key 'old', which is not among those given \(new\)"),
        ):
            async with host(place, options) as store:
                assert [each.run_id for each in await store.runs()] == ["r"]
                with pytest.raises(Locked, match=why):
                    await store.load("r")
        async with host(place) as store:
            for write in (store.create(new("s")), store.answer("r", Answered("9", 1))):
                with pytest.raises(Locked, match="'old'"):
                    await write
            await store.delete("r")

    trio.run(main)


def test_a_value_in_the_clear_is_not_taken_for_a_sealed_one(place: Place) -> None:
    async def main() -> None:
        async with host(place) as store:
            await told(store)
        async with host(place, sealed("old")) as store:
            with pytest.raises(DamagedStore, match="it is not encrypted, in a store that shall be"):
                await store.load("r")
        async with host(place, sealed("old", accepts_plain=True)) as store:
            assert (await store.load("r")).settings == SECRET

    trio.run(main)


_FIRST = "WHERE run_id = 'r' AND seq = 0"
MOVED = [
    f"UPDATE entries SET data = (SELECT data FROM entries WHERE run_id = 's' AND seq = 0) {_FIRST}",
    f"UPDATE entries SET data = (SELECT data FROM entries WHERE run_id = 'r' AND seq = 1) {_FIRST}",
    f"UPDATE entries SET data = (SELECT settings FROM runs WHERE run_id = 'r') {_FIRST}",
    *(
        f"UPDATE {table} SET {name} = (SELECT {name} FROM {table} WHERE run_id = 's') WHERE run_id = 'r'"
        for table, name in (
            *(("workflows", "source"), ("workflows", "args"), ("workflows", "terms")),
            *(("runs", "settings"), ("runs", "ending"), ("answers", "data")),
        )
    ),
    "UPDATE blobs SET data = (SELECT b.data FROM blobs b WHERE b.hash <> blobs.hash LIMIT 1)",
]


@pytest.mark.parametrize("statement", MOVED)
def test_a_sealed_value_that_was_moved_does_not_open(tmp_path: Path, statement: str) -> None:
    path, options = tmp_path / "store" / "runs.db", sealed("old")

    async def body(store: Any) -> None:
        for run_id in ("r", "s"):
            root = workflow(source=f"// {run_id}", args=f'"{run_id}"')
            answers = Answered("1", f"1 of {run_id}"), Answered("2", f"{run_id}" * 100_000)
            await begun(store, run_id, *answers, root=root, settings=run_id)
            await store.answer(run_id, Answered("3", run_id))
            await store.end(run_id, 1, Ending("cancelled", run_id))

    with_store(path, body, options)
    assert loaded(path, options).settings == "r"
    changed(path, statement)
    with pytest.raises(DamagedEntry, match=r"changed or moved|another one than it was begun with"):
        loaded(path, options)


def test_every_kind_of_input_is_read_again(tmp_path: Path) -> None:
    path, options = tmp_path / "store" / "runs.db", sealed("old")
    with_store(path, lambda store: begun(store, "r", *entries.INPUTS), options)
    assert [each.input for each in loaded(path, sealed("new", "old")).entries] == entries.INPUTS


def test_objects_are_sealed_too(place: Place, tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    options = sealed("old")._replace(blobs=str(tmp_path / "blobs"), blobs_from=100)
    answer = Answered("1", SECRET + secrets.token_hex(100_000))

    async def main() -> None:
        async with host(place, options) as store:
            await written(await begun(store, "r"), answer)
            assert [each.input for each in (await store.load("r")).entries] == [answer]

    trio.run(main)
    files = [path for path in (tmp_path / "blobs").rglob("*-*") if path.is_file()]
    assert files
    assert not any(SECRET.encode() in path.read_bytes() for path in files)


# ---- other keys ------------------------------------------------------------------------------


@pytest.fixture
def blobs(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "blobs").mkdir()
    return {"blobs": str(tmp_path / "blobs"), "blobs_from": 3_000}


def keys_in(place: Place, blobs: dict[str, Any]) -> set[str]:
    """Names of the keys that what is stored was sealed with."""
    files = [path.read_bytes() for path in Path(blobs["blobs"]).rglob("*-*") if path.is_file()]
    found = re.findall(rb"[JZB]....\x01\x03(old|new)", dump(place) + b"".join(files), re.DOTALL)
    return {name.decode() for name in found}


def test_a_new_key_seals_what_comes_and_in_the_end_all(place: Place, blobs: dict[str, Any]) -> None:
    both = sealed("new", "old")._replace(**blobs)

    async def main() -> None:
        async with host(place, sealed("old")._replace(**blobs)) as store:
            await told(store, SECRET + secrets.token_hex(20_000))
            schedule = Schedule("nightly", "0 0 * * *", "t", 1, {"secret": SECRET})
            await store.put_schedule(schedule)
        assert keys_in(place, blobs) == {"old"}
        async with host(place, both) as store:
            record = await store.load("r")
            await written(await begun(store, "s"), Answered("1", SECRET))
            assert keys_in(place, blobs) == {"old", "new"}
            done = await store.reseal()
            assert (done.changed, done.damaged) == (10, [])
            assert await store.reseal() == (0, [])
        assert keys_in(place, blobs) == {"new"}
        async with host(place, sealed("new")._replace(**blobs)) as store:
            again = await store.load("r")
            assert again._replace(summary=record.summary) == record
            assert await store.schedules() == [schedule]

    trio.run(main)
    assert len([each for each in Path(blobs["blobs"]).rglob("*-*") if each.is_file()]) == 2


def test_a_store_in_the_clear_is_encrypted_beside_running_hosts(place: Place, blobs: dict[str, Any]) -> None:
    async def main() -> None:
        async with host(place, StoreOptions(**blobs)) as store:
            await told(store)
        accepting = sealed("new", accepts_plain=True)._replace(**blobs)
        async with host(place, accepting) as at_work, host(place, accepting) as store:
            journal = await begun(at_work, "s", Answered("0", SECRET))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_append, journal, 200)
                done = await store.reseal()
            assert done.damaged == []
            assert [each.seq for each in (await at_work.load("s")).entries] == list(range(201))
        async with host(place, sealed("new")._replace(**blobs)) as store:
            assert (await store.load("r")).settings == SECRET

    trio.run(main)
    assert SECRET.encode() not in dump(place)


async def _append(journal: Any, count: int) -> None:
    for number in range(1, count + 1):
        await written(journal, Answered(str(number), SECRET))


def test_what_cannot_be_sealed_anew_is_told(tmp_path: Path) -> None:
    path = tmp_path / "store" / "runs.db"
    with_store(path, told, sealed("old"))
    with pytest.raises(Locked, match="'old'"):
        with_store(path, lambda store: store.reseal(), sealed("new"))
    with pytest.raises(WrongKeys, match="without keys nothing is sealed; give --keys FILE"):
        with_store(path, lambda store: store.reseal())
    changed(path, "UPDATE entries SET data = (SELECT settings FROM runs) WHERE seq = 0")
    done = with_store(path, lambda store: store.reseal(), sealed("new", "old"))
    assert [each.partition(":")[0] for each in done.damaged] == ["entry r 0"]
    assert done.changed > 5


def test_a_value_that_is_gone_meanwhile_is_not_put_back(place: Place, blobs: dict[str, Any]) -> None:
    async def main() -> None:
        async with host(place, sealed("old")._replace(**blobs)) as store:
            await told(store, SECRET + secrets.token_hex(20_000))
        async with host(place, sealed("new", "old")._replace(**blobs)) as store:
            looks = [await store._read(partial(_look, store, column)) for column in COLUMNS[:2]]
            await store.delete("r")
            for column, looked in zip(COLUMNS, looks, strict=False):
                assert looked.stale
                assert (await store._put(Reseal(column, looked.stale))).changed == 0

    trio.run(main)
    assert not [each for each in Path(blobs["blobs"]).rglob("*-*") if each.is_file()]


def test_who_seals_anew_beside_others_finds_no_damage(
    place: Place, blobs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object that another one has replaced, or removed, is gone before it is read."""

    async def main() -> None:
        async with host(place, sealed("old")._replace(**blobs)) as store:
            await told(store, SECRET + secrets.token_hex(20_000))
            await begun(store, "gone", root=workflow(source=f"// {secrets.token_hex(5_000)}"))
            await store.end("gone", 1, Ending("completed"))
        both = sealed("new", "old")._replace(**blobs)
        async with host(place, both) as other, host(place, both) as store:
            within, is_first = Payloads.within, True

            def after_the_other(payloads: Payloads, name: bytes, data: bytes) -> bytes:
                nonlocal is_first
                if is_first and payloads is store._payloads:
                    is_first = False
                    trio.from_thread.run(other.reseal)
                    trio.from_thread.run(_removed, other, "gone")
                    others = other._payloads.outside
                    assert others is not None
                    others.close()  # what it has dropped is removed then
                return within(payloads, name, data)

            monkeypatch.setattr(Payloads, "within", after_the_other)
            assert await store.reseal() == (0, [])
            assert not is_first

    trio.run(main)


async def _removed(store: Any, run_id: str) -> None:
    await store.delete(run_id)


def _look(store: Any, column: Column, db: Any) -> Look:
    return look(db, store._payloads, column, ())

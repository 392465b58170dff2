"""A standby that takes over, of which an address names both servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from flowcage.host.durable.errors import StoreFailed
from flowcage.host.durable.postgres.store import PostgresStore
from flowcage.host.run.core.inputs import Turn
from tests.durable.places import DEADLINE_S, begun, host, new, written

from .servers import Server, ServerPlace, free_port, is_installed, server, standby

pytestmark = pytest.mark.skipif(not is_installed(), reason="Postgres is not installed, or refuses root")


@pytest.fixture
def primary() -> Iterator[Server]:
    with server(listen_addresses="127.0.0.1", port=str(free_port())) as made:
        yield made


def both(tmp_path: Path, *servers: Server) -> ServerPlace:
    """A store whose address names several servers, in the order in which they are tried."""
    ports = ",".join(each.port for each in servers)
    hosts = ",".join("127.0.0.1" for _ in servers)
    return ServerPlace(tmp_path, f"host={hosts} port={ports} user=postgres dbname=postgres")


def test_a_host_goes_on_with_a_standby_that_has_all(primary: Server, tmp_path: Path) -> None:
    async def main(other: Server) -> None:
        place = both(tmp_path, other, primary)  # the standby is asked first, and is not taken
        async with host(place) as store:
            journal = await begun(store, "r")
            await written(journal, Turn("a"))
            other.until_it_has_all_of(primary)
            primary.stop()
            other.promote()
            with trio.fail_after(DEADLINE_S):
                await written(journal, Turn("b"))
                assert [each.input for each in (await store.load("r")).entries] == [Turn("a"), Turn("b")]
                assert not (await store.get("r")).is_abandoned

    with standby(primary) as other:
        trio.run(main, other)


def test_a_host_that_had_runs_gives_up_a_standby_that_was_behind(primary: Server, tmp_path: Path) -> None:
    async def main(other: Server) -> None:
        place = both(tmp_path, primary, other)
        async with host(place) as store, host(place) as looks:
            journal = await begun(store, "r")
            other.until_it_has_all_of(primary)
            other.cut_off()
            await written(journal, Turn("a"))
            await store.create(new("lost"))
            primary.stop()
            other.promote()
            with trio.fail_after(DEADLINE_S):
                with pytest.raises(StoreFailed, match="lacks commits that were confirmed"):
                    await written(journal, Turn("b"))
                assert [each.run_id for each in await looks.runs()] == ["r"]
                await looks.create(new("later"), queued=True)  # it has lost nothing of its own
        async with host(place) as again:
            with trio.fail_after(DEADLINE_S):
                while (epoch := await again.claim("r")) is None:  # noqa: ASYNC110
                    await trio.sleep(0.05)
            assert epoch == 2

    with standby(primary) as other:
        trio.run(main, other)


def test_a_standby_alone_is_no_store(primary: Server, tmp_path: Path) -> None:
    place = both(tmp_path, primary)

    async def main() -> None:
        async with host(place) as store:
            await store.create(new("r"))

    trio.run(main)
    with standby(primary) as other:
        other.until_it_has_all_of(primary)
        address, schema = both(tmp_path, other).server, place.schema
        for read_only in (True, False):
            with pytest.raises(StoreFailed, match="hot standby"):
                PostgresStore.open(address, schema=schema, read_only=read_only)

"""Names that a client chooses, as long as they may be and longer: one that is too long hurts nobody else."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
import trio

from flowcage import submit_workflow
from flowcage.host.durable.errors import StoreFailed, Unstorable
from flowcage.host.resume.new.queued import LONGEST_TENANT
from flowcage.host.run.core.inputs import Answered

from .places import DEADLINE_S, Place, host, new
from .queued import queued, taken

_CHOICE = random.Random(1)


def noise(length: int, most: int = 0x10FFFF) -> str:
    """A text that no server can compress."""
    least = 0x10000 if most > 0xFFFF else 0x4E00
    return "".join(chr(_CHOICE.randrange(least, most)) for _ in range(length))


@pytest.mark.parametrize(
    ("tenant", "key"), [(noise(256), None), (noise(100), noise(100)), ("t", noise(500, 0x9FFF))]
)
def test_names_that_have_no_room_are_refused_and_others_go_on(
    place: Place, tenant: str, key: str | None
) -> None:
    async def main() -> None:
        async with host(place) as store:
            with trio.fail_after(DEADLINE_S):
                with pytest.raises(Unstorable, match="each character beyond ASCII has 6 or 12"):
                    await submit_workflow(store, "1", tenant=tenant, key=key)
                await queued(store, "a1")
                assert await taken(store) == ["a1"]

    trio.run(main)


def test_the_longest_names_are_kept_and_have_their_turns(place: Place) -> None:
    async def main() -> None:
        async with host(place) as store:
            tenant = noise(LONGEST_TENANT, 0x9FFF)
            with trio.fail_after(DEADLINE_S):
                run_id = await submit_workflow(store, "1", tenant=tenant, key="k" * 400)
                assert await taken(store, marks=("m" * 100,)) == [run_id]
                await store.put_back(run_id, 1, "why")
                assert await taken(store, marks=("m" * 100,)) == [run_id]
                await store.charge(tenant, 1.0, 1.0)

    trio.run(main)


def test_an_answer_to_what_no_request_can_be_called_holds_up_nobody(place: Place) -> None:
    async def main() -> None:
        async with host(place) as store:
            await store.create(new("r1"))
            with trio.fail_after(DEADLINE_S):
                with suppress(StoreFailed):  # of this write alone
                    await store.answer("r1", Answered(noise(5000), "x"))
                assert store.trouble is None
                await store.create(new("r2"))

    trio.run(main)


@pytest.mark.parametrize("tenant", ["", "x" * (LONGEST_TENANT + 1)])
def test_a_name_that_no_worker_has_turns_for_is_not_queued(place: Place, tenant: str) -> None:
    async def main() -> None:
        async with host(place) as store:
            with pytest.raises(ValueError, match="a tenant's name has 1 to 256 characters"):
                await submit_workflow(store, "1", tenant=tenant)
            with pytest.raises(ValueError, match="key must have 1 to 500 characters"):
                await submit_workflow(store, "1", key="")
            assert await store.runs() == []

    trio.run(main)

"""Each tenant's quotas: what is refused, by which name, and when to try again."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowcage.host.outcome.errors import FlowcageError, Overloaded
from flowcage.host.outcome.quota import ADVICE, Quota
from flowcage.host.resume.new.queued import LONGEST_TENANT
from flowcage.host.tenants.fair_queue import MAX_IDLE_TENANTS, REMEMBER_SECONDS, FairQueue
from flowcage.host.tenants.lazy_heap import LazyHeap
from flowcage.host.tenants.tenant import Place, TenantLimits
from flowcage.host.tenants.token_bucket import TokenBucket


def queue(*, max_runs: int = 1, max_queued: int = 1_000, **limits: Any) -> FairQueue:
    given = TenantLimits(**limits)
    return FairQueue(max_runs, max_queued, lambda _name: given)


def start(fair: FairQueue, name: str, now: float = 0.0) -> Place:
    """Enter where a slot is free, and take it."""
    place = fair.enter(name, now, room=True)
    assert fair.start_next(now) is place
    return place


def refusal(fair: FairQueue, name: str, now: float = 0.0, *, room: bool = True) -> Overloaded:
    before = fair.tally()
    with pytest.raises(Overloaded) as caught:
        fair.enter(name, now, room=room)
    after = fair.tally()
    assert (after.running, after.queued, after.admitted) == (before.running, before.queued, before.admitted)
    quota = caught.value.quota
    assert after.refused[quota] == before.refused.get(quota, 0) + 1
    return caught.value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_runs", 0),
        ("max_runs", 1.5),
        ("max_runs", True),
        ("max_queued", -1),
        ("max_agents", 0),
        ("runs_per_minute", 0),
        ("runs_per_minute", 10**400),
        ("cpu_seconds_per_minute", 5e-324),
        ("cpu_seconds_per_minute", 0.0),
        ("cpu_seconds_per_minute", math.inf),
        ("cpu_seconds_per_minute", math.nan),
        ("weight", 0.0),
        ("weight", math.inf),
        ("weight", math.nan),
    ],
)
def test_an_absurd_limit_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be .*, not {value!r}$"):
        TenantLimits(**{name: value})  # type: ignore[arg-type]


def test_every_quota_has_advice() -> None:
    assert set(ADVICE) == set(Quota)


def test_the_refusal_says_who_why_when_and_what_to_do() -> None:
    fair = queue(runs_per_minute=60)
    for _ in range(60):
        fair.enter("acme", 0.0, room=True)
    refused = refusal(fair, "acme", 0.25)
    assert isinstance(refused, FlowcageError)
    assert (refused.tenant, refused.quota) == ("acme", Quota.RUNS_PER_MINUTE)
    assert refused.retry_after_seconds == pytest.approx(0.75)
    assert str(refused) == (
        "no run for tenant 'acme': it may start 60 runs a minute (runs_per_minute); "
        "try again in 0.75 s; start fewer runs, or raise runs_per_minute"
    )


def test_who_waits_as_long_as_it_was_told_to_gets_its_run() -> None:
    fair = queue(runs_per_minute=7, max_queued=0)
    now = 123_456.789
    for _ in range(7):
        fair.finish(start(fair, "a", now), now)
    for _ in range(100):
        now += refusal(fair, "a", now).retry_after_seconds
        fair.finish(start(fair, "a", now), now)
    assert now - 123_456.789 == pytest.approx(100 * 60 / 7, abs=0.01)


def test_overdrawn_cpu_refuses_runs_until_it_is_paid_back() -> None:
    fair = queue(cpu_seconds_per_minute=30.0)
    place = start(fair, "a")
    fair.charge_cpu("a", 40.0, 10.0)
    fair.finish(place, 10.0)
    refused = refusal(fair, "a", 12.0)
    assert refused.quota is Quota.CPU_SECONDS_PER_MINUTE
    assert refused.retry_after_seconds == pytest.approx(18.0)  # 10 s of debt at half a second each
    assert refusal(fair, "a", 29.9).quota is Quota.CPU_SECONDS_PER_MINUTE
    start(fair, "a", 30.0)


def test_runs_that_wait_stand_still_while_cpu_is_overdrawn_and_others_go_on() -> None:
    fair = queue(max_runs=2, cpu_seconds_per_minute=60.0)
    first, second = start(fair, "a"), start(fair, "a")
    waiting = fair.enter("a", 0.0, room=True)
    fair.charge_cpu("a", 65.0, 0.0)
    fair.finish(first, 0.0)
    assert fair.start_next(0.0) is None
    start(fair, "b", 0.0)
    fair.finish(second, 1.0)
    assert fair.start_next(4.9) is None
    assert fair.start_next(5.0) is waiting


def test_more_cpu_booked_while_a_tenant_is_held_holds_it_longer() -> None:
    fair = queue(max_runs=2, cpu_seconds_per_minute=60.0)
    start(fair, "a")
    waiting = [fair.enter("a", 0.0, room=True) for _ in range(2)]
    fair.start_next(0.0)
    fair.charge_cpu("a", 70.0, 0.0)
    fair.charge_cpu("a", 10.0, 1.0)
    fair.finish(waiting[0], 1.0)
    assert fair.start_next(19.9) is None
    assert fair.start_next(20.0) is waiting[1]


def test_a_full_queue_is_refused_with_the_time_until_a_place_frees() -> None:
    fair = FairQueue(2, 100, lambda _name: TenantLimits(max_queued=1))
    fair.finish(start(fair, "a", 0.0), 8.0)
    start(fair, "a", 8.0)
    start(fair, "a", 8.0)
    fair.enter("a", 8.0, room=True)
    refused = refusal(fair, "a", 9.0)
    assert refused.quota is Quota.QUEUED_RUNS
    assert refused.retry_after_seconds == pytest.approx(4.0)  # runs of 8 s, two at a time
    assert "2 of its runs are running and 1 wait, of at most 1" in str(refused)


def test_without_a_queue_what_cannot_start_at_once_is_refused() -> None:
    fair = FairQueue(2, 100, lambda _name: TenantLimits(max_queued=0, max_runs=1))
    place = start(fair, "a")
    refused = refusal(fair, "a")
    assert refused.quota is Quota.QUEUED_RUNS
    assert 0 < refused.retry_after_seconds < math.inf  # before any run has ended, too
    fair.finish(place, 1.0)
    start(fair, "a", 1.0)


def test_one_tenant_leaves_half_of_the_hosts_queue_to_others() -> None:
    fair = queue(max_queued=10)
    start(fair, "a")
    for _ in range(5):
        fair.enter("a", 0.0, room=True)
    refused = refusal(fair, "a")
    assert refused.quota is Quota.HOST_QUEUE
    assert "5 of 10 places left and 5 are its own" in str(refused)
    for _ in range(3):
        fair.enter("b", 0.0, room=True)
    assert refusal(fair, "b").quota is Quota.HOST_QUEUE
    fair.enter("c", 0.0, room=True)
    fair.enter("d", 0.0, room=True)
    assert refusal(fair, "e").quota is Quota.HOST_QUEUE
    assert fair.tally().queued == 10


def test_when_memory_is_what_lacks_the_refusal_says_so() -> None:
    fair = FairQueue(2, 100, lambda _name: TenantLimits(max_queued=1))
    start(fair, "a")
    fair.enter("a", 0.0, room=False)
    assert refusal(fair, "a", room=False).quota is Quota.MEMORY
    assert refusal(FairQueue(2, 0, lambda _name: TenantLimits()), "a", room=False).quota is Quota.MEMORY


def test_when_memory_lacks_too_but_a_tenants_own_cap_comes_first_the_refusal_names_that() -> None:
    fair = FairQueue(2, 100, lambda _name: TenantLimits(max_runs=1, max_queued=0))
    start(fair, "a")
    assert refusal(fair, "a", room=False).quota is Quota.QUEUED_RUNS


def test_a_withdrawn_run_counts_neither_for_the_rate_nor_for_the_queue() -> None:
    fair = FairQueue(1, 100, lambda _name: TenantLimits(runs_per_minute=2, max_queued=1))
    start(fair, "a")
    for _ in range(10):
        fair.withdraw(fair.enter("a", 0.0, room=True), 0.0)
    tally = fair.tally("a")
    assert (tally.running, tally.queued, tally.admitted, tally.withdrawn) == (1, 0, 11, 10)


@pytest.mark.parametrize("name", ["", "x" * (LONGEST_TENANT + 1)])
def test_a_name_that_is_empty_or_too_long_is_refused_and_leaves_nothing(name: str) -> None:
    fair = queue()
    with pytest.raises(ValueError, match=f"1 to {LONGEST_TENANT} characters"):
        fair.enter(name, 0.0, room=True)
    assert fair.tenants() == ()


def run_once(fair: FairQueue, name: str) -> None:
    fair.finish(start(fair, name), 0.0)


def withdraw_while_waiting(fair: FairQueue, name: str) -> None:
    fair.withdraw(fair.enter(name, 0.0, room=True), 0.0)


@pytest.mark.parametrize("visit", [run_once, withdraw_while_waiting])
def test_invented_tenants_do_not_grow_the_host(visit: Callable[[FairQueue, str], None]) -> None:
    fair = queue()
    if visit is withdraw_while_waiting:
        start(fair, "busy")
    for number in range(MAX_IDLE_TENANTS + 5_000):
        visit(fair, f"invented {number}")
    fair.advance(0.0)
    assert len(fair.tenants()) <= MAX_IDLE_TENANTS + 1
    assert sum(len(heap) for heap in (fair._ready, fair._held, fair._idle)) <= 4 * MAX_IDLE_TENANTS
    fair.advance(REMEMBER_SECONDS)
    assert fair.tenants() == (("busy",) if visit is withdraw_while_waiting else ())


def test_invented_tenants_that_are_refused_leave_nothing() -> None:
    fair = queue(max_queued=0)
    start(fair, "busy")
    for number in range(1_000):
        refusal(fair, f"invented {number}")
    assert fair.tenants() == ("busy",)
    assert fair.tally().refused == {Quota.HOST_QUEUE: 1_000}


def test_inventing_tenants_does_not_wash_away_a_debt() -> None:
    fair = queue(cpu_seconds_per_minute=1.0)
    run_once(fair, "spender")
    fair.charge_cpu("spender", 100.0, 0.0)
    for number in range(MAX_IDLE_TENANTS + 100):
        run_once(fair, f"invented {number}")
    assert refusal(fair, "spender").quota is Quota.CPU_SECONDS_PER_MINUTE


def test_a_debt_is_remembered_for_longer_than_a_minute() -> None:
    fair = queue(cpu_seconds_per_minute=1.0)
    run_once(fair, "a")
    fair.charge_cpu("a", 3.0, 0.0)
    assert refusal(fair, "a", 119.0).retry_after_seconds == pytest.approx(1.0)
    start(fair, "a", 120.0)


def test_cpu_booked_for_a_tenant_that_was_forgotten_still_counts() -> None:
    fair = queue(cpu_seconds_per_minute=60.0)
    run_once(fair, "a")
    fair.advance(1_000.0)
    assert fair.tenants() == ()
    fair.charge_cpu("a", 90.0, 1_000.0)
    assert refusal(fair, "a", 1_000.0).retry_after_seconds == pytest.approx(30.0)
    fair.advance(1_090.0)
    assert fair.tenants() == ()


def test_a_bucket_holds_no_more_than_a_minute_and_remembers_debts() -> None:
    bucket = TokenBucket(60, 0.0)
    bucket.take(90, 1_000.0)
    assert bucket.ready_at(0) == pytest.approx(1_030.0)
    bucket.take(-1, 1_000.0)
    assert bucket.ready_at(0) == pytest.approx(1_029.0)
    bucket.take(60, 2_000.0)
    assert not bucket.holds(1, 2_000.9)
    assert bucket.holds(1, 2_001.0)


@given(
    st.integers(1, 1_000_000), st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from([0, 1]), st.floats(0, 60)
)
@example(1167, 8052.3, 45.70258885383538, 0, 0.43508300217203333)  # where rounding falls short
def test_a_bucket_is_ready_when_it_said(
    rate: int, taken: float, now: float, amount: int, later: float
) -> None:
    bucket = TokenBucket(rate, now)
    bucket.take(taken, now)
    asked = now + later
    assert bucket.holds(amount, asked + max(0.0, bucket.ready_at(amount) - asked))


def test_a_lazy_heap_does_not_keep_what_left_behind_the_first() -> None:
    gone: set[int] = set()
    heap: LazyHeap[int] = LazyHeap(lambda item: None if item in gone else float(item))
    heap.add(0)
    for item in range(1, 10_000):
        heap.add(item)
        gone.add(item)
    assert len(heap) <= 64
    assert heap.first() == (0.0, 0)


def test_a_lazy_heap_gives_items_by_the_keys_they_have_when_they_come_up() -> None:
    keys: dict[str, float | None] = {"a": 1.0, "b": 2.0, "c": 3.0}
    heap: LazyHeap[str] = LazyHeap(keys.get)
    for item in keys:
        heap.add(item)
        heap.add(item)
    keys["a"] = 2.5
    keys["b"] = None
    assert heap.first() == (2.5, "a")
    heap.remove_first()
    assert heap.first() == (3.0, "c")
    assert len(heap) == 1

"""Whatever comes in whatever order: slots and caps hold, no free slot idles, no waiter is lost."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flowcage.host.outcome.errors import Overloaded
from flowcage.host.tenants.fair_queue import FairQueue
from flowcage.host.tenants.tenant import Place, TenantLimits

NAMES = ("a", "b", "c")
LIMITS = st.builds(
    TenantLimits,
    max_runs=st.integers(1, 3),
    max_queued=st.integers(0, 5),
    runs_per_minute=st.integers(1, 30),
    cpu_seconds_per_minute=st.floats(1, 10),
    weight=st.sampled_from([0.5, 1.0, 2.0]),
)


class FairQueueRules(RuleBasedStateMachine):
    """Keeps its own lists of who waits and who runs, and compares."""

    @initialize(slots=st.integers(1, 4), places=st.integers(0, 8), limits=st.tuples(LIMITS, LIMITS, LIMITS))
    def build(self, slots: int, places: int, limits: tuple[TenantLimits, ...]) -> None:
        self.slots, self.places = slots, places
        self.limits = dict(zip(NAMES, limits, strict=True))
        self.fair = FairQueue(slots, places, self.limits.__getitem__)
        self.now = 1_000.0
        self.room = True
        self.waiting: list[Place] = []
        self.running: list[Place] = []
        self.retries: list[float] = []

    def of(self, places: list[Place], name: str) -> list[Place]:
        return [place for place in places if place.tenant.name == name]

    def dispatch(self) -> None:
        while self.room and (place := self.fair.start_next(self.now)):
            name = place.tenant.name
            assert place is self.of(self.waiting, name)[0], "a tenant's own runs keep their order"
            self.waiting.remove(place)
            self.running.append(place)

    @rule(name=st.sampled_from(NAMES))
    def enter(self, name: str) -> None:
        try:
            place = self.fair.enter(name, self.now, room=self.room)
        except Overloaded as refused:
            self.retries.append(refused.retry_after_seconds)
        else:
            self.waiting.append(place)
            self.dispatch()

    @precondition(lambda self: self.running)
    @rule(data=st.data(), cpu=st.floats(0, 5))
    def finish(self, data: st.DataObject, cpu: float) -> None:
        place = data.draw(st.sampled_from(self.running))
        self.fair.charge_cpu(place.tenant.name, cpu, self.now)
        self.fair.finish(place, self.now)
        self.running.remove(place)
        self.dispatch()

    @precondition(lambda self: self.waiting or self.running)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(self.waiting + self.running))
        self.fair.withdraw(place, self.now)
        (self.waiting if place in self.waiting else self.running).remove(place)
        self.dispatch()

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.dispatch()

    @rule(room=st.booleans())
    def memory_changes(self, room: bool) -> None:
        self.room = room
        self.dispatch()

    @invariant()
    def nothing_is_over_its_cap(self) -> None:
        assert len(self.running) <= self.slots
        assert len(self.waiting) <= self.places
        for name, limits in self.limits.items():
            assert len(self.of(self.running, name)) <= limits.max_runs
            assert len(self.of(self.waiting, name)) <= limits.max_queued

    @invariant()
    def no_slot_is_free_that_a_waiter_could_have(self) -> None:
        if not self.room or len(self.running) == self.slots:
            return
        for name, limits in self.limits.items():
            held = any(place.tenant.held for place in self.of(self.waiting, name))
            at_cap = len(self.of(self.running, name)) == limits.max_runs
            assert held or at_cap or not self.of(self.waiting, name)

    @invariant()
    def every_refusal_says_when_to_come_back(self) -> None:
        assert all(0 < seconds < 10_000 for seconds in self.retries)

    @invariant()
    def the_tally_is_true(self) -> None:
        tally = self.fair.tally()
        assert (tally.running, tally.queued) == (len(self.running), len(self.waiting))
        for name in NAMES:
            tally = self.fair.tally(name)
            mine = (len(self.of(self.running, name)), len(self.of(self.waiting, name)))
            assert (tally.running, tally.queued) == mine

    def teardown(self) -> None:
        """Time and ended runs bring every waiter its turn."""
        if not hasattr(self, "fair"):
            return
        self.room = True
        for _ in range(len(self.waiting) + len(self.running)):
            self.wait(600.0)
            for place in self.running:
                self.fair.finish(place, self.now)
            self.running = []
            self.dispatch()
        assert not self.waiting


TestFairQueueRules = FairQueueRules.TestCase
TestFairQueueRules.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)

"""The rules of a run as lists and loops: what its core is compared with.

Written from the design and not from the core: nothing is kept that can be counted again from the facts and
the requests, whatever that costs. Where the design is silent it says what the core does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from flowcage.host.run.core.inputs import (
    Answered,
    Charged,
    Compiled,
    Due,
    Ended,
    Failed,
    Heard,
    Input,
    Noted,
    Opened,
    Reason,
    Refused,
    Said,
    State,
    Told,
    Turn,
)
from flowcage.protocol.messages import AgentRequest, Phase, SleepRequest, UnknownRequest, WorkflowRequest

from .core_reference_books import Asked, Books, Flow, Out, Wrong

KINDS = {AgentRequest: "agent", WorkflowRequest: "workflow", SleepRequest: "sleep", UnknownRequest: "unknown"}


class Reference(Books):
    """Takes inputs as the core does, and says what each must bring about."""

    # ---- inputs ----------------------------------------------------------------------------------

    def step(self, now: float, given: Input) -> Out:
        clock, self.clock = self.clock, max(self.clock, now)
        self.out = Out()
        try:
            self.take(given)
        except Wrong:
            self.clock = clock
            raise
        self.fill()
        return self.out

    def take(self, given: Input) -> None:
        match given:
            case Opened(path, name, request):
                self.open_one(path, name, request)
            case Compiled(path, dialect):
                self.open(path).dialect = dialect
            case Noted(path, note):
                self.note(self.open(path), note["kind"])
            case Said(path):
                self.said(self.open(path), given)
            case Turn(path):
                self.turn(self.open(path))
            case Failed(path):
                self.finish(self.open(path), "host_fault")
            case Ended(path, unbegun):
                self.end(self.open(path), unbegun)
            case (
                Answered(identifier)
                | Refused(identifier)
                | Heard(identifier)
                | Charged(identifier)
                | Told(identifier)
                | Due(identifier)
            ):
                asked = self.pending(identifier)
                awaited = "wait" if isinstance(given, Due) else "work"
                if asked is not None and asked.where == awaited:
                    self.take_answer(asked, given)

    def open_one(self, path: str, name: str, request: str) -> None:
        asked = self.pending(request)
        if path in [flow.path for flow in self.flows] or (path == "") == bool(self.flows):
            raise Wrong
        if path and asked is None:
            raise Wrong
        self.flows.append(Flow(path, name, asked.phase, asked.flow.over) if asked else Flow(path, name, ""))

    def said(self, flow: Flow, said: Said) -> None:
        if flow.over:
            return
        ids = [f"{flow.path}/{each.id}".lstrip("/") for each in said.requests]
        if not flow.listens or len(set(ids)) < len(ids) or any(self.pending(each) for each in ids):
            raise Wrong
        for phase in [call for call in said.calls if isinstance(call, Phase)]:
            flow.phase = phase.name
            self.name_phase(flow, phase.name, phase.options)
        for note in said.diagnostics:
            self.note(flow, note["kind"])
        if said.state is State.MORE:
            self.out.tells.append((flow.path, []))
            self.close(flow)
        elif said.state is State.COMPLETE:
            self.finish(flow, "completed", said.result)
        elif said.state is State.STALLED:
            self.finish(flow, "stalled")
        else:
            self.begin_all(flow, said.requests)
            flow.listens = said.state is State.PARTIAL

    def turn(self, flow: Flow) -> None:
        if flow.over or flow.listens or not flow.ready:
            return
        flow.listens = True
        self.out.tells.append((flow.path, flow.ready[: self.most_told]))
        flow.ready = flow.ready[self.most_told :]

    def end(self, flow: Flow, unbegun: frozenset[str]) -> None:
        for asked in self.requests:
            if asked.flow is flow and asked.where != "done":
                is_at_work = asked.where == "work"
                was_begun = not is_at_work or asked.id not in unbegun
                asked.where = "done"
                if asked.kind == "agent":
                    if not was_begun:
                        self.take_back(asked)
                    if is_at_work:
                        asked.untold += asked.heard or 0
                    if asked.told is not None:
                        asked.untold += asked.told.spent.tokens
                        self.charge(asked, asked.told)
                    self.facts.append(("cancelled", None))
                    self.event("agent_cancelled", asked, asked.attempt, asked.untold)
        self.close(flow)
        flow.gone = True

    def take_back(self, asked: Asked) -> None:
        asked.attempt -= 1
        if asked.attempt == 0:
            self.facts.remove(("started", (asked.flow.name, asked.phase)))

    # ---- requests --------------------------------------------------------------------------------

    def begin_all(self, flow: Flow, requests: Sequence[Any]) -> None:
        for request in requests:
            if not flow.over:
                self.begin(flow, request)

    def begin(self, flow: Flow, request: Any) -> None:
        kind = KINDS.get(type(request), "sandbox_exec")
        asked = Asked(flow, request, kind, flow.phase)
        self.requests.append(asked)
        if kind == "sleep":
            asked.where = "wait"
            self.out.wakes.append((self.clock + request.duration_ms / 1000, asked.id))
        elif kind == "unknown":
            self.note(flow, "unknown_request_type")
            self.resolve(asked, "rejected")
        elif kind not in self.rules.handlers:
            self.resolve(asked, "rejected")
        elif kind == "agent":
            self.begin_agent(asked)
        elif kind == "workflow" and self.count("child") >= self.rules.max_total_children:
            self.resolve(asked, "rejected")
        else:
            self.facts += [("child", None)] * (kind == "workflow")
            self.queue(asked)

    def begin_agent(self, asked: Asked) -> None:
        asked.phase = asked.request.options.get("phase", asked.phase)
        if asked.phase:
            self.name_phase(asked.flow, asked.phase)
        self.event("agent_queued", asked, asked.phase or None)
        if not isinstance(asked.retries, dict):
            self.without_answer(asked, Reason.BAD_CALL)
        elif self.may_ask():
            self.queue(asked)
        else:
            self.without_answer(asked)

    def queue(self, asked: Asked) -> None:
        asked.where = "queue"
        asked.turn = 1 + max(each.turn for each in self.requests)
        if asked.kind == "agent":
            found = [each for each in self.requests if each.kind == "agent" and not each.flow.gone]
            live = [each for each in found if each.where == "work" or self.is_waiting(each)]
            self.wanted = max(self.wanted, len(live))

    def is_waiting(self, asked: Asked) -> bool:
        return asked.where == "queue" and not asked.flow.over

    def fill(self) -> None:
        """Give places to those who wait, the first first, until there is none left or nobody."""
        while True:
            waiting = [each for each in self.requests if each.where == "queue" and not each.flow.over]
            free = [each for each in waiting if self.has_place(each)]
            if not free:
                return
            self.start(min(free, key=lambda each: each.turn))

    def has_place(self, asked: Asked) -> bool:
        same = [each for each in self.requests if each.kind == asked.kind and each.where == "work"]
        if asked.kind == "agent" and self.has_shares:
            waiting = [each for each in self.requests if each.kind == "agent" and self.is_waiting(each)]
            is_first = asked.turn == min(each.turn for each in waiting)
            has_share = self.over() is not None or self.room(asked) is not None
            return is_first and len(same) < self.rules.max_agents and has_share
        if asked.kind == "agent":
            return len(same) < self.rules.max_agents and not self.must_wait(len(same))
        return sum(each.flow is asked.flow for each in same) < self.rules.max_children

    def start(self, asked: Asked) -> None:
        if asked.kind == "agent" and self.is_spent():
            self.without_answer(asked)
            return
        if asked.kind == "agent" and asked.attempt == 0:
            self.tell_fact("started", asked)
        asked.share = self.room(asked) if asked.kind == "agent" and self.has_shares else None
        asked.where, asked.tries, asked.text = "work", 1, None
        asked.attempt += 1
        self.ask(asked)

    def ask(self, asked: Asked, problem: str | None = None) -> None:
        asked.heard = None
        self.out.asks.append((asked.kind, asked.flow.path, asked.id, asked.attempt, asked.tries, problem))

    # ---- answers ---------------------------------------------------------------------------------

    def take_answer(self, asked: Asked, given: Answered | Refused | Heard | Charged | Told | Due) -> None:
        is_late = asked.flow.over
        if isinstance(given, Told):
            if asked.kind == "agent" and asked.heard is None:
                asked.told = given
                self.reserve(asked, lambda at, share: max(share, given.spent[at] or 0))
            return
        if isinstance(given, Heard):
            self.hear(asked, given)
        elif not is_late and not isinstance(given, Charged):
            self.settle_or_go_on(asked, given)
        elif asked.kind == "agent" and not isinstance(given, Due):
            self.charge(asked, given)
            asked.untold += given.spent.tokens + (asked.heard or 0 if is_late else 0)
            asked.where = "wait" if is_late else asked.where
            if isinstance(given, Charged):
                self.use_up(asked, given)

    def hear(self, asked: Asked, given: Heard) -> None:
        if asked.kind == "agent" and asked.heard is None:
            asked.heard = given.spent.tokens
            self.charge(asked, given)
            self.use_up(asked, given)

    def use_up(self, asked: Asked, given: Heard | Charged) -> None:
        self.reserve(asked, lambda at, share: max(0, round(share - (given.spent[at] or 0), 9)))

    def reserve(self, asked: Asked, change: Callable[[int, float], float]) -> None:
        if isinstance(asked.share, list):
            asked.share = [None if each is None else change(at, each) for at, each in enumerate(asked.share)]

    def charge(self, asked: Asked, given: Answered | Refused | Heard | Charged | Told) -> None:
        asked.told = None
        tokens, dollars, _ = given.spent
        self.tell_fact("spent", asked, tokens)
        self.facts.append(("cost", None, (tokens, dollars, isinstance(given, Answered))))

    def settle_or_go_on(self, asked: Asked, given: Answered | Refused | Due) -> None:
        if asked.kind == "agent":
            self.go_on(asked, given)
        elif isinstance(given, Due):
            self.resolve(asked, "undefined")
        elif isinstance(given, Answered):
            self.resolve(asked, "ok", given.value)
        else:
            self.resolve(asked, "rejected")

    def go_on(self, asked: Asked, given: Answered | Refused | Due) -> None:
        if isinstance(given, Due):
            if self.may_ask():
                self.queue(asked)
            else:
                self.without_answer(asked)
            return
        self.charge(asked, given)
        if isinstance(given, Answered):
            self.tell_fact("completed", asked)
            tokens = given.spent.tokens + (asked.heard or 0)
            self.event("agent_completed", asked, asked.attempt, asked.tries, given.value, tokens)
            self.resolve(asked, "ok", given.value)
        elif given.reason is Reason.SHARE and isinstance(asked.share, list):
            self.wait_for_more(asked, given)
        elif given.reason is Reason.WRONG_ANSWER and not self.is_last_try(asked, given):
            others = [each for each in self.requests if each.kind == "agent" and each.where == "work"]
            if self.may_ask() and self.may_go_on(asked, len(others) - 1):
                asked.tries += 1
                self.ask(asked, given.message)
            else:
                self.without_answer(asked)
        elif (
            asked.attempt - asked.cut < asked.retries.get("maxAttempts", 1)
            and given.reason is not Reason.BAD_CALL
        ):
            self.event("agent_failed", asked, asked.attempt, asked.tries, True, asked.text)
            asked.where = "wait"
            wait = asked.retries.get("backoffMs", 0) * 2 ** (asked.attempt - asked.cut - 1)
            self.out.wakes.append((self.clock + min(wait, self.rules.max_sleep_ms) / 1000, asked.id))
        else:
            self.without_answer(asked, given.reason)

    def may_go_on(self, asked: Asked, others: int) -> bool:
        if not self.has_shares:
            return not self.must_wait(others)
        asked.share = self.room(asked)
        return asked.share is not None

    def wait_for_more(self, asked: Asked, given: Refused) -> None:
        needs: Any = given.facts.get("needs") or {}
        told = [inf if needs.get(name) is None else needs[name] for name in ("tokens", "usd")]
        grows = any(each is not None and told[at] > each for at, each in enumerate(asked.share))
        tokens, dollars = told if grows else [2 * (each or 0) for each in asked.share]
        asked.need = tokens, dollars
        if asked.tries == 1 and given.spent[:2] == (0, 0.0):
            self.take_back(asked)
        elif self.may_ask():
            asked.cut += 1
            self.event("agent_failed", asked, asked.attempt, asked.tries, True, asked.text)
        else:
            self.without_answer(asked)
            return
        asked.where = "queue"
        asked.turn = min(each.turn for each in self.requests) - 1

    def is_last_try(self, asked: Asked, given: Refused) -> bool:
        asked.text = given.text
        tokens = given.spent.tokens + (asked.heard or 0)
        self.event("answer_refused", asked, asked.attempt, asked.tries, given.text, tokens)
        return asked.tries == 2

    def without_answer(self, asked: Asked, reason: Reason = Reason.REFUSED) -> None:
        self.tell_fact("failed" if asked.attempt else "refused", asked)
        self.event("agent_failed", asked, asked.attempt, asked.tries, False, asked.text)
        default = "null" if asked.flow.dialect == "script" else "throw"
        is_null = reason is not Reason.BAD_CALL and (self.rules.agent_failure or default) == "null"
        if is_null or asked.text is not None:
            self.note(asked.flow, "agent_failed")
        self.resolve(asked, "ok" if is_null else "rejected")

    def resolve(self, asked: Asked, how: str, value: Any = None) -> None:
        asked.where = "done"
        rest = (value, self.rules.budget_tokens, self.tokens) if how == "ok" else ()
        asked.flow.ready.append((asked.request.id, how, *rest))

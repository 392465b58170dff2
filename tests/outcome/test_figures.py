"""Distributions of what runs and agents take, and the bound on names that others choose."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from flowcage.host.outcome.figures import KINDS, MAX_MODELS, Figures
from flowcage.host.outcome.histogram import MAX_LABEL, OTHER, Histogram, label
from flowcage.host.outcome.report import Report
from flowcage.host.outcome.usage import Usage
from flowcage.host.outcome.verdict import Verdict

USAGE = {"input": 10, "output": 3, "cacheRead": 0, "cacheWrite": 2}


def attempt(figures: Figures, model: str | None, cost: float | None = 0.5) -> None:
    figures.attempted("answered", "p", model, 1.5, USAGE, cost)


@pytest.mark.parametrize(
    ("value", "counts"),
    [(0.0, [1, 0, 0]), (1.0, [1, 0, 0]), (1.1, [0, 1, 0]), (2.0, [0, 1, 0]), (9.0, [0, 0, 1])],
)
def test_a_bucket_has_its_upper_bound(value: float, counts: list[int]) -> None:
    histogram = Histogram((1.0, 2.0))
    histogram.add(value)
    assert (histogram.counts, histogram.total) == (counts, value)


def test_buckets_are_told_with_all_below_them() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.5, 1.6, 3.0):
        histogram.add(value)
    assert list(histogram.cumulative()) == [("1.0", 1), ("2.0", 3), ("+Inf", 4)]


@pytest.mark.parametrize(
    ("name", "told"),
    [(None, ""), ("m-1", "m-1"), ("a\nb\x1b[0m\ud800", "a b\ufffd[0m\ufffd"), ("x" * 1_000, "x" * MAX_LABEL)],
)
def test_a_name_is_a_label_that_any_exporter_can_send(name: str | None, told: str) -> None:
    assert label(name) == told
    label(name).encode()


def test_models_without_end_are_a_bounded_number_of_labels() -> None:
    figures = Figures()
    for number in range(10_000):
        attempt(figures, f"model-{number}\x1b" * 100)
    models = figures.histograms()["agent_seconds"]
    assert len(models) == len(figures.attempts()) == MAX_MODELS + 1
    assert sum(models[OTHER, OTHER].counts) == 10_000 - MAX_MODELS
    assert figures.attempts()[OTHER, OTHER, "answered"] == 10_000 - MAX_MODELS


def test_models_whose_labels_are_the_same_are_one() -> None:
    figures = Figures()
    for name in ("a\x1b", "a\x07", "a\ufffd"):
        attempt(figures, name)
    assert figures.attempts() == {("p", "a\ufffd", "answered"): 3}
    assert [sum(each.counts) for each in figures.histograms()["agent_seconds"].values()] == [3]


def test_an_attempt_is_told_by_provider_model_and_kind_of_token() -> None:
    figures = Figures()
    attempt(figures, "m")
    attempt(figures, "m", cost=None)
    told = {
        (name, *labels): (sum(histogram.counts), histogram.total)
        for name, histograms in figures.histograms().items()
        for labels, histogram in histograms.items()
        if name.startswith("agent")
    }
    assert told == {
        ("agent_seconds", "p", "m"): (2, 3.0),
        ("agent_cost_usd", "p", "m"): (1, 0.5),
        ("agent_tokens", "input"): (2, 20.0),
        ("agent_tokens", "output"): (2, 6.0),
        ("agent_tokens", "cache_write"): (2, 4.0),
    }


def test_whoever_watches_is_told_each_value_with_its_labels_by_name() -> None:
    told: list[tuple[str, float, Mapping[str, str]]] = []
    figures = Figures()
    figures.watch(lambda *value: told.append(value))
    figures.waited(0.25)
    figures.ended(Report("r", Verdict.FAILED, Usage(wall_seconds=2.0, agents=1, cost_usd=0.125)))
    figures.ended(Report("r", Verdict.COMPLETED, Usage(wall_seconds=3.0)))
    assert told == [
        ("run_queue_seconds", 0.25, {}),
        ("run_seconds", 2.0, {"verdict": "failed"}),
        ("run_cost_usd", 0.125, {}),
        ("run_seconds", 3.0, {"verdict": "completed"}),
    ]


def test_every_distribution_of_the_table_is_there() -> None:
    assert set(Figures().histograms()) == set(KINDS)

"""Whatever a cohort column is called, every question shows its cohorts and keeps its own columns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals import Gate

N = 320
RNG = np.random.default_rng(0)
TRUTH = RNG.random(N) < 0.4
SCORE = np.clip(RNG.normal(0.3 + 0.4 * TRUTH, 0.25), 0.01, 0.99)
OTHER = np.clip(SCORE + RNG.normal(0, 0.1, N), 0.01, 0.99)
FRAMES = (
    "summary",
    "best",
    "budget",
    "net_benefit",
    "policies",
    "classes",
    "mix",
    "discordant",
    "profit",
    "curve",
    "deciles",
)

QUESTIONS: dict[str, Callable[[Any, str], Any]] = {
    "metrics": lambda ev, by: ev.metrics(by=by),
    "relative_to": lambda ev, by: ev.metrics("recall", by=by, relative_to="overall"),
    "confusion": lambda ev, by: ev.confusion(by=by),
    "errors": lambda ev, by: ev.errors(by=by),
    "roc": lambda ev, by: ev.roc(by=by),
    "pr": lambda ev, by: ev.pr(by=by),
    "gains": lambda ev, by: ev.gains(by=by, value=10, cost=1, n_resamples=5),
    "thresholds": lambda ev, by: ev.thresholds(by=by, n_resamples=10),
    "calibration": lambda ev, by: ev.calibration(by=by, n_resamples=10),
    "recalibrate": lambda ev, by: ev.recalibrate("sigmoid", by=by),
    "compare": lambda ev, by: ev.compare("a", "b", by=by),
    "gate": lambda ev, by: ev.gate([Gate("recall", ">=", 0.5), Gate("f1", vs="baseline")], model="a", baseline="b", by=by),
    "power": lambda ev, by: ev.power(by=by),
    "route": lambda ev, by: ev.route(by=by),
    "fairness": lambda ev, by: ev.fairness(by, "overall"),
    "equalise": lambda ev, by: ev.equalise(by),
    "flip": lambda ev, by: ev.flip(by, lambda rows: np.full(len(rows), 0.4)),
    "attribute_change": lambda ev, by: ev.attribute_change(ev, by=by),
    "corrected": lambda ev, by: ev.corrected("p", "y", by),
    "drift": lambda ev, by: ev.drift(ev, by=by),
}  # fmt: skip


def _columns_of(question: str) -> list[str]:
    """Own columns of every frame of a result: the names that a cohort column might share."""
    result = QUESTIONS[question](_frame("g").evals(y_true="y", y_score={"a": "p", "b": "q"}), "g")
    frames = [result.frame, *(getattr(result, name, None) for name in FRAMES)]
    found = [name for frame in frames if isinstance(frame, pd.DataFrame) for name in frame]
    return [name for name in dict.fromkeys(map(str, found)) if name not in result.cohort_columns]


def _frame(name: str) -> pd.DataFrame:
    return pd.DataFrame({"y": TRUTH.astype(int), "p": SCORE, "q": OTHER, name: np.where(np.arange(N) % 2, "u", "v")})


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_cohort_column_may_bear_the_name_of_any_column_of_the_result(question: str) -> None:
    for name in [*_columns_of(question), "level", "low", "high", "observed", "estimate"]:
        if name in ("y", "p", "q"):
            continue
        ev = _frame(name).evals(y_true="y", y_score={"a": "p", "b": "q"})
        result = QUESTIONS[question](ev, name)
        assert result.frame.columns.is_unique, name
        (column,) = result.cohort_columns
        assert set(result.frame[column]) <= {"u", "v", "(overall)"}, name
        assert {"u", "v"} <= set(result.frame[column]), name
        for text in (str(result), result.to_markdown()):
            assert text, name
    with contextlib.suppress(dfevals.exceptions.DfevalsError):
        result.plot()
    plt.close("all")


def test_a_prefixed_name_that_is_taken_gets_the_prefix_again() -> None:
    frame = _frame("level").assign(by_level="w")
    found = frame.evals(y_true="y", y_score="p").gate([Gate("recall", ">=", 0.5)], by=["level", "by_level"])
    assert list(found.cohort_columns) == ["by_by_level", "by_level"]
    assert set(found.frame["by_level"]) == {"w", "(overall)"}

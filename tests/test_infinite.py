"""Infinite values that mean something: intervals without an end, and margins of scores that are certain."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

import dfevals  # noqa: F401  (registers df.evals)


@pytest.fixture
def intervals() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    y = rng.normal(size=240)
    p = y + rng.normal(size=240) / 2
    frame = pd.DataFrame({"y": y, "p": p, "low": p - 0.8, "high": p + 0.8, "open": np.inf})
    frame.loc[:59, ["low", "high"]] = -np.inf, np.inf
    return frame


@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64", "double[pyarrow]", object])
def test_intervals_without_an_end_are_judged(intervals: pd.DataFrame, dtype: Any) -> None:
    frame = intervals.astype({"low": dtype, "high": dtype})
    ev = frame.evals(y_true="y", y_pred="p", y_lower="low", y_upper="high")
    table = ev.metrics(["interval_coverage", "interval_width", "mae"]).frame.set_index("metric")
    covered = (intervals["low"] <= intervals["y"]) & (intervals["y"] <= intervals["high"])
    assert table["n"].tolist() == [240] * 3
    assert table["value"].iloc[0] == pytest.approx(covered.mean())
    assert np.isnan(table["value"].iloc[1])
    assert "without an end" in table["note"].iloc[1]
    assert table["value"].iloc[2] == pytest.approx((intervals["y"] - intervals["p"]).abs().mean())
    residuals = ev.residuals().frame
    assert residuals["interval_coverage"].item() == pytest.approx(covered.mean())


def test_one_sided_bounds(intervals: pd.DataFrame) -> None:
    ev = intervals.evals(y_true="y", y_pred="p", y_lower="low", y_upper="open")
    found = ev.metrics("interval_coverage").frame
    assert found["value"].item() == pytest.approx((intervals["low"] <= intervals["y"]).mean())
    assert found["n"].item() == 240


@pytest.mark.parametrize("names", [("low", "high"), ("p_low", "p_high"), (3, 4)])
def test_bounds_without_a_prediction(intervals: pd.DataFrame, names: tuple[Any, Any]) -> None:
    frame = intervals.rename(columns=dict(zip(("low", "high"), names, strict=True)))
    result = frame.evals(y_true="y", y_lower=names[0], y_upper=names[1]).metrics()
    assert result.frame["metric"].tolist() == ["interval_coverage", "interval_width"]
    assert result.frame["n"].tolist() == [240, 240]


def test_missing_bounds_are_still_left_out_and_counted(intervals: pd.DataFrame) -> None:
    intervals.loc[:9, "low"] = np.nan
    result = intervals.evals(y_true="y", y_pred="p", y_lower="low", y_upper="high").metrics("mae")
    assert result.frame["n"].item() == 230
    assert "10 rows left out: 10 missing y_lower (low)" in " ".join(result.notes)


@pytest.fixture
def margins() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 400)
    m = 2 * y - 1 + rng.normal(size=400) * 1.5
    m[:60] = np.where(rng.random(60) < 0.85, 1, -1) * np.where(y[:60] == 1, np.inf, -np.inf)
    other = np.clip(m, -9, 9) * 0.7 + rng.normal(size=400)
    return pd.DataFrame({"y": y, "m": m, "k": other, "g": rng.choice(["a", "b"], 400)})


QUESTIONS: dict[str, Callable[[Any], pd.DataFrame]] = {
    "metrics": lambda ev: ev.metrics(by="g").frame,
    "roc": lambda ev: ev.roc().frame.drop(columns="threshold"),
    "pr": lambda ev: ev.pr().frame.drop(columns="threshold"),
    "gains": lambda ev: ev.gains().frame.drop(columns=["score_min", "score_max"]),
    "confusion": lambda ev: ev.confusion(by="g").frame,
    "compare": lambda ev: ev.compare("m", "k", metrics=["roc_auc", "accuracy"], by="g").frame,
    "best": lambda ev: ev.thresholds(cost={"fp": 1, "fn": 2}, n_resamples=0).best.drop(columns="threshold"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_infinite_margins_are_the_most_certain_ones(margins: pd.DataFrame, question: str) -> None:
    finite = margins.assign(m=margins["m"].clip(-60, 60))
    found, expected = (
        QUESTIONS[question](f.evals(y_true="y", y_score={"m": "m", "k": "k"})).reset_index(drop=True)
        for f in (margins, finite)
    )
    pd.testing.assert_frame_equal(found, expected)


def test_infinite_margins_against_scikit_learn(margins: pd.DataFrame) -> None:
    table = margins.evals(y_true="y", y_score="m").metrics(["roc_auc", "accuracy"]).frame
    ranks = margins["m"].rank()
    expected = [roc_auc_score(margins["y"], ranks), accuracy_score(margins["y"], margins["m"] >= 0)]
    assert table["value"].tolist() == pytest.approx(expected)
    assert table["n"].tolist() == [400, 400]


def test_infinite_margins_are_recalibrated_and_explored(margins: pd.DataFrame) -> None:
    ev = margins.evals(y_true="y", y_score="m")
    frame = ev.recalibrate(method="sigmoid").frame
    after = frame.loc[frame["metric"] == "brier", "after"]
    assert 0 < after.item() < 0.25
    page = str(ev.explore(by="g").to_html())
    program = re.compile(r'<script type="module">.*?</script>', re.DOTALL)  # which may speak of NaN
    assert program.search(page)
    assert "NaN" not in program.sub("", page)
    ev.thresholds(cost={"fp": 1, "fn": 2}, n_resamples=20).plot()
    ev.roc().plot()


def test_an_infinite_probability_is_none(margins: pd.DataFrame) -> None:
    frame = margins.assign(p=1 / (1 + np.exp(-margins["k"])))
    frame.loc[3, "p"] = np.inf
    result = frame.evals(y_true="y", y_score="p").metrics("roc_auc")
    assert result.frame["n"].item() == 399
    assert "infinite y_score" in " ".join(result.notes)


def test_infinite_scores_per_class() -> None:
    rng = np.random.default_rng(6)
    y = rng.choice(["a", "b", "c"], 200)
    frame = pd.DataFrame({"y": y, **{f"s_{k}": rng.normal(size=200) + 2 * (y == k) for k in "abc"}})
    frame.loc[frame["y"] != "c", "s_c"] = -np.inf  # a class that is ruled out
    ev = frame.evals(y_true="y", y_score="s_{label}")
    expected = frame[["s_a", "s_b", "s_c"]].to_numpy().argmax(axis=1) == frame["y"].map({"a": 0, "b": 1, "c": 2})
    found = ev.metrics("accuracy").frame
    assert found["value"].item() == pytest.approx(expected.mean())
    assert found["n"].item() == 200

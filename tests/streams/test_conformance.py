"""Every source gives the numbers of the pandas frame: counts to the last row, sums to twelve digits."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dfevals
from laws.frames import Case, cases, metric_names
from streams.conftest import SOURCES, in_pieces

CASES = {case.name: case for case in cases(n=240)}
#: Every source with every metric of a binary task; those that are handed over in ways of their own with all others too.
OWN_WAYS = ("dictionaries that differ", "arrow dataset", "parquet folder", "polars", "polars lazy", "duckdb")
PAIRS = [(source, name) for source in SOURCES for name in CASES if name == "binary" or source in OWN_WAYS]
SAME: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-12, "check_dtype": False}


def dirty(n: int = 700) -> pa.Table:
    """Nulls beside NaN, ±inf, −0.0, int8, decimals, categories with unused levels, zones, labels of mixed case."""
    rng = np.random.default_rng(7)
    truth = rng.random(n) < 0.4
    score = np.clip(0.3 * truth + rng.random(n) * 0.7, 0, 1).round(2)
    score[:3] = [-0.0, 0.0, 1.0]
    gap, nan = rng.random(n) < 0.05, rng.random(n) < 0.05
    margin = np.where(truth, 1.0, -1.0) + rng.normal(size=n)
    margin[5:9] = [np.inf, -np.inf, np.nan, -0.0]
    times = pd.Timestamp("2024-03-30 22:00", tz="UTC") + pd.to_timedelta(rng.integers(0, 2000, n), unit="h")
    level = pd.Categorical.from_codes(rng.integers(-1, 3, n), ["low", "high", "mid", "unused"], ordered=True)
    return pa.table(
        {
            "y": pa.array(np.where(truth, "Yes", "yes").astype(object), mask=rng.random(n) < 0.04),
            "p": pa.array(np.where(nan, np.nan, score), mask=gap),
            "narrow": pa.array(score.astype(np.float32)),
            "exact": pa.array([Decimal(f"{value:.2f}") for value in score], pa.decimal128(4, 2)),
            "margin": pa.array(margin),
            "age": pa.array(rng.integers(-100, 120, n).astype(np.int8), mask=rng.random(n) < 0.02),
            "late": pa.array(np.arange(n), mask=np.arange(n) == n - 1),
            "city": pa.array(rng.choice(["Oslo", "oslo", "Åre", "a b", ""], n), mask=rng.random(n) < 0.03),
            "level": pa.array(level),
            "at": pa.array(times, pa.timestamp("us", tz="Europe/Berlin")),
            "flag": pa.array(rng.random(n) < 0.5, mask=np.arange(n) == n // 2),
            "price": pa.array([Decimal(f"{v}.50") for v in rng.integers(0, 3, n)], pa.decimal128(6, 2)),
            "zero": pa.array(np.where(rng.random(n) < 0.5, 0.0, -0.0)),
            "w": pa.array(rng.gamma(2.0, 1.0, n).round(3)),
            "user": pa.array(rng.integers(0, 90, n), mask=rng.random(n) < 0.02),
        }
    )


DIRTY = dirty()
ROLES = {
    "y_true": "y",
    "y_score": {"p": "p", "narrow": "narrow", "exact": "exact", "margin": "margin"},
    "pos_label": "Yes",
}
BY: dict[str, Any] = {
    "nothing": None,
    "text": "city",
    "int8": dfevals.bins("age", 4),
    "categories": "level",
    "zone": dfevals.period("at", "day"),
    "quantiles": dfevals.quantiles("p", 5),
    "top": dfevals.top("city", 2),
    "decimals": ["price", "flag"],
    "zeros": "zero",
    "each": dfevals.each("city", ["level", dfevals.bins("age", [0, 50])]),
    "expressions": {"old": "age >= 60", "here": "city == 'Oslo' and p > 0.25", "gone": "isna(flag)"},
}


def by_pandas(table: pa.Table, **roles: Any) -> Any:
    """The evaluation of the pandas frame of a table."""
    return dfevals.columns.sources.to_frame(table).evals(**roles)


def in_batches(source: Any, **roles: Any) -> Any:
    """The evaluation of a source, which is read batch by batch."""
    found = dfevals.evaluate(source, **roles)
    assert found.metrics(level=None).provenance["engine"].startswith("batches of"), "it was read whole"
    return found


def equal(a: pd.DataFrame, b: pd.DataFrame) -> None:
    for name in ("n", "count"):
        if name in a.columns:
            np.testing.assert_array_equal(a[name].to_numpy(float), b[name].to_numpy(float), err_msg=name)
    pd.testing.assert_frame_equal(a, b, **SAME)


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize(("source", "name"), PAIRS)
def test_every_metric_of_the_registry(source: str, name: str, tmp_path: Path) -> None:
    case = CASES[name]
    table, names = pa.Table.from_pandas(case.frame), metric_names(case.task)
    found = dfevals.evaluate(SOURCES[source](table, tmp_path), **case.roles).metrics(names, by="region", level=None)
    equal(registry_by_pandas(name, source == "dictionaries that differ"), found.frame)


@cache
def registry_by_pandas(name: str, pieces: bool) -> pd.DataFrame:
    case = CASES[name]
    table = pa.Table.from_pandas(case.frame)
    ev = by_pandas(in_pieces(table) if pieces else table, **case.roles)
    found: pd.DataFrame = ev.metrics(metric_names(case.task), by="region", level=None).frame
    return found


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize(
    "roles", [{"sample_weight": "w"}, {"cluster": "user"}, {"sample_weight": "f", "weight_kind": "frequency"}]
)
@pytest.mark.parametrize("name", CASES)
def test_weights_and_clusters_with_intervals(name: str, roles: dict[str, Any]) -> None:
    case = CASES[name]
    table = in_pieces(pa.Table.from_pandas(case.frame))
    names = None if case.task != "outcomes" else ["mean", "pass_rate"]
    asked = {**case.roles, **roles}
    if case.task == "outcomes":
        asked.pop("unit")
    found = in_batches(table, **asked).metrics(names, by=["sex", "region"])
    equal(found.frame, by_pandas(table, **asked).metrics(names, by=["sex", "region"]).frame)


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize("source", SOURCES)
def test_cohorts_of_dirty_columns(source: str, tmp_path: Path) -> None:
    table = DIRTY
    if source == "duckdb":  # it has no categories of Arrow's and no order for them
        table = table.drop_columns("level")
    found = in_batches(SOURCES[source](table, tmp_path), **ROLES)
    whole = by_pandas(in_pieces(table) if source == "dictionaries that differ" else table, **ROLES)
    asked = (
        BY
        if source in ("dictionaries that differ", "parquet folder")
        else {"each": BY["each"], "zone": BY["zone"], "zeros": "zero"}
    )
    for name, by in asked.items():
        if source == "duckdb" and ("level" in repr(by) or name == "zone"):
            continue  # and shows times in the zone of its session
        a, b = (
            ev.metrics(["recall", "roc_auc"], models=["exact", "narrow"], by=by, level=None).frame
            for ev in (whole, found)
        )
        try:
            equal(a, b)
        except AssertionError as error:
            raise AssertionError(f"by {name}: {error}") from error


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize("by", ["text", "categories", "quantiles", "each", "expressions"])
def test_rare_cohorts_are_folded_alike(by: str) -> None:
    table = in_pieces(DIRTY)
    found, whole = in_batches(table, **ROLES), by_pandas(table, **ROLES)
    a, b = (ev.metrics("recall", by=BY[by], min_n=40) for ev in (whole, found))
    equal(a.frame, b.frame)
    assert list(a.notes) == list(b.notes)


QUESTIONS: dict[str, Any] = {
    "confusion": lambda ev: ev.confusion(by="city").frame,
    "roc": lambda ev: ev.roc(by="city").frame,
    "gains": lambda ev: ev.gains(by="city", n_resamples=20).frame,
    "thresholds": lambda ev: ev.thresholds(cost={"fp": 1, "fn": 5}, n_resamples=0).frame,
    "calibration": lambda ev: ev.calibration(models="p", by="level", n_resamples=20).frame,
    "uniform calibration": lambda ev: ev.calibration(models="p", strategy="uniform", by="city").frame,
    "errors": lambda ev: ev.errors(by="city").frame,
    "compare": lambda ev: ev.compare("p", "narrow", by="city").frame,
    "compare all": lambda ev: ev.compare().frame,
    "worst": lambda ev: ev.worst(7).reset_index(),
    "where": lambda ev: ev.where("age > 20 and city == 'Oslo'").metrics(level=None).frame,
    "frame": lambda ev: ev.frame,
    "power": lambda ev: ev.power("p", "narrow", "accuracy", by="city").frame,
    "card": lambda ev: pd.Series([repr(ev)]).to_frame(),
    "collect": lambda ev: ev.collect(["recall", "roc_auc", "brier"], by="city").metrics().frame,
    "callable": lambda ev: ev.metrics(lambda y_true, y_pred: float((y_true == y_pred).mean()), by="city").frame,
}


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question(question: str) -> None:
    roles = {**ROLES, "y_score": {"p": "p", "narrow": "narrow"}}
    found, whole = in_batches(DIRTY, **roles), by_pandas(DIRTY, **roles)
    a, b = (QUESTIONS[question](ev) for ev in (whole, found))
    pd.testing.assert_frame_equal(a, b, **SAME)


@pytest.mark.usefixtures("streamed")
def test_folds_and_residuals_and_long_frames() -> None:
    regression = CASES["regression"]
    table = pa.Table.from_pandas(regression.frame)
    a, b = (make(table, **regression.roles) for make in (by_pandas, in_batches))
    pd.testing.assert_frame_equal(a.residuals(by="sex").frame, b.residuals(by="sex").frame, **SAME)
    binary = CASES["binary"]
    table = pa.Table.from_pandas(binary.frame)
    a, b = (make(table, **binary.roles, fold="f") for make in (by_pandas, in_batches))
    pd.testing.assert_frame_equal(a.folds().frame, b.folds().frame, **SAME)
    long = _long(binary)
    roles = {"y_true": "y", "y_score": "score", "pos_label": "yes", "model": "model", "id": "case"}
    a, b = (make(long, **roles) for make in (by_pandas, in_batches))
    pd.testing.assert_frame_equal(a.metrics(by="sex").frame, b.metrics(by="sex").frame, **SAME)
    pd.testing.assert_frame_equal(a.compare("b", "a").frame, b.compare("b", "a").frame, **SAME)


def _long(case: Case) -> pa.Table:
    parts = [case.frame.assign(score=case.frame[m], model=m, case=np.arange(len(case.frame))) for m in ("a", "b")]
    return pa.Table.from_pandas(pd.concat(parts, ignore_index=True).drop(columns=["a", "b"]))


@pytest.mark.usefixtures("streamed")
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, DIRTY.num_rows), max_size=6))
def test_any_partitioning_gives_the_same(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), DIRTY.num_rows]
    parts = [DIRTY.slice(a, b - a).to_batches() for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
    table = pa.Table.from_batches([batch for part in parts for batch in part], DIRTY.schema)
    found = dfevals.evaluate(table, **ROLES, sample_weight="w")
    equal(WHOLE, found.metrics(["recall", "log_loss", "roc_auc"], models=["p"], by="city", level=None).frame)


WHOLE = (
    by_pandas(DIRTY, **ROLES, sample_weight="w")
    .metrics(["recall", "log_loss", "roc_auc"], models=["p"], by="city", level=None)
    .frame
)

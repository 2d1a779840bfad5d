"""Laws over roles × questions × metrics: what roles say of rows holds in every question.

Copies of a row in one cluster are one row; equal importance weights say nothing and only ratios of others count; a
frequency weight is a number of rows; units are clusters; repeats of a cross-validation make no data.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals import Gate, Outcome
from dfevals.exceptions import RoleError

N = 260
RNG = np.random.default_rng(5)
TRUTH = RNG.random(N) < 0.4
GROUP = np.where(np.arange(N) % 2, "u", "v")
CLASSES = RNG.choice(["x", "y", "z"], N)
SIZE = RNG.normal(10, 3, N)


def _scores(spread: float) -> Any:
    return np.clip(RNG.normal(0.35 + spread * TRUTH, 0.25), 0.01, 0.99).round(3)


def _labels() -> Any:
    return np.where(RNG.random(N) < 0.6, CLASSES, RNG.choice(["x", "y", "z"], N))


FRAME = pd.DataFrame(
    {
        "y": TRUTH.astype(int),
        "a": _scores(0.3),
        "b": _scores(0.2),
        "t": CLASSES,
        "m": _labels(),
        "k": _labels(),
        "size": SIZE,
        "near": SIZE + RNG.normal(0, 1, N),
        "far": SIZE + RNG.normal(0.3, 1.5, N),
        "ok": RNG.random(N) < 0.7,
        "took": RNG.gamma(2, 1, N),
        "g": GROUP,
        "row": np.arange(N),
        "house": RNG.integers(0, 60, N),
        "fold": RNG.integers(0, 5, N),
    }
).assign(
    low=lambda d: d["near"] - 1.5,
    high=lambda d: d["near"] + 1.5,
    yes=lambda d: (d["b"] > 0.5).astype(int),
    partly=lambda d: d["y"].where(d["row"] % 3 == 0),
    some=lambda d: d["size"].where(d["row"] % 3 == 0),
)

REFERENCE = FRAME[["y", "a", "b", "size", "g"]].iloc[::2].assign(size=lambda d: d["size"] + 1)
FRAME["at"] = pd.date_range("2026-01-01", periods=N, freq="3h")
BINARY = {"y_true": "y", "y_score": {"a": "a", "b": "b"}}
MANY = {"y_true": "t", "y_pred": {"m": "m", "k": "k"}}
NUMBERS = {
    "y_true": "size",
    "y_pred": {"near": "near", "far": "far"},
    "y_lower": {"near": "low"},
    "y_upper": {"near": "high"},
}
OUTCOMES = {"outcomes": ["ok", Outcome("took")]}
COUNTED = [
    *(
        "accuracy",
        "precision",
        "recall",
        "specificity",
        "f1",
        "fbeta(beta=2)",
        "mcc",
        "cohen_kappa",
        "balanced_accuracy",
    ),
    *("jaccard", "roc_auc", "average_precision", "ks", "gini", "log_loss", "brier", "brier_skill", "ece", "ece_plugin"),
    *("mce", "calibration_slope", "calibration_intercept", "npv", "error_rate"),
]
REGRESSION = [
    "mae",
    "mse",
    "rmse",
    "r2",
    "mape",
    "median_ae",
    "mean_error",
    "pearson_r",
    "explained_variance",
    "max_error",
]

QUESTIONS: dict[str, tuple[dict[str, Any], Callable[[Any], Any]]] = {
    "metrics": (BINARY, lambda ev: ev.metrics(COUNTED, by="g").frame),
    "relative": (BINARY, lambda ev: ev.metrics(by="g", relative_to="overall").frame),
    "confusion": (BINARY, lambda ev: ev.confusion(by="g").frame),
    "errors": (BINARY, lambda ev: ev.errors(by="g").frame),
    "roc": (BINARY, lambda ev: ev.roc(by="g").frame),
    "areas": (BINARY, lambda ev: ev.roc(by="g").summary),
    "pr": (BINARY, lambda ev: ev.pr(by="g").frame),
    "gains": (BINARY, lambda ev: ev.gains(by="g").frame),
    "thresholds": (BINARY, lambda ev: ev.thresholds(by="g", n_resamples=0).frame),
    "calibration": (BINARY, lambda ev: ev.calibration(by="g", band=None).frame),
    "compare": (BINARY, lambda ev: ev.compare("a", "b", by="g").frame),
    "complement": (BINARY, lambda ev: ev.compare(by="g", against="complement").frame),
    "power": (BINARY, lambda ev: ev.power(by="g").frame),
    "route": (BINARY, lambda ev: ev.route(by="g").frame),
    "fairness": (BINARY, lambda ev: ev.fairness("g").frame),
    "equalise": (BINARY, lambda ev: ev.equalise("g").price),
    "flip": (BINARY, lambda ev: ev.flip("g", lambda rows: rows["a"] + 0.2 * (rows["g"] == "u")).frame),
    "standardise": (BINARY, lambda ev: ev.standardise({"u": 0.3, "v": 0.7}, "g").frame),
    "attribute_change": (BINARY, lambda ev: ev.attribute_change(ev, by="g").frame),
    "monitor": ({**BINARY, "time": "at"}, lambda ev: ev.monitor("accuracy", "week", "g").frame),
    "drift": (BINARY, lambda ev: ev.drift(REFERENCE, ["y", "a", "size", "g"]).frame),
    "slices": (BINARY, lambda ev: ev.slices("brier", "g", inference="bh", redundant=True, min_n=1).frame.drop(columns=["statistic", "p_corrected", "verdict"])),
    "gate": (BINARY, lambda ev: ev.gate([Gate("recall", ">=", 0.5), Gate("f1", vs="baseline", margin=0.1)], model="a", baseline="b", by="g").frame),
    "corrected": (BINARY, lambda ev: ev.corrected("yes", "partly", by="g").frame),
    "corrected scores": (BINARY, lambda ev: ev.corrected("near", "some", by="g").frame),
    "rates of a judge": (BINARY, lambda ev: ev.corrected("yes", "partly", by="g", method="rogan-gladen").frame),
    "agreement": (BINARY, lambda ev: ev.agreement("y", "yes", by="g").frame),
    "many classes": (MANY, lambda ev: ev.metrics(["accuracy", "f1", "f1_weighted", "mcc", "cohen_kappa", "balanced_accuracy"], by="g").frame),
    "by class": (MANY, lambda ev: ev.metrics(["precision", "recall"], by_class=True).frame),
    "errors of many": (MANY, lambda ev: ev.errors(by="g").frame),
    "compare many": (MANY, lambda ev: ev.compare(by="g").frame),
    "numbers": (NUMBERS, lambda ev: ev.metrics([*REGRESSION, "interval_coverage"], by="g", models="near").frame),
    "residuals": (NUMBERS, lambda ev: ev.residuals(by="g").frame),
    "deciles": (NUMBERS, lambda ev: ev.residuals(by="g").deciles),
    "compare numbers": (NUMBERS, lambda ev: ev.compare(by="g", metrics=["mae", "rmse", "r2", "mean_error"]).frame),
    "outcomes": (OUTCOMES, lambda ev: ev.metrics(by="g").frame),
    "quantiles": (OUTCOMES, lambda ev: ev.metrics(["took_p50", "took_p90", "took_min", "took_max"], by="g").frame),
    "gate of outcomes": (OUTCOMES, lambda ev: ev.gate([Gate("ok_pass_rate", ">=", 0.5)], by="g").frame),
}  # fmt: skip

COUNTS = {
    *("n", "support", "n_eff", "count", "cum_n", "cum_pos", "n_pos", "n_neg", "tp", "fp", "fn", "tn", "reverse"),
    *(
        "n_judged",
        "n_human",
        "rows_needed",
        "n_reference",
        "n_to_decide",
        "contacts",
        "responses",
        "note",
        "method",
        "test",
    ),
}


@dataclass(frozen=True)
class Law:
    """Two ways to say the same, and how closely their numbers must agree."""

    pair: Callable[[dict[str, Any]], tuple[Any, Any]]
    tolerance: float = 1e-6
    besides: frozenset[str] = frozenset()  # columns that may differ
    exempt: frozenset[str] = frozenset()  # questions, with the reason beside the law


def _copied(roles: dict[str, Any]) -> tuple[Any, Any]:
    copies = pd.concat([FRAME] * 7, ignore_index=True).sample(frac=1, random_state=0).reset_index(drop=True)
    return FRAME.evals(**roles, cluster="row"), copies.evals(**roles, cluster="row")


def _weighted(size: float) -> Callable[[dict[str, Any]], tuple[Any, Any]]:
    return lambda roles: (FRAME.evals(**roles), FRAME.assign(w=size).evals(**roles, sample_weight="w"))


def _scaled(size: float, **more: str) -> Callable[[dict[str, Any]], tuple[Any, Any]]:
    w = np.random.default_rng(2).uniform(0.2, 1.8, N)
    return lambda roles: (
        FRAME.assign(w=w).evals(**roles, sample_weight="w", **more),
        FRAME.assign(w=w * size).evals(**roles, sample_weight="w", **more),
    )


def _weightless(roles: dict[str, Any]) -> tuple[Any, Any]:
    weighed = FRAME.assign(w=np.random.default_rng(4).uniform(0.2, 1.8, N))
    nothing = FRAME.sample(frac=1, random_state=3).assign(w=0.0, y=FRAME["y"].to_numpy(), size=999.0, took=999.0)
    both = pd.concat([weighed, nothing], ignore_index=True)
    return weighed.evals(**roles, sample_weight="w"), both.evals(**roles, sample_weight="w")


def _written_out(**more: str) -> Callable[[dict[str, Any]], tuple[Any, Any]]:
    times = np.random.default_rng(1).integers(0, 4, N)
    written = FRAME.loc[FRAME.index.repeat(times)].reset_index(drop=True)
    counted = FRAME.assign(w=times)
    return lambda roles: (
        written.evals(**roles, **more),
        counted.evals(**roles, sample_weight="w", weight_kind="frequency", **more),
    )


def _repeated(roles: dict[str, Any]) -> tuple[Any, Any]:
    many = pd.concat([FRAME.assign(repeat=i) for i in range(5)])
    return many.evals(**roles, cluster="row"), many.evals(**roles, repeat="repeat")


def _in_units(roles: dict[str, Any]) -> tuple[Any, Any]:
    many = pd.concat([FRAME] * 3, ignore_index=True)
    return many.evals(**roles, cluster="row"), many.evals(**roles, unit="row")


# Quantiles of copies interpolate between other neighbours, a standard deviation of copies divides by n − 1 of more rows,
# and standard deviations and design effects of a plan are of the rows as they stand.
INTERPOLATED = frozenset(("q05", "q25", "q75", "q95", "std", "sd", "design_effect", "detectable"))
LAWS = {
    "copies in a cluster are one row": Law(_copied, 0.05, INTERPOLATED),
    "equal weights of 1": Law(_weighted(1.0)),
    "equal weights of 1e-6": Law(_weighted(1e-6)),
    "equal weights of 1500": Law(_weighted(1500.0)),
    "weights times 1e-6": Law(_scaled(1e-6)),
    "weights times 1500": Law(_scaled(1500.0)),
    "rows of weight 0 are none": Law(_weightless),
    "weights beside clusters times 1e-6": Law(_scaled(1e-6, cluster="house")),
    "weights beside folds times 1500": Law(_scaled(1500.0, fold="fold")),
    "frequencies are rows": Law(_written_out()),
    "frequencies are rows of clusters": Law(_written_out(cluster="house")),
    "frequencies are rows of folds": Law(_written_out(fold="fold")),
    "repeats are clusters": Law(_repeated),
    "units are clusters": Law(_in_units),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("law", LAWS)
def test_every_question_honours_what_roles_say(law: str, question: str) -> None:
    roles, ask = QUESTIONS[question]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = (ask(ev) for ev in LAWS[law].pair(roles))
    assert len(first) == len(second)
    for name in first.columns:
        if name in COUNTS or name in LAWS[law].besides:
            continue
        if not pd.api.types.is_numeric_dtype(first[name]):
            if name in ("verdict", "answer", "flag"):
                assert first[name].tolist() == second[name].tolist(), name
            continue
        mine, its = (frame[name].to_numpy(float, na_value=np.nan) for frame in (first, second))
        scale = np.maximum(1.0 if LAWS[law].tolerance > 1e-3 else 1e-3, np.fmax(np.abs(mine), np.abs(its)))
        with np.errstate(invalid="ignore"):
            near = np.abs(mine - its) <= LAWS[law].tolerance * scale
        same = (mine == its) | (np.isnan(mine) & np.isnan(its)) | near
        assert same.all(), (name, first.loc[~same].iloc[0].to_dict(), its[~same][0])


def test_widths_of_copies_are_those_of_the_rows() -> None:
    """The law above in the figure that matters: no interval may shrink with copies."""
    for roles, ask in QUESTIONS.values():
        first, second = (ask(ev) for ev in _copied(roles))
        if "ci_low" not in first or first["ci_low"].isna().all():
            continue
        mine, its = ((frame["ci_high"] - frame["ci_low"]).to_numpy(float) for frame in (first, second))
        known = np.isfinite(mine) & np.isfinite(its)
        assert known.any()
        assert (its[known] > 0.7 * mine[known] - 1e-9).all()


def test_repeats_without_a_name_of_their_rows_are_refused_with_the_fix() -> None:
    many = pd.concat([FRAME.assign(repeat=i) for i in range(5)], ignore_index=True)
    with pytest.raises(RoleError, match="Pass id="):
        many.evals(**BINARY, repeat="repeat").metrics("accuracy")
    named = many.evals(**BINARY, repeat="repeat", id="row").metrics("accuracy").frame
    clustered = many.evals(**BINARY, cluster="row").metrics("accuracy").frame
    assert named["ci_low"].tolist() == clustered["ci_low"].tolist()


def test_repeated_cross_validation_is_as_sure_as_its_rows() -> None:
    """200 rows, 20 repeats: intervals of the rows, not of 4,000 (and the same in words)."""
    from sklearn.datasets import make_classification
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import RepeatedStratifiedKFold

    x, y = make_classification(200, 8, random_state=1, flip_y=0.2)
    cv = RepeatedStratifiedKFold(n_splits=5, n_repeats=4, random_state=0)
    frame = dfevals.cross_validate({"m": LogisticRegression()}, pd.DataFrame(x), pd.Series(y), cv=cv)
    found = frame.evals().metrics(["accuracy", "roc_auc"]).frame.set_index("metric")
    once = frame[frame["repeat"] == 0].drop(columns="repeat")
    one = (
        pd.DataFrame(once)
        .evals(y_true="y_true", y_score="p_m")
        .metrics(["accuracy", "roc_auc"])
        .frame.set_index("metric")
    )
    width, alone = ((part["ci_high"] - part["ci_low"]).to_numpy(float) for part in (found, one))
    assert (width > 0.75 * alone).all()


FEW = FRAME.head(70)
SURE = FRAME.assign(a=np.where(FRAME["y"] == 1, 0.9, 0.1), near=FRAME["size"], ok=True, m=FRAME["t"])


@pytest.mark.parametrize("question", ["metrics", "complement", "many classes", "compare", "compare many", "numbers", "outcomes"])  # fmt: skip
@pytest.mark.parametrize("frame", [FEW, SURE], ids=["few rows", "perfect predictions"])
def test_copies_say_no_more_where_samples_are_small_or_perfect(frame: pd.DataFrame, question: str) -> None:
    """There other formulas take over, by the number of rows: seven copies of a row are one row for them too."""
    roles, ask = QUESTIONS[question]
    copies = pd.concat([frame] * 7, ignore_index=True)
    first, second = (ask(rows.evals(**roles, cluster="row")) for rows in (frame, copies))
    if "metric" in first:  # medians of copies are other quantiles, and resampled
        first, second = (found[found["metric"] != "median_ae"] for found in (first, second))
    mine, its = ((found["ci_high"] - found["ci_low"]).to_numpy(float) for found in (first, second))
    assert (np.isnan(mine) == np.isnan(its)).all()
    known = ~np.isnan(mine) & (mine > 1e-12)
    np.testing.assert_allclose(its[known], mine[known], rtol=0.15)
    few = [found["note"].str.contains("too few").tolist() for found in (first, second)]
    assert few[0] == few[1]


def test_areas_of_weighted_clusters_are_those_of_the_rows_they_stand_for() -> None:
    """Kish: rows of one cluster that are alike are one row, so the area of 260 rows keeps Newcombe's envelope."""
    one = SURE.evals(y_true="y", y_score="a", cluster="row").metrics("roc_auc").frame
    copies = pd.concat([SURE] * 50).evals(y_true="y", y_score="a", cluster="row").metrics("roc_auc").frame
    plain = SURE.evals(y_true="y", y_score="a").metrics("roc_auc").frame
    np.testing.assert_allclose(copies["ci_low"], one["ci_low"], rtol=1e-9)
    np.testing.assert_allclose(one["ci_low"], plain["ci_low"], rtol=1e-3)


def test_a_difference_of_shares_is_at_most_one() -> None:
    """Five positives: the delta method knows no end of the range, the metric does."""
    rare = FRAME.assign(y=(np.arange(N) % 37 == 0).astype(int), own=(FRAME["a"] > 0.45).astype(int))
    roles = {"y_true": "y", "y_pred": {"own": "own", "yes": "yes"}, "cluster": "row"}
    found = rare.evals(**roles).compare(by="g").frame
    assert found["ci_high"].max() <= 1
    assert found.loc[found["metric"] != "mcc", "ci_low"].min() >= -1

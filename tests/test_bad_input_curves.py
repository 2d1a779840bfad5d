"""Bad input of curves, decisions and residuals: a number, a reason, an empty panel or an error of ours, never another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from dfevals.exceptions import DfevalsError

N = 60
RNG = np.random.default_rng(0)
P = RNG.random(N)
GOOD = pd.DataFrame(
    {"y": (RNG.random(N) < P).astype(int), "p": P, "g": np.resize(["a", "b"], N), "amount": 5 * P, "w": 1.0}
)

FRAMES: dict[str, pd.DataFrame] = {
    "scores outside [0, 1]": GOOD.assign(p=3 * P - 1),
    "constant scores": GOOD.assign(p=0.3),
    "two scores": GOOD.assign(p=np.where(P > 0.5, 0.7, 0.2)),
    "one class in a cohort": GOOD.assign(y=np.where(GOOD["g"] == "a", 1, GOOD["y"])),
    "zero positives": GOOD.assign(y=0),
    "all positives": GOOD.assign(y=1),
    "one row": GOOD.iloc[:1],
    "zero rows": GOOD.iloc[:0],
    "no scores in the last cohort": GOOD.assign(p=GOOD["p"].where(GOOD["g"] == "a")),
    "tiny scores": GOOD.assign(p=P * 1e-310),
    "infinite scores": GOOD.assign(p=GOOD["p"].where(P > 0.3, np.inf)),
    "a cohort per row": GOOD.assign(g=[f"c{i}" for i in range(N)]),
    "perfect scores": GOOD.assign(p=GOOD["y"].astype(float)),
    "nullable dtypes": GOOD.assign(y=GOOD["y"].astype("Int64").mask(P > 0.9), p=GOOD["p"].astype("Float64").mask(P < 0.1)),
    "arrow dtypes": GOOD.convert_dtypes(dtype_backend="pyarrow"),
    "weights of zero": GOOD.assign(w=0.0),
    "weights of zero in a cohort": GOOD.assign(w=(GOOD["g"] == "a").astype(float)),
}  # fmt: skip

QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "calibration": lambda ev: ev.calibration(by="g", n_resamples=20).summary,
    "binned calibration": lambda ev: ev.calibration(by="g", strategy="quantile").summary,
    "recalibrate": lambda ev: ev.recalibrate("beta").frame,
    "roc": lambda ev: ev.roc(by="g").summary,
    "gains": lambda ev: ev.gains(by="g", value="amount", cost=1, n_resamples=10).best_profit,
    "cost": lambda ev: ev.thresholds(by="g", cost={"fp": 1, "fn": "amount"}, n_resamples=10).best,
    "limit": lambda ev: ev.thresholds(by="g", objective="specificity>=0.8", n_resamples=10).policies,
    "errors": lambda ev: ev.errors(by="g").classes,
}


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("question", QUESTIONS)
def test_bad_scores_are_answered_or_refused(frame: str, question: str) -> None:
    """Warnings are errors here, and so is every exception but those that name the fix."""
    weight = {"sample_weight": "w"} if frame.startswith("weights") else {}
    try:
        answer = QUESTIONS[question](FRAMES[frame].evals(y_true="y", y_score="p", task="binary", pos_label=1, **weight))
    except DfevalsError:
        return
    assert isinstance(getattr(answer, "frame", answer), pd.DataFrame)


def test_a_limit_is_sought_where_the_last_cohort_has_no_scores() -> None:
    df = FRAMES["no scores in the last cohort"]
    found = df.evals(y_true="y", y_score="p").thresholds(by="g", objective="specificity>=0.8", n_resamples=0)
    alone = df[df["g"] == "a"].evals(y_true="y", y_score="p").thresholds(objective="specificity>=0.8", n_resamples=0)
    best = found.best.set_index("g")
    assert best.loc["a", "threshold"] == alone.best["threshold"].item()
    assert np.isnan(best.loc["b", "value"])
    assert best.loc["b", "note"]


def forecasts(**changes: Any) -> Any:
    target = np.random.default_rng(1).normal(size=N)
    made = pd.DataFrame({"y": target, "p": target + 0.3, "g": GOOD["g"], "h": np.resize(["u", "v", "w"], N), "w": 1.0})
    return made.assign(**changes)


def test_residuals_of_a_cohort_without_weight_say_so() -> None:
    df = forecasts(w=(GOOD["g"] == "a").astype(float))
    frame = (
        df.evals(y_true="y", y_pred="p", task="regression", sample_weight="w").residuals(by="g").frame.set_index("g")
    )
    assert frame.loc["a", "mean_error"] == pytest.approx(0.3)
    assert frame.loc["b", ["mean_error", "std"]].isna().all()
    assert frame.loc["b", "note"]


def test_residuals_without_rows_or_weight_are_drawn_as_empty_panels() -> None:
    roles: dict[str, Any] = {"y_true": "y", "y_pred": "p", "task": "regression"}
    nothing = forecasts().iloc[:0].evals(**roles).residuals(by=["g", "h"])
    assert "no rows" in [text.get_text() for text in nothing.plot("map").texts]
    weightless = forecasts(w=0.0).evals(**roles, sample_weight="w").residuals(by="g")
    assert np.isnan(weightless.frame["mean_error"]).all()
    for kind in ("overview", "qq", "distribution", "decile", "worst"):
        weightless.plot(kind)


@pytest.mark.parametrize("roles", [{}, {"weight_kind": "frequency"}, {"cluster": "c"}])
def test_rows_that_weigh_nothing_change_no_calibration(roles: dict[str, str]) -> None:
    df = GOOD.assign(w=(P > 0.4).astype(int), c=np.arange(N) // 2)
    some, none = (
        part.evals(y_true="y", y_score="p", sample_weight="w", **roles)
        .metrics(["ece", "calibration_slope", "ace"])
        .frame
        for part in (df, df[df["w"] > 0])
    )
    np.testing.assert_allclose(some["value"], none["value"])

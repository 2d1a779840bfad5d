"""Every chart of every scored result with bad input: drawn without a warning, with its reason where nothing can be drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from dfevals import plots
from dfevals.exceptions import DfevalsError

N = 48
RNG = np.random.default_rng(0)
P, T = RNG.random(N), RNG.normal(size=N)
GOOD = pd.DataFrame(
    {
        "y": (RNG.random(N) < P).astype(int),
        "p": P,
        "q": np.clip(P + RNG.normal(0, 0.2, N), 0, 1),
        "g": np.resize(["a", "b"], N),
        "h": np.resize(["u", "v", "w"], N),
        "amount": 5 * P,
        "t": T,
        "f": T + RNG.normal(0, 0.5, N),
        "k": np.resize(["x", "y", "z"], N),
        "j": np.where(RNG.random(N) < 0.6, np.resize(["x", "y", "z"], N), "x"),
    }
).assign(low=lambda d: d["f"] - 1, high=lambda d: d["f"] + 1)
NUMBERS = ["p", "q", "f", "j"]
HOSTILE = [
    "<script>alert(1)</script>",
    "$x_{$",
    r"$\frac$",
    "very long name " * 20,
    "\u202eשלום",
    "a\nb",
    "",
    "(overall)",
]

FRAMES: dict[str, pd.DataFrame] = {
    "constant": GOOD.assign(p=0.3, q=0.3, f=1.0, t=1.0, low=1.0, high=1.0, j="x"),
    "one class": GOOD.assign(y=1, k="x"),
    "one row": GOOD.iloc[:1],
    "a cohort without scores": GOOD.assign(**{name: GOOD[name].where(GOOD["g"] == "a") for name in NUMBERS}),
    "a cohort per row": GOOD.assign(g=[f"c{i:02d}" for i in range(N)]),
    "hostile names": GOOD.assign(g=np.resize(HOSTILE, N), h=np.resize(HOSTILE[:3], N)).replace({"k": "x", "j": "x"}, HOSTILE[1]),
    "tiny scores": GOOD.assign(p=P * 1e-310, q=P * 1e-300),
    "huge numbers": GOOD.assign(t=T * 1e60, f=(T + 1) * 1e60, low=-1e60, high=1e60, amount=P * 1e60),
}  # fmt: skip


def scores(df: pd.DataFrame) -> Any:
    return df.evals(y_true="y", y_score={"$x_{$": "p", "<b>": "q"}, task="binary", pos_label=1)


def forecasts(df: pd.DataFrame) -> Any:
    return df.evals(y_true="t", y_pred="f", y_lower="low", y_upper="high", task="regression")


def classes(df: pd.DataFrame) -> Any:
    return df.evals(y_true="k", y_pred="j", task="multiclass")


def smooth(df: pd.DataFrame) -> Any:
    return scores(df).calibration(by="g", strategy="smooth", models="$x_{$")


FORECASTS = ("overview", "residual", "actual", "qq", "distribution", "decile", "interval", "worst")
RESULTS: dict[str, tuple[Callable[[pd.DataFrame], Any], tuple[str, ...]]] = {
    "roc": (lambda d: scores(d).roc(by="g"), ("",)),
    "pr": (lambda d: scores(d).pr(by="g"), ("",)),
    "det": (lambda d: scores(d).det(), ("",)),
    "cap": (lambda d: scores(d).cap(), ("",)),
    "gains": (lambda d: scores(d).gains(by="g"), ("gain", "lift", "rate", "ks")),
    "profit": (lambda d: scores(d).gains(value="amount", cost=1, n_resamples=5), ("profit", "roi")),
    "thresholds": (
        lambda d: scores(d).thresholds(by="g", n_resamples=5),
        ("objective", "metrics", "decision", "best"),
    ),
    "calibration": (lambda d: scores(d).calibration(by="g", n_resamples=10, models="$x_{$"), ("",)),
    "binned calibration": (lambda d: scores(d).calibration(strategy="quantile"), ("",)),
    "smooth calibration": (smooth, ("",)),
    "recalibrate": (lambda d: scores(d).recalibrate("sigmoid"), ("",)),
    "residuals": (lambda d: forecasts(d).residuals(), FORECASTS),
    "residuals by cohort": (lambda d: forecasts(d).residuals(by=["g", "h"]), ("map", "distribution", "worst")),
    "binary confusion": (lambda d: scores(d).confusion(by="g"), ("",)),
    "errors": (lambda d: classes(d).errors(by="g"), ("matrix", "pairs", "classes")),
}


FEW = {"limit": 2}
LIMITED = {"roc", "pr", "gains", "thresholds", "calibration", "smooth calibration", "binary confusion"}


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("result", RESULTS)
def test_charts_of_bad_input_are_drawn_or_refused(result: str, frame: str) -> None:
    """Warnings are errors, those of mathematics and layout too."""
    make, kinds = RESULTS[result]
    try:
        made = make(FRAMES[frame])
    except DfevalsError:
        return
    for kind in kinds:
        drawn = made.plot(*filter(None, [kind]), **(FEW if result in LIMITED and kind != "best" else {}))
        figure = np.atleast_1d(np.asarray(drawn, dtype=object)).ravel()[0].figure
        if frame != "huge numbers":  # whose ticks must leave room; layout takes most of the time
            figure.set_layout_engine("none")
        figure.draw_without_rendering()
        assert plots.alt_text(figure)
        plt.close(figure)

"""Calibration of 100 cohorts: curve and ECE, with and without a band, against loops over scikit-learn's calibration_curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from cohort_metrics import scored
from harness import Fact, Row, cpu

COHORTS = 100
BINS = 15
RESAMPLES = 1000
MEASURED = 3  # bootstrap replicates of the loop that are run; the time of 1 000 is scaled from them


def curve(y: Any, score: Any) -> tuple[Any, Any, float]:
    """scikit-learn's curve, and the ECE of the same bins."""
    from sklearn.calibration import calibration_curve

    observed, mean = calibration_curve(y, score, n_bins=BINS)
    cell = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], score)
    n = np.bincount(cell, minlength=BINS)
    return observed, mean, float((np.abs(observed - mean) * n[n > 0]).sum() / n.sum())


def masks(frame: pd.DataFrame) -> list[Any]:
    """The loop that people write: a mask per cohort."""
    found = []
    for name in frame["cohort"].unique():
        part = frame[frame["cohort"] == name]
        found.append(curve(part["y"].to_numpy(), part["p0"].to_numpy()))
    return found


def groups(frame: pd.DataFrame) -> list[Any]:
    """The same by groupby."""
    return [curve(part["y"].to_numpy(), part["p0"].to_numpy()) for _, part in frame.groupby("cohort")]


def bootstrap(frame: pd.DataFrame, resamples: int) -> list[Any]:
    """Percentile band of every curve: rows of a cohort drawn with replacement."""
    rng = np.random.default_rng(0)
    found = []
    for _, part in frame.groupby("cohort"):
        y, score = part["y"].to_numpy(), part["p0"].to_numpy()
        for _ in range(resamples):
            draw = rng.integers(0, len(y), len(y))
            found.append(curve(y[draw], score[draw]))
    return found


def ours(frame: pd.DataFrame, **options: Any) -> Any:
    """Roles, validation, cohorts, curves, and the errors of every cohort with the interval of the ECE."""
    result = frame.evals(y_true="y", y_score="p0").calibration(by="cohort", **options)
    return result.frame, result.errors


def run(rows: int) -> list[Row | Fact]:
    """Ratios and times."""
    import matplotlib as mpl

    mpl.use("Agg")
    frame = scored(rows, COHORTS)
    binned: dict[str, Any] = {"strategy": "uniform", "bins": BINS, "band": "confidence"}
    ours(frame, **binned)  # imports
    ours(frame)
    uniform, isotonic, banded = (cpu(lambda o=o: ours(frame, **o)) for o in (binned, {"band": None}, {}))
    masked, grouped = cpu(lambda: masks(frame), 1), cpu(lambda: groups(frame))
    band = cpu(lambda: bootstrap(frame, MEASURED), 1) * RESAMPLES / MEASURED
    what = f"curve and ECE with intervals, {COHORTS} cohorts, {rows:,} rows"
    result = frame.evals(y_true="y", y_score="p0").calibration(by="cohort")
    single = frame.evals(y_true="y", y_score="p0").calibration()
    errors = frame.assign(noise=frame["p0"] + 0.1 * frame["y"]).evals(y_true="noise", y_pred="p0").residuals()
    summary = cpu(lambda: frame.evals(y_true="y", y_score="p0").calibration(by="cohort", **binned).summary, 1)
    return [
        Row(f"{what}, uniform bins", "calibration_curve per mask", uniform, masked, "≥ 8×"),
        Row(f"{what}, uniform bins", "calibration_curve per group", uniform, grouped),
        Row(f"{what}, CORP", "calibration_curve per mask", isotonic, masked, "≥ 8×"),
        Row(
            f"CORP with a band of {RESAMPLES:,} replicates",
            "bootstrap of calibration_curve (scaled)",
            banded,
            band,
            "≥ 300×",
        ),
        Fact("all calibration numbers of the cohorts (summary), s CPU", f"{summary:.2f}"),
        Fact(f"reliability diagram of {rows:,} rows drawn, s CPU", f"{cpu(lambda: drawn(single)):.2f}", "≤ 1"),
        Fact("reliability diagrams of 8 of 100 cohorts and overall drawn, s CPU", f"{cpu(lambda: drawn(result)):.2f}"),
        Fact(
            f"errors of {rows:,} predictions drawn as hexagons, s CPU",
            f"{cpu(lambda: drawn(errors, 'residual')):.2f}",
            "≤ 1",
        ),
    ]


def drawn(result: Any, *kind: str) -> None:
    """Draw and render."""
    import matplotlib.pyplot as plt

    axes = np.atleast_1d(np.asarray(result.plot(*kind), dtype=object))
    axes[0].figure.canvas.draw()
    plt.close(axes[0].figure)

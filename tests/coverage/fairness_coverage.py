"""Cohorts whose true values are known: how often pooled values, differences of groups and standardised values cover them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import dfevals  # noqa: F401  (registers df.evals)

__all__ = ["between_groups", "losses", "pooling", "shares", "standardised"]

Population = Callable[[np.random.Generator, int, int], tuple[pd.DataFrame, dict[str, Any], str, np.ndarray]]


def shares(mean: float, spread: float) -> Population:
    """Accuracies of cohorts that come from a beta distribution."""

    def draw(rng: np.random.Generator, cohorts: int, rows: int) -> tuple[pd.DataFrame, dict[str, Any], str, np.ndarray]:
        size = mean * (1 - mean) / spread**2 - 1 if spread else np.inf
        truth = rng.beta(mean * size, (1 - mean) * size, cohorts) if spread else np.full(cohorts, mean)
        g = np.repeat(np.arange(cohorts), rng.integers(rows // 2, 2 * rows, cohorts))
        y = rng.integers(0, 2, len(g))
        right = rng.random(len(g)) < truth[g]
        frame = pd.DataFrame({"g": g, "y": y, "p": np.where(right, y, 1 - y)})
        return frame, {"y_true": "y", "y_pred": "p", "pos_label": 1}, "accuracy", truth

    return draw


def losses(spread: float) -> Population:
    """Absolute errors of cohorts, gamma about means that are log-normal."""

    def draw(rng: np.random.Generator, cohorts: int, rows: int) -> tuple[pd.DataFrame, dict[str, Any], str, np.ndarray]:
        truth = 10 * np.exp(spread * rng.standard_normal(cohorts))
        g = np.repeat(np.arange(cohorts), rng.integers(rows // 2, 2 * rows, cohorts))
        error = truth[g] * rng.gamma(2, 0.5, len(g))
        frame = pd.DataFrame({"g": g, "y": error, "p": np.zeros(len(g))})
        return frame, {"y_true": "y", "y_pred": "p", "task": "regression"}, "mae", truth

    return draw


def pooling(draw: Population, cohorts: int, rows: int, repeats: int, seed: int = 0) -> dict[str, float]:
    """Coverage of pooled intervals over cohorts, and the mean squared error and width beside those of the raw values."""
    rng, covered, errors, widths = np.random.default_rng(seed), [], [], []
    for _ in range(repeats):
        frame, roles, metric, truth = draw(rng, cohorts, rows)
        found = frame.evals(**roles).metrics(metric, by="g", pooled=True).frame.iloc[1:]
        value, low, high, raw, raw_low, raw_high = (
            found[name].to_numpy(float)
            for name in ("pooled", "pooled_low", "pooled_high", "value", "ci_low", "ci_high")
        )
        at = truth[found["g"].astype(int)]
        covered.append(((low <= at) & (at <= high)).mean())
        errors.append([((value - at) ** 2).mean(), ((raw - at) ** 2).mean()])
        widths.append([(high - low).mean(), (raw_high - raw_low).mean()])
    (mine, raw), (width, raw_width) = np.mean(errors, axis=0), np.mean(widths, axis=0)
    return {
        "coverage": float(np.mean(covered)),
        "error / raw error": float(mine / raw),
        "width / raw width": float(width / raw_width),
    }


def between_groups(truth: np.ndarray, rows: int, repeats: int, seed: int = 0) -> dict[str, float]:
    """Coverage of the greatest difference and the least ratio of groups that are right and wrong at these rates.

    `truth` (2, groups) holds true and false positive rates; criteria of one and of two rates are asked for.
    """
    rng, found = np.random.default_rng(seed), []
    groups, names = truth.shape[1], ("equal_opportunity", "equalized_odds")
    gaps, least = np.ptp(truth, axis=1), truth.min(axis=1) / truth.max(axis=1)
    true = {"equal_opportunity": (gaps[0], least[0]), "equalized_odds": (gaps.max(), least.min())}
    for _ in range(repeats):
        g = np.repeat(np.arange(groups), rng.integers(rows // 2, 2 * rows, groups))
        y = rng.integers(0, 2, len(g))
        p = (rng.random(len(g)) < truth[1 - y, g]).astype(int)
        ev = pd.DataFrame({"g": g, "y": y, "p": p}).evals(y_true="y", y_pred="p", pos_label=1)
        frame = ev.fairness("g", criteria=list(names)).frame.set_index("criterion")
        row = {}
        for name, (gap, ratio) in true.items():
            one = frame.loc[name]
            row[f"{name} difference"] = one["difference_low"] <= gap <= one["difference_high"]
            row[f"{name} ratio"] = one["ratio_low"] <= ratio <= one["ratio_high"]
        row["width"] = (
            frame.loc["equal_opportunity", "difference_high"] - frame.loc["equal_opportunity", "difference_low"]
        )
        row["bias"] = frame.loc["equal_opportunity", "difference"] - gaps[0]
        row["bias, corrected"] = frame.loc["equal_opportunity", "difference_corrected"] - gaps[0]
        found.append(row)
    return dict(pd.DataFrame(found).astype(float).mean())


STANDARDISED = ("accuracy", "recall", "f1", "log_loss")


def standardised(rows: int, repeats: int, sampled: int = 0, clusters: int = 0, seed: int = 0) -> dict[str, float]:
    """Coverage of standardised values where the reference over-samples cohorts ten to one.

    The mix is given, or counted from `sampled` rows; `clusters` is the size of clusters whose rows are right together.
    """
    mine, wanted = np.array([0.06, 0.14, 0.8]), np.array([0.6, 0.3, 0.1])
    share, apart = np.array([0.5, 0.3, 0.4]), np.array([0.8, 1.6, 2.4])
    rng, found = np.random.default_rng(seed), []
    truth = _true(share, apart, wanted, np.random.default_rng(99))
    names = np.array(list("abc"))
    for _ in range(repeats):
        frame = _drawn(rng, rng.choice(3, rows, p=mine), share, apart, clusters)
        to = (
            dict(zip(names, wanted, strict=True))
            if not sampled
            else pd.DataFrame({"g": names[rng.choice(3, sampled, p=wanted)]})
        )
        frame["g"] = names[frame["g"]]
        roles = {"cluster": "unit"} if clusters else {}
        ev = frame.evals(y_true="y", y_score="p", pos_label=1, **roles)
        table = ev.standardise(to, "g", list(STANDARDISED)).frame.set_index("metric")
        found.append(
            {name: table.loc[name, "ci_low"] <= truth[name] <= table.loc[name, "ci_high"] for name in STANDARDISED}
        )
    return dict(pd.DataFrame(found).astype(float).mean())


def _drawn(
    rng: np.random.Generator, g: np.ndarray, share: np.ndarray, apart: np.ndarray, clusters: int
) -> pd.DataFrame:
    """Rows of these cohorts with calibrated scores; rows of a cluster share label and cohort and most of the score's error."""
    unit = np.arange(len(g)) // max(clusters, 1)
    g = g[unit * max(clusters, 1)]
    y = (rng.random(len(g)) < share[g]).astype(int)[unit * max(clusters, 1)]
    error = rng.standard_normal(len(g))
    if clusters:
        error = 0.8 * rng.standard_normal(len(g))[unit] + 0.6 * error
    z = error + apart[g] * (y - 0.5)
    return pd.DataFrame(
        {"g": g, "y": y, "unit": unit, "p": 1 / (1 + np.exp(-apart[g] * z) * (1 - share[g]) / share[g])}
    )


def _true(share: np.ndarray, apart: np.ndarray, wanted: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """Values of the mix itself, from very many of its rows."""
    frame = _drawn(rng, rng.choice(3, 1_000_000, p=wanted), share, apart, 0)
    return dict(
        frame.evals(y_true="y", y_score="p", pos_label=1)
        .metrics(list(STANDARDISED), level=None)
        .frame.set_index("metric")["value"]
    )

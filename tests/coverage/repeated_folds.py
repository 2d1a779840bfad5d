"""Size of the corrected t test over repeated cross-validation of two learners that are equal by symmetry.

Both learners are one algorithm, each on five features of its own; the label depends on both sets alike. Differences in
accuracy over r repeats of k folds are tested at .05 with k·r − 1 degrees of freedom, with k − 1, and with those of
`calibrated_resampled_ttest` (Bouckaert 2003 had the idea: degrees of freedom by simulation).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtr

from dfevals.inference import calibrated_resampled_ttest, corrected_resampled_ttest

Array = npt.NDArray[Any]
FEATURES = 5
REPEATS = (1, 2, 3, 5, 10, 20)


def _in_folds(fold: Array, values: Array, k: int) -> Array:
    """Sums of values (n, …) over the rows of every fold of every repeat, (r, k, …)."""
    member = (fold[:, None, :] == np.arange(k)[:, None]).reshape(-1, fold.shape[1]).astype(float)
    return (member @ values.reshape(len(values), -1)).reshape(len(fold), k, *values.shape[1:])


def least_squares(x: Array, sign: Array, fold: Array, k: int) -> Array:
    """Linear fit to the sign, (r, n): the score of every row by the fit to the other folds."""
    design = np.hstack([np.ones((len(x), 1)), x])
    square, cross = design[:, :, None] * design[:, None, :], design * sign[:, None]
    left = square.sum(axis=0) - _in_folds(fold, square, k) + 1e-6 * np.eye(FEATURES + 1)
    beta = np.linalg.solve(left, (cross.sum(axis=0) - _in_folds(fold, cross, k))[..., None])[..., 0]
    return np.einsum("rnf,nf->rn", beta[np.arange(len(fold))[:, None], fold], design)


def nearest_neighbour(x: Array, sign: Array, fold: Array, k: int) -> Array:
    """Sign of the nearest row of the other folds."""
    distance = ((x[:, None] - x) ** 2).sum(axis=-1)
    return np.stack([sign[np.where(f[:, None] == f, np.inf, distance).argmin(axis=1)] for f in fold])


def best_feature(x: Array, sign: Array, fold: Array, k: int) -> Array:
    """Sign of the one feature that tells most in the other folds: a choice that jumps, as a small tree's does."""
    agreed = np.sign(x) * sign[:, None]
    told = agreed.sum(axis=0) - _in_folds(fold, agreed, k)
    best = np.abs(told).argmax(axis=-1)
    way = np.where(np.take_along_axis(told, best[..., None], -1)[..., 0] < 0, -1.0, 1.0)
    repeat = np.arange(len(fold))[:, None]
    return way[repeat, fold] * np.sign(x[np.arange(len(x)), best[repeat, fold]])


LEARNERS: dict[str, Callable[[Array, Array, Array, int], Array]] = {
    "least squares": least_squares,
    "nearest neighbour": nearest_neighbour,
    "best of five features": best_feature,
}


def differences(learner: str, rows: int, k: int, samples: int, signal: float, seed: int) -> Array:
    """Differences in accuracy per fold, (samples, 20 repeats, k)."""
    rng, out = np.random.default_rng(seed), np.empty((samples, REPEATS[-1], k))
    place = np.arange(REPEATS[-1])[:, None] * k
    for i in range(samples):
        x = rng.normal(size=(2, rows, FEATURES))
        sign = np.where(signal * (x[:, :, 0] + x[:, :, 1] / 2).sum(axis=0) + rng.normal(size=rows) > 0, 1.0, -1.0)
        fold = np.stack([rng.permutation(rows) % k for _ in place])
        right = [(LEARNERS[learner](side, sign, fold, k) > 0) == (sign > 0) for side in x]
        gap = (right[0] * 1.0 - right[1]).ravel()
        out[i] = np.bincount((place + fold).ravel(), gap).reshape(-1, k) / np.bincount((place + fold)[0] - place[0])
    return out


def sizes(learner: str, k: int, samples: int, rows: int = 60, signal: float = 0.5, seed: int = 0) -> pd.DataFrame:
    """Share of samples with p ≤ .05, by number of repeats and by degrees of freedom."""
    gaps, found = differences(learner, rows, k, samples, signal, seed), []
    for r in REPEATS:
        part, n_test = gaps[:, :r].reshape(samples, -1), rows / k
        full = corrected_resampled_ttest(part, rows - n_test, n_test)
        calibrated = calibrated_resampled_ttest(part, rows - n_test, n_test, repeats=r)
        least = 2 * stdtr(k - 1, -np.abs(full.statistic))
        shares = [np.mean(np.nan_to_num(p, nan=1.0) <= 0.05) for p in (full.p_value, least, calibrated.p_value)]
        found.append([learner, f"{r} × {k}", *shares, float(np.max(calibrated.df))])
    return pd.DataFrame(found, columns=["learner", "repeats × folds", "k·r − 1", "k − 1", "calibrated", "df"])

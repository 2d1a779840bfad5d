"""Maps from scores to calibrated probabilities, fitted on some rows and applied to others; arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.inference.isotonic import isotonic

__all__ = ["METHODS", "fit_calibrator", "fit_temperature"]

Floats = npt.NDArray[np.float64]
Calibrator = Callable[[Floats], Floats]
EPS = float(np.finfo(np.float64).eps)
METHODS = ("sigmoid", "isotonic", "temperature", "beta", "venn-abers")
LEVELS = 1000  # distinct scores of a Venn–Abers predictor; more are grouped


def fit_calibrator(
    method: str, score: Floats, y: Floats, weight: Floats | None = None, *, margin: bool = False
) -> Calibrator:
    """Fit a map from the scores of one event to its probability.

    Parameters
    ----------
    method : {"sigmoid", "isotonic", "temperature", "beta", "venn-abers"}
        Logistic regression on log-odds with Platt's smoothed targets (Platt 1999); isotonic regression (Zadrozny and
        Elkan 2002); one factor of the log-odds (Guo et al. 2017); beta calibration (Kull, Silva Filho and Flach 2017);
        the inductive Venn–Abers predictor p₁ / (1 − p₀ + p₁) (Vovk and Petej 2014).
    score, y : array, shape (n,)
        Probabilities, or margins if `margin`; outcomes 0 and 1. Both outcomes must occur.
    weight : array, optional
    margin : bool
        Scores are margins: "sigmoid" takes them as they are; "temperature" and "beta" need probabilities.

    Returns
    -------
    callable
        Scores → probabilities.
    """
    w = np.ones_like(score) if weight is None else weight
    if method == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(score, y, sample_weight=w)
        return lambda s: np.asarray(fitted.predict(s), float)
    if method == "venn-abers":
        return _venn_abers(score, y, w)
    if method == "beta":
        return _beta(score, y, w)
    x = score if margin else log_odds(score)
    if method == "temperature":
        factor = _logistic(x[:, None], y, w)[0]
        return lambda s: _expit(factor * (s if margin else log_odds(s)))
    pos, neg = (w * y).sum(), (w * (1 - y)).sum()
    target = np.where(y > 0, (pos + 1) / (pos + 2), 1 / (neg + 2))
    scale = float(np.abs(x).max(initial=1)) or 1.0
    a, b = _logistic(np.column_stack([x / scale, np.ones_like(x)]), target, w)
    return lambda s: _expit(a * (s if margin else log_odds(s)) / scale + b)


def log_odds(p: Floats) -> Floats:
    """Logit of probabilities kept ε away from 0 and 1."""
    inner = np.clip(p, EPS, 1 - EPS)
    return np.asarray(np.log(inner) - np.log1p(-inner))


def _expit(x: Floats) -> Floats:
    from scipy.special import expit

    return np.asarray(expit(x))


def _logistic(x: Floats, y: Floats, w: Floats) -> Floats:
    """Coefficients of a logistic regression by Newton steps, halved while they lower the likelihood.

    A ridge of 1e-8 keeps separated classes finite.
    """
    beta = np.zeros(x.shape[1])

    def loss(b: Floats) -> float:
        eta = x @ b
        return float((w * (np.logaddexp(0, eta) - y * eta)).sum() + 5e-9 * (b @ b))

    value = loss(beta)
    for _ in range(100):
        p = _expit(x @ beta)
        gradient = x.T @ (w * (p - y)) + 1e-8 * beta
        hessian = (x * (w * p * (1 - p))[:, None]).T @ x + 1e-8 * np.eye(len(beta))
        move = np.linalg.solve(hessian, gradient)
        for _ in range(30):
            if loss(beta - move) <= value:
                break
            move = move / 2
        beta = beta - move
        new = loss(beta)
        if abs(value - new) <= 1e-12 * (abs(new) + 1e-12) and float(np.abs(move).max()) < 1e-7:
            break
        value = new
    return beta


def _beta(score: Floats, y: Floats, w: Floats) -> Calibrator:
    """Logistic regression on log s and −log(1 − s); a coefficient below 0 would break the order and is left out."""

    def features(s: Floats) -> Floats:
        inner = np.clip(s, EPS, 1 - EPS)
        return np.column_stack([np.log(inner), -np.log1p(-inner), np.ones_like(inner)])

    x = features(score)
    keep = np.array([True, True, True])
    coefficient = _logistic(x, y, w)
    if (coefficient[:2] < 0).any():
        keep[int(np.argmin(coefficient[:2]))] = False
        coefficient = _logistic(x[:, keep], y, w)
        if coefficient[0] < 0:
            keep[:2] = False
            coefficient = _logistic(x[:, keep], y, w)
    return lambda s: _expit(features(s)[:, keep] @ coefficient)


def _venn_abers(score: Floats, y: Floats, w: Floats) -> Calibrator:
    """Both isotonic fits with the new score labelled 0 and 1, for every place a new score can take."""
    levels, place = np.unique(score, return_inverse=True)
    if len(levels) > LEVELS:
        cut = np.searchsorted(levels, np.quantile(score, np.arange(1, LEVELS) / LEVELS), "left")
        place = np.searchsorted(np.unique(cut), place, "right")
        levels = np.bincount(place, w * score) / np.bincount(place, w)
    n, pos = np.bincount(place, w), np.bincount(place, w * y)
    k = len(levels)
    # a new score equals level i (place 2i + 1) or lies between two levels (place 2i)
    at = np.arange(2 * k + 1)
    probability = np.empty(2 * k + 1)
    step = max(1, 2_000_000 // (2 * k + 1))
    for start in range(0, 2 * k + 1, step):
        some = at[start : start + step]
        ends = []
        for label in (0.0, 1.0):
            weights = np.zeros((len(some), 2 * k + 1))
            sums = np.zeros_like(weights)
            weights[:, 1::2], sums[:, 1::2] = n, pos
            rows = np.arange(len(some))
            weights[rows, some] += 1
            sums[rows, some] += label
            filled = weights > 0
            series = np.broadcast_to(rows[:, None], weights.shape)[filled]
            fitted, _ = isotonic(sums[filled] / weights[filled], weights[filled], series)
            whole = np.zeros_like(weights)
            whole[filled] = fitted
            ends.append(np.clip(whole[rows, some], 0, 1))
        probability[start : start + step] = ends[1] / (1 - ends[0] + ends[1])

    def calibrated(s: Floats) -> Floats:
        left = np.searchsorted(levels, s, "left")
        equal = (left < k) & (levels[np.minimum(left, k - 1)] == s)
        return np.asarray(probability[2 * left + equal])

    return calibrated


def fit_temperature(scores: Floats, y: npt.NDArray[Any], weight: Floats | None = None) -> Callable[[Floats], Floats]:
    """Temperature scaling of several classes: softmax of log p / T, with the T of least log loss (Guo et al. 2017).

    Parameters
    ----------
    scores : array, shape (n, classes)
        Probabilities.
    y : array of int, shape (n,)
        Class codes.
    weight : array, optional
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp, softmax

    w = np.ones(len(y)) if weight is None else weight
    logs = np.log(np.clip(scores, EPS, None))
    own = np.take_along_axis(logs, np.asarray(y, np.intp)[:, None], axis=1)[:, 0]

    def loss(log_factor: float) -> float:
        factor = np.exp(log_factor)
        return float((w * (logsumexp(factor * logs, axis=1) - factor * own)).sum() / w.sum())

    factor = float(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-9}).x))
    return lambda s: np.asarray(softmax(factor * np.log(np.clip(s, EPS, None)), axis=1))

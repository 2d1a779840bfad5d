"""Area under the ROC curve up to a false positive rate, standardised by McClish (1989)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dfevals.analyses.scores.score_steps import Steps
from dfevals.estimates.bootstrap import percentiles
from dfevals.metrics.estimands import divide
from dfevals.tally import ScoreTally

__all__ = ["partial_auc"]

Floats = npt.NDArray[np.float64]


def partial_auc(
    tally: ScoreTally, points: Steps, max_fpr: float, level: float, n_resamples: int, rng: np.random.Generator
) -> dict[str, Floats]:
    """Partial area of every cohort, from all rows; its interval resamples the steps of the curve.

    Parameters
    ----------
    tally : ScoreTally
    points : Steps
    max_fpr : float
        In (0, 1].
    level, n_resamples, rng
        Of the percentile bootstrap.

    Returns
    -------
    dict of arrays, shape (cohorts,)
        `partial_auc` in [0, 1], 0.5 for a useless score; `partial_auc_low`, `partial_auc_high`. NaN with one class.

    References
    ----------
    McClish (1989), "Analyzing a portion of the ROC curve", Medical Decision Making 9.
    """
    pos, neg = points.total.pos, points.total.neg
    area = np.zeros(tally.n_cohorts)
    for piece in tally.blocks():
        c = piece.cohort
        left = divide(neg[c] - piece.neg_below - piece.neg, neg[c])  # rates before and after the block, from above
        right = divide(neg[c] - piece.neg_below, neg[c])
        bottom = divide(pos[c] - piece.pos_below - piece.pos, pos[c])
        top = divide(pos[c] - piece.pos_below, pos[c])
        part = _trapezoid(left, right, bottom, top, max_fpr)
        area += np.bincount(c, np.nan_to_num(part), tally.n_cohorts)
    area[(pos == 0) | (neg == 0)] = np.nan
    low, high = np.full_like(area, np.nan), np.full_like(area, np.nan)
    for cohort in np.flatnonzero(~np.isnan(area)):
        at = points.of(int(cohort))
        drawn = []
        for values, square in ((points.tp, points.total.pos_sq), (points.fp, points.total.neg_sq)):
            weight = values[at][-1] / square[cohort] * values[at][-1]
            cell = np.diff(values[at], prepend=0.0) / values[at][-1] * weight
            counts = np.cumsum(rng.poisson(np.maximum(cell, 0), (n_resamples, len(cell))), axis=1)
            drawn.append(counts / np.maximum(counts[:, -1:], 1))
        tpr, fpr = drawn
        parts = _trapezoid(fpr[:, :-1], fpr[:, 1:], tpr[:, :-1], tpr[:, 1:], max_fpr).sum(axis=1)
        low[cohort], high[cohort] = percentiles(_standardised(parts, max_fpr), level)
    return {"partial_auc": _standardised(area, max_fpr), "partial_auc_low": low, "partial_auc_high": high}


def _trapezoid(left: Floats, right: Floats, bottom: Floats, top: Floats, limit: float) -> Floats:
    """Area under lines (left, bottom)–(right, top), up to `limit`."""
    stop = np.minimum(right, limit)
    width = np.maximum(stop - left, 0)
    share = np.divide(width, right - left, out=np.zeros_like(width), where=right > left)
    return np.asarray(width * (bottom + share * (top - bottom) / 2))


def _standardised(area: Floats, limit: float) -> Floats:
    least = limit**2 / 2
    return np.asarray(0.5 * (1 + (area - least) / (limit - least)))

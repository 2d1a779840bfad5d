"""Proper scoring rules of predicted probabilities, and top-k accuracy."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.exceptions import MetricError
from dfevals.metrics.estimands import Mean, SmoothMoments
from dfevals.metrics.parameters import check_whole
from dfevals.metrics.registry import Metric, metric, parametric
from dfevals.needs import Moments, RowBlock, RowFunction
from dfevals.tally import MomentView

Array = npt.NDArray[Any]
HALL = "Hall 1992, skew-corrected t"

probability = partial(metric, family="probabilistic", requires=("probability",), tasks=("binary", "multiclass"))


def _own(rows: RowBlock) -> Array:
    """Probability that the model gave to the true class."""
    return np.take_along_axis(rows.scores, np.asarray(rows.y_true, np.intp)[:, None], axis=1)[:, 0]


def _log_loss(rows: RowBlock) -> Array:
    if rows.n_score > 2:
        p = _own(rows)
    else:
        score = rows.score
        p = np.where(rows.y_true == 1, score, 1 - score)
    np.clip(p, rows.eps, 1 - rows.eps, out=p)
    np.log(p, out=p)
    return np.negative(p, out=p)


def _brier(rows: RowBlock) -> Array:
    if rows.n_score > 2:
        return np.einsum("ij,ij->i", rows.scores, rows.scores) - 2 * _own(rows) + 1
    error = rows.score - rows.y_true
    return np.multiply(error, error, out=error)


def _class(rows: RowBlock) -> Array:
    return rows.y_true


log_loss_rows = RowFunction("log_loss", _log_loss, ("y_true", "y_score"))
brier_rows = RowFunction("brier", _brier, ("y_true", "y_score"))
class_rows = RowFunction("y_true", _class, ("y_true",))


@probability(
    needs=Moments((log_loss_rows,)),
    range=(0.0, np.inf),
    better="lower",
    aliases=("cross_entropy", "logloss"),
    interval=HALL,
    formula="−mean log p(y_true), p clipped to [ε, 1 − ε], ε that of the scores' floats",
    oracle="sklearn.metrics.log_loss",
    reference="Good 1952",
)
def log_loss(moments: MomentView) -> Mean:
    """Mean negative logarithm of the probability given to the true class."""
    return Mean(moments)


@probability(
    needs=Moments((brier_rows,)),
    range=(0.0, 2.0),
    better="lower",
    aliases=("brier_score", "brier_score_loss"),
    interval=HALL,
    formula="mean (p − y)²; multiclass: mean Σ_k (p_k − y_k)²",
    oracle="sklearn.metrics.brier_score_loss",
    reference="Brier 1950",
)
def brier(moments: MomentView) -> Mean:
    """Mean squared distance of the probabilities from what happened."""
    return Mean(moments)


@metric(
    needs=Moments((brier_rows, class_rows), order=4),
    family="probabilistic",
    requires=("probability",),
    tasks=("binary",),
    range=(-np.inf, 1.0),
    aliases=("bss", "d2_brier_score"),
    interval="influence function, on log(1 − value)",
    formula="1 − Brier / (π (1 − π)), π the base rate of the cohort",
    oracle="sklearn.metrics.d2_brier_score",
    reference="Murphy 1973",
)
def brier_skill(moments: MomentView) -> SmoothMoments:
    """Share of the Brier score of always predicting the base rate that the model saves."""
    rarer = moments.effective * np.minimum(moments.mean[1], 1 - moments.mean[1])
    return SmoothMoments(moments, lambda mean, second: 1 - mean[0] / second[0, 2], "log1m", "only one class", rarer)


def _top_k(rows: RowBlock, k: int) -> Array:
    if k > rows.scores.shape[1]:
        raise MetricError(f"top_k_accuracy(k={k}): there are only {rows.scores.shape[1]} classes. Pass a smaller k=.")
    own = _own(rows)[:, None]
    later = np.arange(rows.scores.shape[1])[None, :] > np.asarray(rows.y_true)[:, None]
    ahead = ((rows.scores > own) | ((rows.scores == own) & later)).sum(axis=1)
    return (ahead < k).astype(float)


def _top_k_record(k: int = 2) -> Metric:
    check_whole("top_k_accuracy", "k", k)
    need = Moments((RowFunction("top_k", _top_k, ("y_true", "y_score"), (("k", k),)),))

    def top_k_accuracy(moments: MomentView, k: int = k) -> Mean:
        """Share of the rows whose true class is among the k with the highest scores."""
        return Mean(moments, proportion=True)

    return Metric(
        "top_k_accuracy",
        top_k_accuracy,
        (need,),
        ("multiclass",),
        "classification",
        (0.0, 1.0),
        "higher",
        ("top_k_accuracy_score",),
        interval="Wilson",
        formula="mean 1{rank of p(y_true) ≤ k}",
        oracle="sklearn.metrics.top_k_accuracy_score",
        reference="Russakovsky et al. 2015",
        requires=("score",),
    )


parametric("top_k_accuracy", _top_k_record, k=2)

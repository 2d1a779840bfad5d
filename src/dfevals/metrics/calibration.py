"""Metrics of calibration: binned, smooth and logistic miscalibration, and what of a proper score it makes up.

Binary tasks judge the probability of the positive class; with more classes the errors judge the confidence, the
probability of the predicted class, against whether it is right.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.exceptions import MetricError, check_choice
from dfevals.inference.levels import t_quantile
from dfevals.metrics.estimands import Value
from dfevals.metrics.registry import Metric, metric, parametric
from dfevals.metrics.reliability import (
    CUTS,
    decompose,
    ece_of,
    logistic_recalibration,
    smooth_ece_of,
    spiegelhalter_of,
)
from dfevals.needs import RowBlock, RowFunction, Values
from dfevals.tally import RowTally, ScoreTally
from dfevals.tally.ties import TieTable

__all__ = ["EVENTS", "event_rows", "event_score", "scores_of", "ties_of"]

Floats = npt.NDArray[np.float64]
BINS = 15


def _event_score(rows: RowBlock) -> npt.NDArray[Any]:
    """Probability of the positive class, or of the predicted class where there are more than two."""
    return rows.score if rows.n_score == 2 else rows.scores.max(axis=1)


def _event(rows: RowBlock) -> npt.NDArray[Any]:
    """Whether it happened: the row is positive, or the predicted class is right."""
    return np.asarray(rows.y_true) if rows.n_score == 2 else rows.scores.argmax(axis=1) == rows.y_true


event_score = RowFunction("event score", _event_score, ("y_score",))
event_rows = RowFunction("event", _event, ("y_true", "y_score"))
EVENTS = Values((event_score, event_rows))


def _inner_score(rows: RowBlock) -> npt.NDArray[Any]:
    """The probability as the log loss takes it: ε away from 0 and 1."""
    return np.clip(_event_score(rows), rows.eps, 1 - rows.eps)


INSIDE = Values((RowFunction("event score inside", _inner_score, ("y_score",)), event_rows))

calibration = partial(metric, needs=EVENTS, family="calibration", requires=("probability",), tasks=("binary",))


def ties_of(rows: RowTally) -> TieTable:
    """The tie table of score and event, made once per tally."""
    kept = vars(rows)  # the table lives as long as the tally it is made from
    if "ties" not in kept:
        kept["ties"] = _ties(rows)
    found: TieTable = kept["ties"]
    return found


def _ties(rows: RowTally) -> TieTable:
    cohort = np.repeat(np.arange(rows.n_cohorts), np.diff(rows.offsets))
    columns = rows.columns
    if "value 0" not in columns:
        return TieTable.of(ScoreTally.of_keys(cohort, rows.n_cohorts, np.zeros(0, np.int64)))
    return TieTable.of(scores_of(rows, cohort, columns["value 0"], columns["value 1"] > 0))


def scores_of(
    rows: RowTally,
    cohort: npt.NDArray[np.int64],
    score: Floats,
    event: npt.NDArray[np.bool_],
    keep: slice | npt.NDArray[np.bool_] = slice(None),
) -> ScoreTally:
    """Sorted scores of rows, with the weights and clusters of those kept."""
    weight, cluster, names = rows.columns.get("sample_weight"), rows.columns.get("cluster"), None
    if cluster is not None:
        names, code = np.unique(cluster, return_inverse=True)
        cluster = code.astype(np.int32)[keep]
    weight = None if weight is None else weight[keep]
    return ScoreTally.collect(
        cohort[keep], rows.n_cohorts, score[keep], event[keep], weight, cluster, names, frequency=rows.frequency
    )


def _resampled(rows: RowTally, cohort: int, rng: np.random.Generator) -> RowTally:
    """One cohort's rows (or clusters), drawn with replacement."""
    columns = rows.rows(cohort)
    size = int(rows.offsets[cohort + 1] - rows.offsets[cohort])
    if rows.frequency and "sample_weight" in columns:
        weight = columns["sample_weight"]
        drawn = rng.multinomial(int(weight.sum()), weight / max(weight.sum(), 1))
        columns = {**columns, "sample_weight": drawn.astype(float)}
        draw = np.flatnonzero(drawn)
    elif "cluster" in columns:
        names, code = np.unique(columns["cluster"], return_inverse=True)
        order = np.argsort(code, kind="stable")
        bounds = np.searchsorted(code[order], np.arange(len(names) + 1))
        chosen = rng.integers(0, max(len(names), 1), len(names))
        draw = np.concatenate([order[bounds[i] : bounds[i + 1]] for i in chosen] or [order])
    else:
        draw = rng.integers(0, max(size, 1), size)
    return RowTally(np.array([0, len(draw)]), {name: values[draw] for name, values in columns.items()}, rows.frequency)


def _value(
    rows: RowTally,
    of: Callable[[TieTable], Floats],
    *,
    bounds: Callable[[float], tuple[Floats, Floats]] | None = None,
    method: str = "",
    reasons: tuple[str, ...] = (),
) -> Value:
    """The estimand of a function of the tie table."""
    ties = ties_of(rows)
    value = of(ties)
    if not reasons:
        reasons = tuple("no rows" if n == 0 else "only one class" for n in ties.rows)
    return Value(
        value,
        ties.rows,
        "no rows",
        reasons,
        bounds,
        method + (", cluster-robust" if "cluster" in rows.columns and bounds else ""),
        lambda cohort, rng: float(of(ties_of(_resampled(rows, cohort, rng)))[0]),
        clusters=None if ties.clusters is None or bounds is None else ties.df + 1,
    )


# Binned errors


def _binned(name: str, pick: str, strategy: str, doc: str, described: dict[str, str]) -> None:
    """Register a parametric metric of the bins; `pick` is an attribute of `Ece`."""

    def build(bins: int = BINS, strategy: str = strategy) -> Metric:
        _check_bins(name, bins, strategy)

        def function(rows: RowTally, bins: int = bins, strategy: str = strategy) -> Value:
            def found(ties: TieTable) -> Any:
                return ece_of(ties.sums(CUTS[strategy](ties, bins)), ties.n_cohorts)

            if pick != "debiased":
                return _value(rows, lambda ties: getattr(found(ties), pick))
            here = found(ties_of(rows))
            return _value(
                rows, lambda ties: found(ties).debiased, bounds=here.bounds, method="debiased, folded-normal bounds"
            )

        function.__doc__ = doc
        return Metric(
            name,
            function,
            (EVENTS,),
            ("binary", "multiclass"),
            "calibration",
            (0.0, 1.0),
            "lower",
            requires=("probability",),
            **described,  # type: ignore[arg-type]
        )

    parametric(name, build, bins=BINS, strategy=strategy)


def _check_bins(name: str, bins: Any, strategy: Any) -> None:
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or bins < 1:
        raise MetricError(f"{name}(bins={bins!r}): bins must be a whole number of at least 1, such as {BINS}.")
    check_choice(f"{name}(strategy=…)", strategy, tuple(CUTS), MetricError)


_binned(
    "ece",
    "debiased",
    "uniform",
    "Mean distance of observed rate and score over bins of the score, less the part that noise alone gives; rather too low with few rows.",
    {
        "interval": "debiased, folded-normal bounds",
        "formula": "Σ w_b |d_b| − Σ w_b (2/√π) σ_b exp(−d_b² / 2σ_b²)",
        "reference": "Naeini, Cooper and Hauskrecht 2015; debiasing after Kumar, Liang and Ma 2019",
    },
)
_binned(
    "ece_plugin",
    "plugin",
    "uniform",
    "Mean distance of observed rate and score over bins of the score; noise makes it too large.",
    {
        "interval": "none: the estimate is biased upward, see ece",
        "formula": "Σ w_b |d_b|",
        "reference": "Naeini, Cooper and Hauskrecht 2015; Guo et al. 2017",
    },
)
_binned(
    "ace",
    "plugin",
    "quantile",
    "Mean distance of observed rate and score over bins of equal mass; noise makes it too large.",
    {
        "interval": "none: the estimate is biased upward, see ece(strategy='quantile')",
        "formula": "Σ w_b |d_b|, bins of equal mass",
        "reference": "Nixon et al. 2019",
    },
)
_binned(
    "mce",
    "greatest",
    "uniform",
    "Greatest distance of observed rate and score in a bin of the score; sparse bins make it large.",
    {
        "interval": "none: the estimate is biased upward",
        "formula": "max_b |d_b|",
        "reference": "Naeini, Cooper and Hauskrecht 2015",
    },
)


@metric(
    needs=EVENTS,
    family="calibration",
    requires=("probability",),
    tasks=("binary", "multiclass"),
    range=(0.0, 1.0),
    better="lower",
    aliases=("smece",),
    interval="none; interval='bootstrap' resamples the rows",
    formula="σ at which mean |kernel-smoothed residual| = σ",
    oracle="relplot.smECE",
    reference="Błasiok and Nakkiran 2023",
)
def smooth_ece(rows: RowTally) -> Value:
    """Calibration error without bins: residuals smoothed by a kernel whose width is the error itself."""
    return _value(rows, smooth_ece_of)


# Logistic recalibration and Spiegelhalter's test


def _line_value(rows: RowTally, name: str) -> Value:
    ties = ties_of(rows)
    line = logistic_recalibration(ties)
    value, se, df = getattr(line, name), getattr(line, f"{name}_se"), getattr(line, f"{name}_df")

    def bounds(level: float) -> tuple[Floats, Floats]:
        half = t_quantile(level, df) * se
        return value - half, value + half

    texts = np.full(ties.n_cohorts, "only one class", dtype=object)
    if name != "large":
        texts[line.constant] = "one distinct score"
        texts[line.separated] = "the scores separate the classes"
    texts[(ties.total(ties.pos) <= 0) | (ties.total(ties.neg) <= 0)] = "only one class"
    texts[ties.rows == 0] = "no rows"
    return _value(
        rows,
        lambda t: value if t is ties else getattr(logistic_recalibration(t), name),
        bounds=bounds,
        method="Wald, logistic fit" + (", sandwich" if ties.weighted and ties.clusters is None else ""),
        reasons=tuple(texts),
    )


@calibration(
    better="one",
    interval="Wald, logistic fit",
    formula="b in logit P(y = 1) = a + b logit(p)",
    oracle="statsmodels Logit of y on logit(p)",
    reference="Cox 1958; Van Calster et al. 2016",
)
def calibration_slope(rows: RowTally) -> Value:
    """Slope of the logistic recalibration: below 1 the scores are too extreme, above 1 too timid."""
    return _line_value(rows, "slope")


@calibration(
    better="zero",
    interval="Wald, logistic fit",
    formula="a in logit P(y = 1) = a + b logit(p)",
    oracle="statsmodels Logit of y on logit(p)",
    reference="Cox 1958; Miller, Hui and Tierney 1991",
)
def calibration_intercept(rows: RowTally) -> Value:
    """Intercept of the logistic recalibration, fitted together with the slope."""
    return _line_value(rows, "intercept")


@calibration(
    better="zero",
    interval="Wald, logistic fit",
    formula="a in logit P(y = 1) = a + logit(p)",
    oracle="statsmodels GLM with offset logit(p)",
    reference="Van Calster et al. 2016",
)
def calibration_in_the_large(rows: RowTally) -> Value:
    """Intercept of the logistic recalibration with the slope held at 1: above 0 the scores are too low."""
    return _line_value(rows, "large")


@calibration(
    better="zero",
    aliases=("spiegelhalter",),
    interval="normal",
    formula="Σ (y − p)(1 − 2p) / √Σ (1 − 2p)² p (1 − p)",
    reference="Spiegelhalter 1986",
)
def spiegelhalter_z(rows: RowTally) -> Value:
    """Standardised distance of the Brier score from its expectation; above 0 the scores are too extreme."""
    value = spiegelhalter_of(ties_of(rows))
    reasons = tuple("no rows" if n == 0 else "all scores are 0, ½ or 1" for n in ties_of(rows).rows)

    def bounds(level: float) -> tuple[Floats, Floats]:
        from scipy.special import ndtri

        z = float(ndtri((1 + level) / 2))
        return value - z, value + z

    return _value(rows, spiegelhalter_of, bounds=bounds, method="normal", reasons=reasons)


# Decompositions


def _part(which: int, name: str) -> Callable[[TieTable], Floats]:
    def of(ties: TieTable) -> Floats:
        return np.asarray(getattr(decompose(ties)[which], name))

    return of


def _uncertainty(rows: RowTally, which: int, of_rate: Callable[[Any], Any]) -> Value:
    """A concave function of the base rate with its greatest value at ½; bounds from Wilson's interval of the rate."""
    ties = ties_of(rows)

    def bounds(level: float) -> tuple[Floats, Floats]:
        from scipy.special import ndtri

        z2 = float(ndtri((1 + level) / 2)) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            total = ties.total(ties.n)
            p = ties.total(ties.pos) / total
            at = p[ties.cohort]
            variance = ties.scatter(1 - at, -at)[0] / total**2
            n = np.where(variance > 0, p * (1 - p) / np.where(variance > 0, variance, 1), ties.rows)
            middle = (p + z2 / (2 * n)) / (1 + z2 / n)
            half = np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
            ends = of_rate(middle - half), of_rate(middle + half)
        inside = (middle - half < 0.5) & (middle + half > 0.5)
        return np.minimum(*ends), np.where(inside, of_rate(0.5), np.maximum(*ends))

    return _value(rows, _part(which, "uncertainty"), bounds=bounds, method="from the Wilson interval of the base rate")


def _entropy(p: Any) -> Any:
    from scipy.special import xlogy

    return -xlogy(p, p) - xlogy(1 - p, 1 - p)


decomposed = partial(
    calibration, range=(0.0, np.inf), reference="Dimitriadis, Gneiting and Jordan 2021", oracle="R reliabilitydiag"
)


@decomposed(
    better="lower",
    aliases=("brier_mcb",),
    interval="none; interval='bootstrap' resamples the rows",
    formula="Brier(p) − Brier(isotonic p)",
)
def brier_miscalibration(rows: RowTally) -> Value:
    """Part of the Brier score that isotonic recalibration would save."""
    return _value(rows, _part(0, "miscalibration"))


@decomposed(
    aliases=("brier_dsc", "brier_resolution"),
    interval="none; interval='bootstrap' resamples the rows",
    formula="Brier(base rate) − Brier(isotonic p)",
)
def brier_discrimination(rows: RowTally) -> Value:
    """What the recalibrated scores save against always predicting the base rate, in the Brier score."""
    return _value(rows, _part(0, "discrimination"))


@decomposed(
    better="none", aliases=("brier_unc",), interval="from the Wilson interval of the base rate", formula="π (1 − π)"
)
def brier_uncertainty(rows: RowTally) -> Value:
    """Brier score of always predicting the base rate."""
    return _uncertainty(rows, 0, lambda p: p * (1 - p))


@decomposed(
    better="lower",
    needs=INSIDE,
    aliases=("log_loss_mcb",),
    interval="none; interval='bootstrap' resamples the rows",
    formula="log loss(p) − log loss(isotonic p)",
)
def log_loss_miscalibration(rows: RowTally) -> Value:
    """Part of the log loss that isotonic recalibration would save."""
    return _value(rows, _part(1, "miscalibration"))


@decomposed(
    needs=INSIDE,
    aliases=("log_loss_dsc",),
    interval="none; interval='bootstrap' resamples the rows",
    formula="log loss(base rate) − log loss(isotonic p)",
)
def log_loss_discrimination(rows: RowTally) -> Value:
    """What the recalibrated scores save against always predicting the base rate, in the log loss."""
    return _value(rows, _part(1, "discrimination"))


@decomposed(
    better="none",
    aliases=("log_loss_unc",),
    interval="from the Wilson interval of the base rate",
    formula="−π log π − (1 − π) log(1 − π)",
)
def log_loss_uncertainty(rows: RowTally) -> Value:
    """Log loss of always predicting the base rate."""
    return _uncertainty(rows, 1, _entropy)

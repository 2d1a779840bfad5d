"""Metrics of predicted numbers and predicted intervals."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.metrics.estimands import Mean, SmoothMoments, Through, Value, divide
from dfevals.metrics.parameters import check_number, check_whole
from dfevals.metrics.registry import Metric, metric, parametric
from dfevals.metrics.rowwise import order_statistic
from dfevals.needs import Extremes, Moments, RowBlock, RowFunction, Rows
from dfevals.tally import ExtremeTally, MomentView
from dfevals.tally.table import RowTally

Array = npt.NDArray[Any]
HALL = "Hall 1992, skew-corrected t"
INFLUENCE = "influence function, on log(1 − value)"
regression = partial(metric, family="regression", tasks=("regression",), requires=("pred",))
loss = partial(regression, range=(0.0, np.inf), better="lower", interval=HALL)


def _row(
    name: str, function: Callable[..., Array], columns: tuple[str, ...] = ("y_true", "y_pred"), **parameters: Any
) -> RowFunction:
    return RowFunction(name, function, columns, tuple(parameters.items()))


def _xlogy(x: Array, y: Array) -> Array:
    """x log y, 0 where x is 0."""
    return np.where(x == 0, 0.0, x * np.log(np.where(x == 0, 1, y)))


def _squared_log_error(rows: RowBlock) -> Array:
    valid = (rows.y_true > -1) & (rows.y_pred > -1)
    difference = np.log1p(np.where(valid, rows.y_true, 0)) - np.log1p(np.where(valid, rows.y_pred, 0))
    return np.where(valid, difference**2, np.nan)


def _smape(rows: RowBlock) -> Array:
    size = np.abs(rows.y_true) + np.abs(rows.y_pred)
    return 2 * np.abs(rows.y_true - rows.y_pred) / np.where(size == 0, 1, size)


def _tweedie(rows: RowBlock, power: float) -> Array:
    y, p = rows.y_true, rows.y_pred
    if power == 0:
        return (y - p) ** 2
    valid = (p > 0) & (y >= 0 if 1 <= power < 2 else y > 0 if power >= 2 else np.isfinite(y))
    y, p = np.where(valid, y, 1.0), np.where(valid, p, 1.0)
    if power == 1:
        deviance = 2 * (_xlogy(y, y / p) - y + p)
    elif power == 2:
        deviance = 2 * (np.log(p / y) + y / p - 1)
    else:
        a, b = 1 - power, 2 - power
        deviance = 2 * (np.maximum(y, 0) ** b / (a * b) - y * p**a / a + p**b / b)
    return np.where(valid, deviance, np.nan)


def _absolute_error(rows: RowBlock) -> Array:
    return np.abs(rows.y_true - rows.y_pred)


def _squared_error(rows: RowBlock) -> Array:
    return (rows.y_true - rows.y_pred) ** 2


def _error(rows: RowBlock) -> Array:
    return rows.y_pred - rows.y_true


def _truth(rows: RowBlock) -> Array:
    return rows.y_true


def _prediction(rows: RowBlock) -> Array:
    return rows.y_pred


def _relative_error(rows: RowBlock) -> Array:
    return np.abs(rows.y_true - rows.y_pred) / np.maximum(np.abs(rows.y_true), np.finfo(float).eps)


def _covered(rows: RowBlock) -> Array:
    return ((rows.lower <= rows.y_true) & (rows.y_true <= rows.upper)).astype(float)


def _width(rows: RowBlock) -> Array:
    width = rows.upper - rows.lower
    return np.where(np.isinf(width), np.nan, width)


absolute_error = _row("absolute_error", _absolute_error)
squared_error = _row("squared_error", _squared_error)
error = _row("error", _error)
truth = _row("y_true", _truth, ("y_true",))
prediction = _row("y_pred", _prediction, ("y_pred",))
squared_log_error = _row("squared_log_error", _squared_log_error)
relative_error = _row("relative_error", _relative_error)
covered = _row("covered", _covered, ("y_true", "y_lower", "y_upper"))
width = _row("width", _width, ("y_lower", "y_upper"))
LOG = "a value of −1 or less has no log1p"


@loss(
    needs=Moments((absolute_error,)),
    aliases=("mean_absolute_error",),
    formula="mean |y − ŷ|",
    oracle="sklearn.metrics.mean_absolute_error",
    reference="Willmott and Matsuura 2005",
)
def mae(moments: MomentView) -> Mean:
    """Mean absolute error."""
    return Mean(moments)


@loss(
    needs=Moments((squared_error,)),
    aliases=("mean_squared_error",),
    formula="mean (y − ŷ)²",
    oracle="sklearn.metrics.mean_squared_error",
    reference="Gauss 1823",
)
def mse(moments: MomentView) -> Mean:
    """Mean squared error.

    The interval is too narrow for heavy-tailed errors: nominal 95 % covers .91 at n = 30 for t errors with 5 degrees of
    freedom, .85 (n = 30) and .92 (n = 1,000) for gamma errors of a lognormal mean. Where a few rows make most of the
    loss, a note says "too few".
    """
    return Mean(moments)


@loss(
    needs=Moments((squared_error,)),
    aliases=("root_mean_squared_error",),
    formula="√ mean (y − ŷ)²",
    oracle="sklearn.metrics.root_mean_squared_error",
    reference="Gauss 1823",
)
def rmse(moments: MomentView) -> Through:
    """Square root of the mean squared error, in the units of y.

    The interval is too narrow for heavy-tailed errors: nominal 95 % covers .91 at n = 30 for t errors with 5 degrees of
    freedom, .85 (n = 30) and .92 (n = 1,000) for gamma errors of a lognormal mean. Where a few rows make most of the
    loss, a note says "too few".
    """
    return Mean(moments).through(np.sqrt)


@loss(
    needs=Moments((squared_log_error,), undefined=LOG),
    aliases=("mean_squared_log_error",),
    formula="mean (log1p y − log1p ŷ)²",
    oracle="sklearn.metrics.mean_squared_log_error",
    reference="scikit-learn user guide 3.4.6",
)
def msle(moments: MomentView) -> Mean:
    """Mean squared difference of log(1 + value)."""
    return Mean(moments)


@loss(
    needs=Moments((squared_log_error,), undefined=LOG),
    aliases=("root_mean_squared_log_error",),
    formula="√ mean (log1p y − log1p ŷ)²",
    oracle="sklearn.metrics.root_mean_squared_log_error",
    reference="scikit-learn user guide 3.4.6",
)
def rmsle(moments: MomentView) -> Through:
    """Square root of the mean squared difference of log(1 + value)."""
    return Mean(moments).through(np.sqrt)


@loss(
    needs=Moments((relative_error,)),
    aliases=("mean_absolute_percentage_error",),
    formula="mean |y − ŷ| / max(|y|, ε)",
    oracle="sklearn.metrics.mean_absolute_percentage_error",
    reference="de Myttenaere et al. 2016",
)
def mape(moments: MomentView) -> Mean:
    """Mean absolute error as a share of the true value (1 is 100 %)."""
    return Mean(moments)


@regression(
    needs=Moments((_row("smape", _smape),)),
    range=(0.0, 2.0),
    better="lower",
    interval=HALL,
    formula="mean 2 |y − ŷ| / (|y| + |ŷ|), 0 where both are 0",
    reference="Makridakis 1993",
)
def smape(moments: MomentView) -> Mean:
    """Mean absolute error as a share of the mean size of truth and prediction (between 0 and 2)."""
    return Mean(moments)


@regression(
    needs=Moments((error,)),
    better="zero",
    aliases=("bias", "mean_bias_error"),
    interval=HALL,
    formula="mean (ŷ − y)",
    reference="Willmott 1982",
)
def mean_error(moments: MomentView) -> Mean:
    """Mean of prediction less truth: positive when the model predicts too much."""
    return Mean(moments)


@loss(
    needs=Moments((_row("tweedie", _tweedie, power=1.0),), undefined="a prediction ≤ 0 or a truth < 0"),
    formula="2 mean (y log(y / ŷ) − y + ŷ)",
    oracle="sklearn.metrics.mean_poisson_deviance",
    reference="McCullagh and Nelder 1989",
)
def mean_poisson_deviance(moments: MomentView) -> Mean:
    """Mean deviance of counts.

    For heavy-tailed amounts nominal 95 % covers .92 at n = 30 and .94 at n = 1,000.
    """
    return Mean(moments)


@loss(
    needs=Moments((_row("tweedie", _tweedie, power=2.0),), undefined="a prediction or truth ≤ 0"),
    formula="2 mean (log(ŷ / y) + y / ŷ − 1)",
    oracle="sklearn.metrics.mean_gamma_deviance",
    reference="McCullagh and Nelder 1989",
)
def mean_gamma_deviance(moments: MomentView) -> Mean:
    """Mean deviance of positive, skewed amounts."""
    return Mean(moments)


def _tweedie_record(power: float = 1.5) -> Metric:
    need = Moments(
        (_row("tweedie", _tweedie, power=float(power)),), undefined="a prediction or truth out of the domain"
    )

    def mean_tweedie_deviance(moments: MomentView, power: float = power) -> Mean:
        """Mean Tweedie deviance; power 0 squared error, 1 Poisson, 2 gamma."""
        return Mean(moments)

    return Metric(
        "mean_tweedie_deviance",
        mean_tweedie_deviance,
        (need,),
        ("regression",),
        "regression",
        (0.0, np.inf),
        "lower",
        interval=HALL,
        formula="Tweedie unit deviance of the power",
        oracle="sklearn.metrics.mean_tweedie_deviance",
        reference="Jørgensen 1987",
        requires=("pred",),
    )


def _pinball_rows(rows: RowBlock, alpha: float) -> Array:
    difference = rows.y_true - rows.y_pred
    return np.where(difference >= 0, alpha * difference, (alpha - 1) * difference)


def _pinball_record(alpha: float = 0.5) -> Metric:
    check_number("pinball", "alpha", alpha, 0, 1, inside=True)
    need = Moments((_row("pinball", _pinball_rows, alpha=float(alpha)),))

    def pinball(moments: MomentView, alpha: float = alpha) -> Mean:
        """Mean loss of a predicted quantile of order alpha."""
        return Mean(moments)

    return Metric(
        "pinball",
        pinball,
        (need,),
        ("regression",),
        "regression",
        (0.0, np.inf),
        "lower",
        ("mean_pinball_loss", "quantile_loss"),
        interval=HALL,
        formula="mean max(α (y − ŷ), (α − 1)(y − ŷ))",
        oracle="sklearn.metrics.mean_pinball_loss",
        reference="Koenker and Bassett 1978",
        requires=("pred",),
    )


parametric("mean_tweedie_deviance", _tweedie_record, power=1.5)
parametric("pinball", _pinball_record, alpha=0.5)

goodness = partial(regression, range=(-np.inf, 1.0), interval=INFLUENCE, needs=Moments((squared_error, truth), order=4))


@goodness(
    aliases=("r2_score", "r_squared"),
    formula="1 − Σ (y − ŷ)² / Σ (y − ȳ)²",
    oracle="sklearn.metrics.r2_score",
    reference="Kvålseth 1985",
)
def r2(moments: MomentView) -> SmoothMoments:
    """Share of the variance of the truth that the predictions explain.

    The interval is too narrow for heavy-tailed errors: nominal 95 % covers .80 to .89 for t errors with 3 degrees of
    freedom, whatever n (normal errors .95, t errors with 5 degrees of freedom .93 to .95). Where the kurtosis of the
    errors or of the truth is too great for the number of rows, a note says "too few".
    """
    return SmoothMoments(
        moments,
        lambda mean, second: 1 - mean[0] / second[0, 2],
        "log1m",
        "the truth does not vary",
        kurtosis=_kurtosis_of_squares(moments),
    )


def _kurtosis_of_squares(moments: MomentView) -> Array:
    """Kurtosis of the errors whose squares are the first number, or of the truth, the second, if that is greater."""
    if moments.tally.order < 4:
        return np.full_like(moments.n, np.nan)
    mean = moments.mean[0]
    errors = divide(moments.central(2, 0) + mean**2, mean**2)
    return np.fmax(errors, divide(moments.central(0, 4), moments.central(0, 2) ** 2))


def _kurtosis_of_residuals(moments: MomentView, slope: Array) -> Array:
    """Kurtosis of second − slope · first, or of either number if that is greater."""
    if moments.tally.order < 4:
        return np.full_like(moments.n, np.nan)
    second = moments.central(0, 2) - 2 * slope * moments.central(1, 1) + slope**2 * moments.central(2, 0)
    fourth: Array = sum(  # type: ignore[assignment]
        comb(4, i) * (-slope) ** i * moments.central(i, 4 - i) for i in range(5)
    )
    own = [divide(moments.central(*(2 * i for i in e)), moments.central(*e) ** 2) for e in ((2, 0), (0, 2))]
    return np.fmax(divide(fourth, second**2), np.fmax(*own))


def _adjusted_record(n_features: int = 1) -> Metric:
    check_whole("adjusted_r2", "n_features", n_features)

    def adjusted_r2(moments: MomentView, n_features: int = n_features) -> SmoothMoments:
        """R² with a penalty for the number of features, for models fitted on these rows."""
        n = moments.tally.rows
        factor = np.where(n - n_features - 1 > 0, (n - 1) / np.maximum(n - n_features - 1, 1), np.nan)
        return SmoothMoments(
            moments,
            lambda mean, second: 1 - factor * mean[0] / second[0, 2],
            "log1m",
            "too few rows for the features, or no variation",
            kurtosis=_kurtosis_of_squares(moments),
        )

    return Metric(
        "adjusted_r2",
        adjusted_r2,
        (Moments((squared_error, truth), order=4),),
        ("regression",),
        "regression",
        (-np.inf, 1.0),
        interval=INFLUENCE,
        formula="1 − (1 − R²)(n − 1) / (n − n_features − 1)",
        reference="Ezekiel 1930",
        requires=("pred",),
    )


parametric("adjusted_r2", _adjusted_record, n_features=1)


@regression(
    needs=Moments((error, truth), order=4),
    range=(-np.inf, 1.0),
    interval=INFLUENCE,
    aliases=("explained_variance_score",),
    formula="1 − Var(y − ŷ) / Var(y)",
    oracle="sklearn.metrics.explained_variance_score",
    reference="Kent 1983",
)
def explained_variance(moments: MomentView) -> SmoothMoments:
    """Share of the variance explained when a constant bias is forgiven."""
    return SmoothMoments(
        moments,
        lambda mean, second: 1 - second[2, 0] / second[0, 2],
        "log1m",
        "the truth does not vary",
        kurtosis=_kurtosis_of_residuals(moments, np.zeros_like(moments.n)),
    )


@regression(
    needs=Moments((prediction, truth), order=4),
    range=(-1.0, 1.0),
    aliases=("pearson", "correlation"),
    interval="influence function, on Fisher's z",
    formula="Cov(y, ŷ) / √(Var y Var ŷ)",
    oracle="scipy.stats.pearsonr",
    reference="Fisher 1921",
)
def pearson_r(moments: MomentView) -> SmoothMoments:
    """Linear correlation of truth and prediction.

    The interval is too narrow for heavy-tailed errors: nominal 95 % covers .79 to .87 for t errors with 3 degrees of
    freedom, whatever n (normal errors .95, t errors with 5 degrees of freedom .92 to .95). Where a kurtosis is too
    great for the number of rows, a note says "too few".
    """
    return SmoothMoments(
        moments,
        lambda mean, second: second[1, 1] / np.sqrt(second[2, 0] * second[0, 2]),
        "fisher",
        "truth or prediction does not vary",
        kurtosis=_kurtosis_of_residuals(moments, divide(moments.central(1, 1), moments.central(2, 0))),
    )


@loss(
    needs=Rows(("y_true", "y_pred")),
    aliases=("median_absolute_error",),
    formula="median |y − ŷ|",
    oracle="sklearn.metrics.median_absolute_error",
    reference="Hampel 1974",
)
def median_ae(rows: RowTally) -> Value:
    """Median absolute error."""
    return order_statistic(rows, lambda columns: np.abs(columns["y_true"] - columns["y_pred"]), 0.5)


@regression(
    needs=Extremes(absolute_error),
    range=(0.0, np.inf),
    better="lower",
    interval="none",
    formula="max |y − ŷ|",
    oracle="sklearn.metrics.max_error",
    reference="scikit-learn user guide 3.4.6",
)
def max_error(extremes: ExtremeTally) -> Value:
    """Greatest absolute error; a sample maximum has no honest interval."""
    return Value(extremes.high, np.where(np.isnan(extremes.high), 0.0, np.nan), "no rows", method="none")


@metric(
    needs=Moments((covered,)),
    family="regression",
    tasks=("regression",),
    requires=("interval",),
    range=(0.0, 1.0),
    better="none",
    aliases=("picp", "coverage"),
    interval="Wilson",
    formula="mean 1{lower ≤ y ≤ upper}",
    reference="Khosravi et al. 2011",
)
def interval_coverage(moments: MomentView) -> Mean:
    """Share of the rows whose truth lies within the predicted interval."""
    return Mean(moments, proportion=True)


@metric(
    needs=Moments((width,), undefined="an interval without an end, so that the mean width is infinite"),
    family="regression",
    tasks=("regression",),
    requires=("interval",),
    range=(-np.inf, np.inf),
    better="lower",
    aliases=("mpiw", "mean_interval_width"),
    interval=HALL,
    formula="mean (upper − lower)",
    reference="Khosravi et al. 2011",
)
def interval_width(moments: MomentView) -> Mean:
    """Mean width of the predicted intervals."""
    return Mean(moments)

"""Metrics of outcome columns: scores, verdicts, latencies and costs made by evaluators, systems or people.

A record here is a template: planning puts the outcome's column into its need.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from dfevals.metrics.estimands import Mean, SmoothMoments, Value, divide
from dfevals.metrics.parameters import check_number
from dfevals.metrics.registry import Metric, metric, parametric
from dfevals.metrics.rowwise import order_statistic
from dfevals.needs import Extremes, Moments, RowBlock, RowFunction, Rows
from dfevals.tally import ExtremeTally, MomentView
from dfevals.tally.table import RowTally

Floats = npt.NDArray[np.float64]
OUTCOME = "<outcome>"  # stands for the column until planning
SUCCESS = "<success>"  # stands for the column of verdicts that says what a success is


def _outcome(rows: RowBlock, name: str) -> Floats:
    return rows.outcome(name)


def _passed(rows: RowBlock, name: str) -> Floats:
    return rows.passed(name)


def _failed(rows: RowBlock, name: str) -> Floats:
    return 1 - rows.passed(name)


def _evaluation_error(rows: RowBlock, name: str) -> Floats:
    return rows.evaluation_error(name)


def _of(name: str, function: Callable[..., Floats], column: str = OUTCOME) -> RowFunction:
    return RowFunction(name, function, (column,), (("name", column),))


value = _of("outcome", _outcome)
passed = _of("passed", _passed)
failed = _of("failed", _failed)
errors = _of("evaluation_error", _evaluation_error)
succeeded = _of("succeeded", _passed, SUCCESS)
HALL = "Hall 1992, skew-corrected t"

outcome = partial(metric, family="outcomes", tasks=("outcomes",))


@outcome(
    needs=Moments((value,), skip_missing=True),
    interval=HALL,
    formula="Σ x / n",
    reference="Hall 1992",
    aliases=("average", "per_row"),
)
def mean(moments: MomentView) -> Mean:
    """Mean of the outcome over the rows where it is known."""
    return Mean(moments, "no values")


@outcome(
    needs=Moments((passed,), skip_missing=True),
    range=(0.0, 1.0),
    interval="Wilson",
    formula="passed / (passed + failed)",
    reference="Wilson 1927",
    aliases=("success_rate",),
)
def pass_rate(moments: MomentView) -> Mean:
    """Share of the judged rows that passed; failed evaluations are no part of it."""
    return Mean(moments, "no verdicts", proportion=True)


@outcome(
    needs=Moments((failed,), skip_missing=True),
    range=(0.0, 1.0),
    better="lower",
    interval="Wilson",
    formula="failed / (passed + failed)",
    reference="Wilson 1927",
    aliases=("failure_rate", "eval_fail_rate"),
)
def fail_rate(moments: MomentView) -> Mean:
    """Share of the judged rows that failed; failed evaluations are no part of it."""
    return Mean(moments, "no verdicts", proportion=True)


@outcome(
    needs=Moments((errors,)),
    range=(0.0, 1.0),
    better="lower",
    interval="Wilson",
    formula="errors / rows",
    reference="Wilson 1927",
)
def evaluation_error_rate(moments: MomentView) -> Mean:
    """Share of all rows whose evaluation gave no result."""
    return Mean(moments, "no rows", proportion=True)


@outcome(
    needs=Moments((value,), order=4, skip_missing=True),
    range=(0.0, np.inf),
    better="none",
    interval="influence function, on the log",
    formula="√(Σ (x − x̄)² / (n − 1))",
    reference="Cramér 1946",
    aliases=("standard_deviation",),
)
def std(moments: MomentView) -> SmoothMoments:
    """Standard deviation of the outcome, with n − 1 (of the effective n where rows are weighted).

    The interval is too narrow for skewed outcomes: nominal 95 % covers .85 (exponential) and .68 (lognormal, σ = 1) at
    n = 30, .89 and .75 at n = 100. Where fewer than five values make up the variance, a note says "too few".
    """
    tally = moments.tally
    n = tally.rows if tally.square is None else divide(tally.n**2, tally.square.n)
    correction = np.sqrt(np.where(n > 1, n / np.maximum(n - 1, 1), np.nan))
    behind = n * divide(moments.central(2) ** 2, moments.central(4))  # (Σ d²)² / Σ d⁴: Kish's number for d²
    return SmoothMoments(
        moments, lambda mean, second: correction * np.sqrt(second[2,]), "log", "fewer than two values", behind
    )


@outcome(
    needs=Extremes(value, skip_missing=True),
    better="none",
    interval="none",
    formula="min x",
    reference="order statistic",
    aliases=("minimum",),
)
def min(extremes: ExtremeTally) -> Value:
    """Least outcome; a sample minimum has no honest interval."""
    return Value(extremes.low, np.where(np.isnan(extremes.low), 0.0, np.nan), "no values", method="none")


@outcome(
    needs=Extremes(value, skip_missing=True),
    better="none",
    interval="none",
    formula="max x",
    reference="order statistic",
    aliases=("maximum",),
)
def max(extremes: ExtremeTally) -> Value:
    """Greatest outcome; a sample maximum has no honest interval."""
    return Value(extremes.high, np.where(np.isnan(extremes.high), 0.0, np.nan), "no values", method="none")


def _quantile_record(name: str, q: float) -> Metric:
    check_number(name, "q", q, 0, 1)

    def quantile(rows: RowTally, q: float = q) -> Value:
        """Quantile of the outcome, interpolated as numpy does."""
        return order_statistic(rows, lambda columns: columns[OUTCOME], q)

    return Metric(
        name,
        quantile,
        (Rows((OUTCOME,)),),
        ("outcomes",),
        "outcomes",
        (-np.inf, np.inf),
        "none",
        ("median",) if name == "p50" else (),
        interval="order statistics",
        formula=f"quantile {q:g}",
        reference="Hahn and Meeker 1991",
        oracle="numpy.quantile",
    )


for _name, _q in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
    parametric(_name, lambda _name=_name, _q=_q: _quantile_record(_name, _q))
parametric("quantile", lambda q=0.5: _quantile_record("quantile", q), q=0.5)


def _per_success(of: str | None = None) -> Metric:
    def per_success(moments: MomentView, of: str | None = None) -> SmoothMoments:
        """Amount spent for each success: the sum over all rows, failed ones too, by the number of rows that passed.

        Rows whose amount or verdict is not known are left out. `of` names the outcome that says what passed; without it
        that is the only other outcome with verdicts.
        """
        successes = moments.mean[1] * moments.tally.rows
        return SmoothMoments(moments, lambda mean, _: mean[0] / mean[1], "log", "no successes", successes)

    return Metric(
        "per_success",
        per_success,
        (Moments((value, succeeded), order=4, skip_missing=True),),
        ("outcomes",),
        "outcomes",
        (0.0, np.inf),
        "lower",
        interval="influence function, on the log",
        formula="Σ x / passed",
        reference="Fieller 1954",
    )


parametric("per_success", _per_success, of=None)

"""Metrics of repeated trials of the same task: pass@k and pass^k of systems whose answers vary."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dfevals.metrics.estimands import Mean, divide
from dfevals.metrics.operations import HALL, outcome, passed, value
from dfevals.metrics.parameters import check_whole
from dfevals.metrics.registry import Metric, parametric
from dfevals.needs import Units
from dfevals.tally import MomentTally, UnitTally

__all__ = ["choose_ratio", "over_units"]

Floats = npt.NDArray[np.float64]


def choose_ratio(a: Floats, n: Floats, k: int) -> Floats:
    """C(a, k) / C(n, k), NaN where n < k."""
    out = np.ones_like(n)
    for i in range(k):
        out = out * np.maximum(a - i, 0) / np.where(n - i > 0, n - i, np.nan)
    return out


def over_units(units: UnitTally, value: Floats, *, proportion: bool = True) -> Mean:
    """Mean over the units of every cohort of a number of the unit; units without one are counted as left out."""
    codes = units.sums.cohort.astype(np.intp)
    return Mean(
        MomentTally.of_block(codes, units.n_cohorts, [value], 3, None).view(),
        "no task with enough trials" if proportion else "no values",
        proportion=proportion,
        units=True,
    )


def _pass_at_k(k: int = 1) -> Metric:
    check_whole("pass_at_k", "k", k)

    def pass_at_k(units: UnitTally, k: int = k) -> Mean:
        """Probability that at least one of k trials of a task passes, without bias from the number of trials."""
        trials, right = units.sums.values
        return over_units(units, 1 - choose_ratio(trials - right, trials, k))

    return Metric(
        "pass_at_k",
        pass_at_k,
        (Units(passed),),
        ("outcomes",),
        "outcomes",
        (0.0, 1.0),
        interval="Wilson at the effective number of tasks",
        formula="mean over tasks of 1 − C(n − c, k) / C(n, k)",
        reference="Chen et al. 2021, Evaluating large language models trained on code",
    )


def _pass_hat_k(k: int = 1) -> Metric:
    check_whole("pass_hat_k", "k", k)

    def pass_hat_k(units: UnitTally, k: int = k) -> Mean:
        """Probability that all of k trials of a task pass: reliability, not luck."""
        trials, right = units.sums.values
        return over_units(units, choose_ratio(right, trials, k))

    return Metric(
        "pass_hat_k",
        pass_hat_k,
        (Units(passed),),
        ("outcomes",),
        "outcomes",
        (0.0, 1.0),
        interval="Wilson at the effective number of tasks",
        formula="mean over tasks of C(c, k) / C(n, k)",
        reference="Yao et al. 2024, τ-bench",
    )


@outcome(
    needs=Units(value),
    interval=HALL,
    formula="mean over tasks of Σ x / trials",
    reference="Hall 1992",
    aliases=("task_mean",),
)
def unit_mean(units: UnitTally) -> Mean:
    """Mean over the tasks of the mean of their trials: every task counts the same, however often it was tried."""
    trials, total = units.sums.values
    return over_units(units, divide(total, trials), proportion=False)


parametric("pass_at_k", _pass_at_k, k=1)
parametric("pass_hat_k", _pass_hat_k, k=1)

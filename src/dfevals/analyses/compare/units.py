"""Metrics of repeated trials, paired by task: the unit of the comparison is the task, whoever tried it how often."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.compare.aligned import Contender
from dfevals.analyses.compare.paired import mean_difference
from dfevals.cohorts import Cohorts
from dfevals.engines import collect
from dfevals.engines.held import TallyBound
from dfevals.estimates.asked import views_of
from dfevals.estimates.estimate import Part
from dfevals.estimates.tested import Tested, TestOptions
from dfevals.metrics.estimands import divide
from dfevals.metrics.planning import needs_of
from dfevals.metrics.registry import Request
from dfevals.needs import Moments, Units
from dfevals.roles.bound import Bound
from dfevals.tally import ModelTally, UnitTally

__all__ = ["UnitPairs", "lost_units", "of_units", "paired_units", "units_note"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


MEANS = ("mean", "pass_rate", "fail_rate", "evaluation_error_rate")  # of rows; of tasks where a task has several


def of_units(request: Request, bound: Bound) -> bool:
    """Whether a metric is a mean over tasks: one of repeated trials, or an average where the trials are declared."""
    return isinstance(_need(request, bound), Units)


def _need(request: Request, bound: Bound) -> Any:
    need = needs_of(request.metric, len(bound.labels), bound.task)[0][0]
    if isinstance(need, Moments) and request.metric.base in MEANS and _is_tried_again(bound):
        return Units(need.functions[0])
    return need


def _is_tried_again(bound: Bound) -> bool:
    """Whether rows are trials of tasks (roles `unit` and `repeat`), so that a trial of one side has no partner."""
    roles = bound.roles
    if roles.unit is None or roles.repeat is None or roles.fold is not None or isinstance(bound, TallyBound):
        return False
    return bool(bound.series(roles.repeat, "repeat").nunique() > 1)


@dataclass(frozen=True)
class UnitPairs:
    """Tasks of both sides: the cohort of each, and how many of a cohort's tasks have no partner or too few trials."""

    codes: npt.NDArray[np.intp]
    size: int
    left_out: int = 0
    count: None = None


def paired_units(
    request: Request, bound: Bound, cohorts: Cohorts, sides: Sequence[Contender], options: TestOptions
) -> tuple[list[tuple[Any, Tested]], Floats, int]:
    """The paired test of every view of the cohorts, the tasks in each cohort, and how many tasks are left out overall."""
    need = _need(request, bound)
    tallies = [_tally(bound, cohorts, side, need) for side in sides]
    found: list[tuple[Any, Tested]] = []
    n, lost = np.zeros(cohorts.n_cohorts + 1), 0
    for view in views_of(cohorts):
        if len(view.cohorts):
            parts = [Part(tally, view.positions, len(view.cohorts)).get(need) for tally in tallies]
            a, b, pairs = _matched([_by_unit(request, part) for part in parts], len(view.cohorts))
            tested = mean_difference(a, b, pairs, options)
            found.append((view.cohorts, tested.negated() if request.negated else tested))
            n[view.cohorts], lost = np.bincount(pairs.codes, minlength=pairs.size), pairs.left_out
    return found, n, lost  # overall comes last


def lost_units(request: Request, bound: Bound, cohorts: Cohorts, sides: Sequence[Contender]) -> npt.NDArray[np.intp]:
    """How many tasks have no value on a side, overall and in each cohort."""
    need = _need(request, bound)
    tallies = [_tally(bound, cohorts, side, need) for side in sides]
    found = np.zeros(cohorts.n_cohorts + 1, np.intp)
    for view in views_of(cohorts):
        if len(view.cohorts):
            parts = [Part(tally, view.positions, len(view.cohorts)).get(need) for tally in tallies]
            both = pd.concat([_by_unit(request, part) for part in parts], axis=1)
            codes = both.index.get_level_values(0).to_numpy().astype(np.intp)
            found[view.cohorts] = np.bincount(codes[both.isna().any(axis=1)], minlength=len(view.cohorts))
    return found


def _tally(bound: Bound, cohorts: Cohorts, side: Contender, need: Units) -> ModelTally:
    if side.rows is not None:
        bound = bound.at(side.rows)
        cohorts = replace(cohorts, codes=cohorts.codes[side.rows])
    return collect(bound, side.model, cohorts, [need])


def _by_unit(request: Request, units: UnitTally) -> pd.Series:
    """The value of every task of every cohort: that of the metric on the task alone."""
    sums = units.sums
    if request.metric.base in MEANS:
        trials, total = sums.values
        value = np.asarray(divide(total, trials), float)
    else:
        alone = UnitTally(replace(sums, cohort=np.arange(len(sums.cohort))), len(sums.cohort))
        value = np.asarray(replace(request, negated=False).metric(alone).value, float)
    return pd.Series(value, pd.MultiIndex.from_arrays([sums.cohort, sums.labels[sums.cluster]]))


def _matched(values: list[pd.Series], size: int) -> tuple[Floats, Floats, UnitPairs]:
    both = pd.concat(values, axis=1, join="outer")
    there = both.notna().all(axis=1)
    kept = both[there]
    codes = kept.index.get_level_values(0).to_numpy().astype(np.intp)
    a, b = kept.to_numpy(float).T
    return a, b, UnitPairs(codes, size, int((~there).sum()))


def units_note(bound: Bound, request: Request, n: Floats, lost: int) -> Iterable[str]:
    """How tasks are paired, how many are left out, and that clusters of tasks are not used."""
    name = bound.roles.unit if bound.roles.unit is not None else bound.roles.id
    yield f"{request.label}: paired by {name!r}, over {int(n[0]):,} of {int(n[0]) + lost:,}."
    if lost:
        yield f"{request.label}: {lost:,} of {int(n[0]) + lost:,} values of {name!r} are left out: not on both sides, or too few trials."
    if bound.roles.cluster not in (None, name):
        yield f"{request.label}: values of {name!r} are taken as independent; that they share {bound.roles.cluster!r} is not used."

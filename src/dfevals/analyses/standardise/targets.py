"""The mix of cohorts to standardise to: shares that are given, or those of other rows, which are a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.references import bound_of
from dfevals.cohorts import Cohorts, resolve
from dfevals.engines import collect as run_pass
from dfevals.engines.held import TallyBound
from dfevals.exceptions import CohortError, DataError, did_you_mean
from dfevals.roles.bound import Bound
from dfevals.tally.union import unite

__all__ = ["Target", "target_of"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Target:
    """Shares of the mix by cohort of the evaluation, what it holds besides, and the rows that it was counted from.

    `n` is 0 where the shares are given and therefore exact.
    """

    share: Floats
    beside: tuple[tuple[str, float], ...]
    n: float
    notes: tuple[str, ...] = ()

    @property
    def covered(self) -> float:
        """Share of the mix that the evaluation has rows of."""
        return float(self.share.sum())


def target_of(to: Any, by: Any, cohorts: Cohorts, bound: Bound) -> Target:
    """The mix that `to` is, as shares of these cohorts.

    Raises
    ------
    CohortError, DataError
        It is empty, its cohorts are cut unlike, or a name or number in it is none.
    """
    if isinstance(to, Mapping):
        return _given(to, cohorts)
    if isinstance(to, pd.Series):
        return _given(to.to_dict(), cohorts)
    beside, counts = _counted(to, by, bound)
    if beside.views is not None:
        raise CohortError("The mix needs cohorts that do not overlap: by= a column, or a list of columns.")
    if not counts.sum() > 0:
        raise DataError("to= has no rows, so it has no mix of cohorts.")
    union, mine, other = unite(cohorts, beside)
    share = np.bincount(other, counts, union.n_cohorts) / counts.sum()
    names = _names(union)
    rest = [(names[i], float(share[i])) for i in np.setdiff1d(np.arange(union.n_cohorts), mine) if share[i] > 0]
    return Target(share[mine], tuple(rest), float(counts.sum()))


def _counted(to: Any, by: Any, bound: Bound) -> tuple[Cohorts, Floats]:
    """Cohorts of other rows, and how many are in each; rows that cannot be judged are traffic too."""
    if isinstance(to, pd.DataFrame):
        cohorts = resolve(by, to)
        return cohorts, cohorts.sizes.astype(float)
    other = bound_of(to, bound)
    cohorts = other.cohorts(by)
    if isinstance(other, TallyBound):
        return cohorts, np.asarray(run_pass(other, other.models[0], cohorts, []).n, float)
    return cohorts, cohorts.sizes.astype(float)


def _names(cohorts: Cohorts) -> list[str]:
    return [" · ".join(str(labels[i]) for labels in cohorts.labels) for i in range(cohorts.n_cohorts)]


def _given(to: Mapping[Any, Any], cohorts: Cohorts) -> Target:
    """Shares by cohort: a value, or a tuple of values for intersections."""
    numbers = np.array([_number(key, value) for key, value in to.items()], float)
    if not numbers.sum() > 0:
        raise DataError(f"to={dict(to)!r} has no share above 0.")
    known = {tuple(map(str, key)): i for i, key in enumerate(zip(*cohorts.labels, strict=True))}
    share, rest, met = np.zeros(cohorts.n_cohorts), [], False
    for key, number in zip(to, numbers / numbers.sum(), strict=True):
        place = known.get(tuple(map(str, key)) if isinstance(key, tuple) else (str(key),))
        if place is None:
            rest.append((" · ".join(map(str, key)) if isinstance(key, tuple) else str(key), float(number)))
        else:
            share[place] += number
            met = True
    if not met:
        near = did_you_mean(str(next(iter(to))), _names(cohorts), noun="Cohorts")
        raise CohortError(f"to= names no cohort of this evaluation: {', '.join(map(repr, list(to)[:5]))}. {near}")
    total = float(numbers.sum())
    notes = () if abs(total - 1) < 1e-6 else (f"The shares of to= add up to {total:.6g}; they are divided by that.",)
    return Target(share, tuple(rest), 0.0, notes)


def _number(key: Any, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= float(value) < np.inf:
        raise DataError(f"to= gives {key!r} the share {value!r}, which is no number of 0 or more.")
    return float(value)

"""Values of metrics in every fold of every cohort: what fold summaries and comparisons of learners rest on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.cohorts import Cohorts
from dfevals.engines import collect
from dfevals.engines.held import TallyBound
from dfevals.estimates.asked import needs, views_of
from dfevals.estimates.estimate import Options, Part, estimate
from dfevals.exceptions import DataError, RoleError
from dfevals.metrics.registry import Request
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model

__all__ = ["FoldValues", "Folds", "find_folds", "fold_values"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Folds:
    """The folds of a frame: `codes` per row (−1: in none), `labels`, the `repeat` of each, rows that test and train."""

    codes: Ints
    labels: tuple[str, ...]
    repeats: tuple[str, ...]
    n_test: Floats
    n_train: Floats

    @property
    def n(self) -> int:
        return len(self.labels)

    @property
    def names(self) -> list[str]:
        """Name of every fold, with its repeat where there are several."""
        several = len(set(self.repeats)) > 1
        return [f"{r}·{f}" if several else f for r, f in zip(self.repeats, self.labels, strict=True)]

    @property
    def n_repeats(self) -> int:
        """How many times the rows were cut into folds."""
        return len(set(self.repeats))

    @property
    def ragged(self) -> bool:
        """Whether repeats have different numbers of folds."""
        return len(set(pd.Series(self.repeats).value_counts())) > 1


def find_folds(bound: Bound) -> Folds:
    """Folds of the rows by the roles `fold` and `repeat`.

    The training rows of a fold are taken to be the rows of its repeat outside it, as in K-fold cross-validation.

    Raises
    ------
    RoleError
        There is no fold role.
    DataError
        No row has a fold.
    """
    roles = bound.roles
    if roles.fold is None:
        raise RoleError(
            "Which column holds the folds? Pass fold='…' (the fold in which a row was tested). "
            "dfevals.cross_validate(...) makes such a frame."
        )
    fold, labels = pd.factorize(bound.series(roles.fold, "fold"), sort=True)
    if roles.repeat is None:
        repeat, repeats = np.zeros(len(fold), np.int64), np.array([""])
    else:
        repeat, found = pd.factorize(bound.series(roles.repeat, "repeat"), sort=True)
        repeats = np.asarray(_texts(found))
    joint = np.where((fold >= 0) & (repeat >= 0), repeat * max(len(labels), 1) + fold, -1)
    used = np.unique(joint[joint >= 0])
    if not len(used):
        raise DataError(
            f"fold column {roles.fold!r} names no fold: its {bound.n:,} values are missing, or their repeats are."
        )
    codes = np.where(joint >= 0, np.searchsorted(used, joint), -1).astype(np.int64)
    n_test = np.bincount(codes[codes >= 0], _rows(bound)[codes >= 0], len(used)).astype(float)
    of = used // max(len(labels), 1)
    in_repeat = np.bincount(of, n_test, max(len(repeats), 1))
    texts = _texts(labels)
    return Folds(
        codes,
        tuple(texts[i] for i in used % max(len(labels), 1)),
        tuple(str(repeats[i]) for i in of),
        n_test,
        in_repeat[of] - n_test,
    )


def _rows(bound: Bound) -> Floats:
    """Rows that a row (or an atom of a tally) stands for: its frequency; none without weight."""
    if isinstance(bound, TallyBound):
        return np.asarray(bound.each, float)
    if bound.weight is None:
        return np.ones(bound.n)
    weight = np.nan_to_num(bound.weight.all())
    return np.asarray(weight if bound.roles.weight_kind == "frequency" else weight > 0, float)


def _texts(labels: Any) -> list[str]:
    """Names of folds; whole numbers stay whole where a missing one has made the column floating."""
    return [str(int(label)) if isinstance(label, float) and label.is_integer() else str(label) for label in labels]


@dataclass(frozen=True)
class FoldValues:
    """`value` (metrics, cohorts + 1, folds) with overall first, and `n` (cohorts + 1, folds) rows of one model."""

    value: Floats
    n: Floats
    dropped: dict[str, int]


def fold_values(
    bound: Bound, model: Model, cohorts: Cohorts, folds: Folds, requests: tuple[Request, ...]
) -> FoldValues:
    """Metrics of one model in every fold of every cohort, from one pass."""
    k = folds.n
    # one more atom holds the rows of no fold
    codes = np.where(folds.codes >= 0, cohorts.codes.astype(np.int64) * k + folds.codes, cohorts.n_atoms * k)
    n_atoms = cohorts.n_atoms * k + 1
    crossed = replace(cohorts, codes=codes.astype(np.int32), n_atoms=n_atoms, views=None)
    options = Options(ci=None)
    tally = collect(replace(bound, alone=True), model, crossed, needs(requests, bound, options))
    size = cohorts.n_cohorts + 1
    value, n = np.full((len(requests), size, k), np.nan), np.zeros((size, k))
    for view in views_of(cohorts):
        if not len(view.cohorts):
            continue
        own = np.arange(cohorts.n_atoms) if view.positions is None else view.positions
        place = np.append(np.where(own[:, None] >= 0, own[:, None] * k + np.arange(k), -1).ravel(), -1)
        part = Part(tally, place, len(view.cohorts) * k)
        n[view.cohorts] = part.rows(tally.n).reshape(-1, k)
        for i, request in enumerate(requests):
            found = estimate(request, part, options, bound.labels, bound.task)
            value[i, view.cohorts] = found.value.reshape(-1, k)
    return FoldValues(value, n, tally.dropped)


def rows_of_fold(bound: Bound, folds: Folds, fold: int) -> pd.DataFrame:
    """The rows tested in one fold."""
    found: Any = bound.rows(folds.codes == fold)
    return found

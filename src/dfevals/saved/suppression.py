"""Cohorts of few people are folded together before a tally leaves the machine that holds the rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.cohorts import Cohorts
from dfevals.exceptions import DataError
from dfevals.tally import ModelTally, ScoreTally, Tally
from dfevals.tally.clusters import ClusterSums

__all__ = ["suppressed"]

Array = npt.NDArray[Any]
NOTE = (
    "Clusters are numbered, not named, because the tally was saved with min_n=: a cluster that occurs in two such tallies "
    "counts as two."
)


def suppressed(tally: Tally, min_n: int) -> Tally:
    """The tally with all cohorts of fewer than `min_n` rows in one cohort, and no cohort that follows by subtraction.

    If the cohorts folded have fewer than `min_n` rows together, or there is one alone (all rows less the others would give
    it), the smallest of the others join them (complementary suppression).

    Raises
    ------
    DataError
        There are fewer rows than `min_n`, or cohorts overlap and a part that they share is too small.
    """
    if isinstance(min_n, bool) or not isinstance(min_n, int | np.integer) or min_n < 1:
        raise DataError(f"min_n={min_n!r} must be a whole number of rows, at least 1.")
    rows = _rows(tally)
    if 0 < rows.sum() < min_n:
        raise DataError(f"The whole tally has fewer than min_n={min_n} rows, so nothing of it can be shown.")
    small = _folded(rows, int(min_n))
    if small.any():
        tally = _fold(tally, small, int(min_n))
    models, together = ({k: _unnamed(part) for k, part in found.items()} for found in _every(tally))
    return replace(tally, models=models, together=together, context=_context(tally))


def _every(tally: Tally) -> tuple[dict[Any, ModelTally], dict[Any, ModelTally]]:
    """Tallies of every model, and of models together."""
    return tally.models, tally.together


def _rows(tally: Tally) -> Array:
    """Rows of every atom: of the model that judges the fewest of them, if any."""
    counts = np.array([part.n for found in _every(tally) for part in found.values()], float)
    fewest = np.where(counts > 0, counts, np.inf).min(axis=0, initial=np.inf)
    return np.where(np.isfinite(fewest), fewest, 0.0)


def _folded(rows: Array, min_n: int) -> Array:
    """Which atoms are folded."""
    small = (rows > 0) & (rows < min_n)
    if not small.any():
        return small
    for atom in np.argsort(rows, kind="stable"):
        if rows[small].sum() >= min_n and small.sum() > 1:
            break
        small[atom] |= rows[atom] > 0
    return small


def _fold(tally: Tally, small: Array, min_n: int) -> Tally:
    cohorts = tally.cohorts
    if cohorts.views is not None:
        raise DataError(
            f"Cohorts overlap, and {int(small.sum()):,} of the parts they are made of have fewer than min_n={min_n} rows (or "
            "follow from others): folding these would change the cohorts. Save one tally for each grouping: by='a', by='b'."
        )
    kept = np.flatnonzero(~small)
    place = np.full(len(small), len(kept), np.int64)
    place[kept] = np.arange(len(kept))
    models, together = (
        {key: part.regroup(place, len(kept) + 1) for key, part in found.items()} for found in _every(tally)
    )
    return replace(tally, cohorts=_without(cohorts, kept, int(small.sum()), min_n), models=models, together=together)


def _without(cohorts: Cohorts, kept: Array, n_folded: int, min_n: int) -> Cohorts:
    label = f"(suppressed: n < {min_n})"
    labels = []
    for column in cohorts.labels:
        texts = np.full(len(kept) + 1, label, dtype=object)
        texts[:-1] = column[kept]
        labels.append(texts)
    written = [*(cohorts.expressions[i] for i in kept), ""]
    note = f"folded {n_folded:,} cohorts, so that none with n < {min_n} is shown or follows by subtraction"
    return Cohorts(
        cohorts.names,
        tuple(labels),
        cohorts.codes[:0],
        len(kept) + 1,
        None,
        (*cohorts.notes, note),
        written.__getitem__,
        cohorts.cuts,
        folded=True,
        groups=cohorts.groups,
    )


def _context(tally: Tally) -> dict[str, Any]:
    every = (part for found in _every(tally) for model in found.values() for part in model.parts.values())
    if not any(map(_clustered, every)):
        return tally.context
    return {**tally.context, "notes": (*tally.context.get("notes", ()), NOTE)}


def _clustered(part: Any) -> bool:
    inner = getattr(part, "moments", part)
    return any(getattr(inner, name, None) is not None for name in ("clusters", "sums", "cluster_labels", "cluster"))


def _unnamed(model: ModelTally) -> ModelTally:
    """The model's tallies with numbers in place of the names of clusters and units."""
    return replace(model, parts={need: _anonymous(part) for need, part in model.parts.items()})


def _anonymous(part: Any) -> Any:
    if isinstance(part, ScoreTally):
        if part.cluster_labels is None:
            return part
        return replace(part, cluster_labels=_numbers(len(part.cluster_labels)), _sums={})
    if isinstance(part, ClusterSums):
        return replace(part, labels=_numbers(len(part.labels)), memo={})
    if getattr(part, "labels", None) is not None:  # of joint counts
        return replace(part, labels=_numbers(len(part.labels)))
    inside = {name: getattr(part, name, None) for name in ("clusters", "sums", "moments")}
    return replace(part, **{name: _anonymous(value) for name, value in inside.items() if value is not None})


def _numbers(n: int) -> Array:
    """Names that occur in no other tally."""
    from uuid import uuid4

    prefix = uuid4().hex[:12]
    out = np.empty(n, dtype=object)
    out[:] = [f"{prefix}-{i:012d}" for i in range(n)]
    return out

"""What routing needs of all models at once: sums that give means and variances of every difference, by cohort and part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.analyses.compare.aligned import Aligned, JointRows, ViewRows, counts_rows
from dfevals.analyses.compare.gaps import Gaps, joint_needs, mean_of
from dfevals.analyses.compare.influence import kind_of, moment_values
from dfevals.analyses.compare.paired import paired_rate
from dfevals.cohorts import Cohorts
from dfevals.estimates.estimate import rests_on_classes
from dfevals.estimates.events import rare_classes
from dfevals.exceptions import MetricError
from dfevals.inference.seeds import generator
from dfevals.metrics.registry import Request
from dfevals.roles.bound import Bound
from dfevals.tally import JointMomentTally, JointTally, ModelTally

__all__ = ["NEEDED", "Gathered", "Sums"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
NEEDED = "an average over rows, such as accuracy, recall, log_loss, brier, mae or pass_rate"


@dataclass(frozen=True)
class Sums:
    """Sums over groups (rows, or clusters) that give means and robust variances of differences of all pairs of models.

    Axes: (…, parts, cohorts); sums of parts add up. `s` Σ of a group's sums per model, `cross` Σ of products of two models'
    sums, `sn` Σ of products with the group's weight, `nn` Σ of squared weights, `n` Σ of weights, `groups` their number,
    `rows` the rows, `events` the groups in which a class occurs (no class where the metric does not rest on classes).
    """

    s: Floats
    cross: Floats
    sn: Floats
    nn: Floats
    n: Floats
    groups: Floats
    rows: Floats
    events: Floats

    @property
    def rare(self) -> Array:
        """Cohorts with too few rows of a class."""
        if not len(self.events):
            return np.zeros(self.n.shape[-1], bool)
        return rare_classes(self.events[:, 0], self.events.sum(axis=(1, 2)) > 0)

    def without(self, part: int) -> Sums:
        """Sums of all parts but one."""
        with np.errstate(invalid="ignore"):  # what is infinite
            return Sums(*(x.sum(axis=-2, keepdims=True) - x[..., part : part + 1, :] for x in self._all()))

    def _all(self) -> list[Floats]:
        return [getattr(self, own.name) for own in fields(self)]

    def overall(self) -> Floats:
        """Mean of every model over all cohorts."""
        found: Floats = self.s.sum(axis=(-2, -1)) / max(self.n.sum(), 1e-300)
        return found

    def differences(self, i: int, j: int) -> tuple[Floats, Floats, Floats]:
        """Mean of model i less model j per cohort, its standard error and degrees of freedom."""
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = (self.s[i] - self.s[j])[0] / self.n[0]
            squares = (self.cross[i, i] - 2 * self.cross[i, j] + self.cross[j, j])[0]
            spread = squares - 2 * gap * (self.sn[i] - self.sn[j])[0] + gap**2 * self.nn[0]
            groups = self.groups[0]
            variance = np.maximum(spread, 0) / self.n[0] ** 2 * groups / (groups - 1)
            return gap, np.sqrt(np.where(groups > 1, variance, np.nan)), groups - 1


@dataclass(frozen=True)
class _Entries:
    """Numbers of every model (models, entries) on `count` equal rows each, with Σw and Σw² of these rows."""

    value: Floats
    code: Array
    count: Floats
    weight: Floats
    square: Floats
    cluster: Array | None
    truth: Array | None = None  # class of each row, where the metric rests on classes

    def part(self, keep: Array) -> _Entries:
        """Some of the entries."""
        own = (self.code, self.count, self.weight, self.square, self.cluster, self.truth)
        return _Entries(self.value[:, keep], *(None if x is None else x[keep] for x in own))  # type: ignore[arg-type]

    def divided(self, parts: int, rng: np.random.Generator) -> tuple[_Entries, Array]:
        """The entries by part, into which rows (or whole clusters) fall by chance."""
        if self.cluster is not None:
            return self, (rng.permutation(int(self.cluster.max(initial=-1)) + 1) % parts)[self.cluster]
        if (self.count == 1).all():
            return self, rng.permutation(len(self.code)) % parts
        drawn = rng.multinomial(np.rint(self.count).astype(np.int64), np.full(parts, 1 / parts))
        at, part = np.nonzero(drawn)
        count = drawn[at, part].astype(float)
        share, found = count / self.count[at], self.part(at)
        weights = (count, found.weight * share, found.square * share)
        return _Entries(found.value, found.code, *weights, None, found.truth), part

    def sums(self, size: int, part: Array | None = None, parts: int = 1) -> Sums:
        """Sums by part and cohort."""
        own = np.zeros(len(self.code), np.int64) if part is None else part
        at = own * size + self.code
        rows = np.bincount(at, self.count, parts * size).astype(float)
        value, weight, square, groups, cell = self.value, self.weight, self.square, self.count, at
        if self.cluster is not None:
            width = int(self.cluster.max(initial=0)) + 1
            pair, inverse = np.unique(at * width + self.cluster, return_inverse=True)
            cell, weight = pair // width, np.asarray(np.bincount(inverse, weight, len(pair)), float)
            totals = np.stack([np.bincount(inverse, v * self.weight, len(pair)) for v in value])
            value, square, groups = totals / np.where(weight > 0, weight, 1), weight**2, np.ones(len(pair))

        def add(x: Floats) -> Floats:
            return np.asarray(np.bincount(cell, x, parts * size), float).reshape(parts, size)

        return Sums(
            np.stack([add(v * weight) for v in value]),
            np.stack([np.stack([add(a * b * square) for b in value]) for a in value]),
            np.stack([add(v * square) for v in value]),
            add(square),
            add(weight),
            add(groups),
            rows.reshape(parts, size),
            self._events(at, parts, size),
        )

    def _events(self, at: Array, parts: int, size: int) -> Floats:
        if self.truth is None:
            return np.zeros((0, parts, size))
        k = max(int(self.truth.max(initial=0)) + 1, 2)
        place, count = self.truth * (parts * size) + at, self.count
        if self.cluster is not None:
            place, count = np.unique(np.stack([place, self.cluster]), axis=1)[0], None  # type: ignore[assignment]
        return np.bincount(place, count, k * parts * size).reshape(k, parts, size).astype(float)


class Gathered:
    """Sums of a metric of all models per cohort, where higher is better.

    Raises
    ------
    MetricError
        The metric is no average over rows.
    """

    def __init__(self, request: Request, rows: Aligned, cohorts: Cohorts) -> None:
        bound = rows.bounds[0]
        self.request, self.aligned, self.cohorts, self.size = request, rows, cohorts, cohorts.n_cohorts
        self.kind = kind_of(request, len(bound.labels), bound.task)
        wanted = joint_needs(request, bound)
        if not wanted:
            raise self._no_average()
        self.tally: ModelTally = rows.collect(cohorts, wanted)
        self.found: Any = self.tally.parts[wanted[0]]
        self.sign = (1.0 if request.better == "higher" else -1.0) * (-1.0 if request.negated else 1.0)

    def _no_average(self) -> MetricError:
        return MetricError(f"{self.request.label!r} is no average over rows. Routing needs {NEEDED}.")

    @property
    def _bound(self) -> Bound:
        return self.aligned.bounds[0]

    @cached_property
    def whole(self) -> Sums:
        """Sums of all rows."""
        return self._entries.sums(self.size) if self.kind == "cells" else self._of_moments(self.found)

    @cached_property
    def unjudged(self) -> int:
        """Rows on which a model has no value."""
        return int(self.found.moments.undefined.sum()) if isinstance(self.found, JointMomentTally) else 0

    def divided(self, parts: int, random_state: Any) -> Sums | None:
        """Sums by parts into which the rows fall by chance; None where the rows of losses are gone."""
        if self.kind == "moments" and not self._bound.has_rows:
            return None
        entries, part = self._entries.divided(parts, generator(random_state))
        return entries.sums(self.size, part, parts)

    @cached_property
    def _entries(self) -> _Entries:
        return self._of_joint() if self.kind == "cells" else self._of_rows()

    def _of_joint(self) -> _Entries:
        joint: JointTally = self.found.scaled(self.tally.scale)
        rates = [paired_rate(self.request, JointRows(self._bound, joint, (j, j))) for j in range(len(joint.said))]
        if any(rate is None for rate in rates):
            raise self._no_average()
        value = np.stack([self.sign * rate[0].astype(float) for rate in rates if rate is not None])
        counted: Any = np.logical_and.reduce([rate[2] for rate in rates if rate is not None])
        return _Entries(value, joint.cohort, joint.rows, joint.weight, joint.square, joint.cluster).part(counted)

    def _of_rows(self) -> _Entries:
        """Losses of every row."""
        bound, k = self._bound, len(self._bound.labels)
        view = ViewRows(self.aligned, self.aligned.codes(self.cohorts.codes).astype(np.intp), self.size)
        sides = range(len(self.aligned.names))
        value = np.stack([moment_values(self.request, view, j, k, bound.task)[0] for j in sides])
        ones = np.ones(len(view.codes))
        weight = ones if view.weight is None else view.weight
        square = ones if view.square is None else view.square
        count = weight if counts_rows(bound) else ones
        truth = view.y_true().astype(np.int64) if self._rests_on_classes else None
        entries = _Entries(self.sign * value, view.codes, count, weight, square, view.cluster, truth)
        known = np.asarray(np.isfinite(value).all(axis=0))
        return entries.part(known)

    @property
    def _rests_on_classes(self) -> bool:
        return rests_on_classes(self.request, mean_of(self.request, self._bound), self._bound.task)

    def _of_moments(self, tally: JointMomentTally) -> Sums:
        gaps = Gaps(self.request, tally, self.tally.scale)
        if not gaps.linear:
            raise self._no_average()
        size = len(tally.moments.mean)
        each = np.stack([np.eye(size)[0] - (np.eye(size)[j] if j else 0) for j in range(size)])
        moments, scale = gaps.total.transformed(self.sign * each), self.tally.scale
        square = moments.square or moments
        if moments.clusters is None:
            cross = square.second(np.zeros_like(moments.mean))
            sums = (moments.n * moments.mean, cross, square.n * square.mean, square.n, moments.n, moments.rows)
        else:
            sums = self._sums_of_clusters(moments)  # type: ignore[assignment]
        power = (scale, scale**2, scale**2, scale**2, scale, 1.0)
        s, cross, sn, nn, n, groups = (np.asarray(x * p)[..., None, :] for x, p in zip(sums, power, strict=True))
        events = gaps.events()[:, None, :] if self._rests_on_classes else np.zeros((0, 1, self.size))
        return Sums(s, cross, sn, nn, n, groups, moments.rows[None], events)

    def _sums_of_clusters(self, moments: Any) -> Sequence[Floats]:
        sums, k = moments.clusters, len(moments.mean)
        weight = sums.values[0]
        totals = sums.values[1 : 1 + k] + moments.origin[:, None] * weight

        def add(x: Floats) -> Floats:
            return np.asarray(np.bincount(sums.cohort, x, self.size), float)

        return (
            np.stack([add(v) for v in totals]),
            np.stack([np.stack([add(a * b) for b in totals]) for a in totals]),
            np.stack([add(v * weight) for v in totals]),
            add(weight**2),
            add(weight),
            add(np.ones(len(weight))),
        )

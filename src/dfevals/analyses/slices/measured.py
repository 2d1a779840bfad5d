"""Values of some slices and their differences to all other rows, with the intervals and tests that cohorts have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.analyses.slices.losses import Losses
from dfevals.estimates.estimate import Options, Part, estimate
from dfevals.estimates.tested import Tested, TestOptions
from dfevals.estimates.unpaired import unpaired
from dfevals.metrics.estimands import Mean
from dfevals.metrics.registry import Metric, Request
from dfevals.needs import Moments, RowFunction
from dfevals.tally import ModelTally, MomentTally, MomentView
from dfevals.tally.clusters import ClusterSums

__all__ = ["Measured", "measured"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Group = tuple[Array, Array, list[int]]
NO_WEIGHT = 1e-12
NEED = Moments((RowFunction("number", lambda rows: rows.y_true),), order=3, skip_missing=True)


@dataclass(frozen=True)
class Measured:
    """Arrays over slices: the value with its interval, the difference to the other rows with interval and test, notes."""

    rows: Floats
    support: Floats
    value: Floats
    low: Floats
    high: Floats
    difference: Floats
    difference_low: Floats
    difference_high: Floats
    p_value: Floats
    harm: Floats
    method: str
    note: list[str]


def measured(losses: Losses, groups: Iterable[Group], size: int, level: float | None) -> Measured:
    """Measure slices.

    Parameters
    ----------
    losses : Losses
    groups : (cells, wanted, positions), one after the other
        The cell of every row in one table, which of its cells are slices, and their places in the result.
    size : int
        Number of slices.
    level : float or None
        Of the intervals; None leaves them out.
    """
    sums = _Sums.of(losses, groups, size)
    request = _request(losses)
    inside, outside = sums.parts()
    at = 0.95 if level is None else level
    alone = estimate(request, inside, Options(ci=at), (), "outcomes")
    tested = unpaired(request, inside, outside, TestOptions(level=at), (), "outcomes")
    notes = [_note(tested, i) for i in range(size)]
    blank = np.full(size, np.nan)
    low, high, d_low, d_high = (
        (alone.low, alone.high, tested.low, tested.high) if level is not None else (blank, blank, blank, blank)
    )
    return Measured(
        sums.rows, sums.support, alone.value, low, high, tested.gap, d_low, d_high, tested.p_value, sums.harm, tested.test, notes
    )  # fmt: skip


def _request(losses: Losses) -> Request:
    def mean(moments: MomentView) -> Mean:
        return Mean(moments, "no rows that the metric counts", proportion=losses.binary)

    better: Any = {1.0: "lower", -1.0: "higher"}.get(losses.worse, "none")
    metric = Metric(losses.metric, mean, (NEED,), ("outcomes",), range=losses.limits, better=better)
    return Request(metric, losses.metric, outcome="number")


def _note(tested: Tested, i: int) -> str:
    texts = [text for mask, text in tested.masks if mask[i] and text]
    return "; ".join(dict.fromkeys([*texts, *(["too few rows"] if tested.few[i] and not texts else [])]))


@dataclass(frozen=True)
class _Sums:
    """Moments of the slices and of all rows."""

    losses: Losses
    rows: Floats
    support: Floats
    harm: Floats
    moments: MomentTally
    whole: MomentTally
    rest_clusters: ClusterSums | None

    @classmethod
    def of(cls, losses: Losses, groups: Iterable[Group], size: int) -> _Sums:
        counted = None if losses.counted is None else losses.counted.astype(float)
        weight = counted if losses.weight is None else _times(losses.weight, counted)
        whole = losses.inside if losses.counted is not None else slice(None)
        at = None if losses.weight is None else losses.weight[whole]
        mean = 0.0 if losses.binary else float(np.average(losses.value[whole], weights=at))  # counts stay whole
        importance = losses.weight is not None and not losses.frequency
        channels = _channels(losses, mean, counted, weight, importance)
        found = np.empty((len(channels), size))
        clusters = None if losses.cluster is None else _Clusters(losses, weight, mean)
        for cells, wanted, positions in groups:
            for j, channel in enumerate(channels):
                found[j, positions] = np.bincount(cells, channel, int(wanted.max()) + 1)[wanted]
            if clusters is not None:
                clusters.add(cells, wanted, positions)
        totals = np.array([[len(losses) if channel is None else channel.sum()] for channel in channels])
        moments, every = (_tally(part, mean, importance) for part in (found, totals))
        rest = None
        if clusters is not None:
            moments.clusters, rest, every.clusters = clusters.sums()
            moments.origin = every.origin = np.array([mean])
        if losses.frequency or losses.weight is None:
            moments.rows, every.rows = moments.n, every.n
        total = totals[2, 0]
        share = found[2] / total if losses.harm is not None and total > 0 else np.full(size, np.nan)
        return cls(losses, found[0], found[1], share, moments, every, rest)

    def parts(self) -> tuple[Part, Part]:
        """The slices, and for each of them all other rows."""
        size = len(self.rows)
        rest = _repeated(self.whole, size).minus(self.moments)
        rest.clusters, rest.origin = self.rest_clusters, self.whole.origin
        return _part(self.moments), _part(rest)


def _times(a: Floats, b: Floats | None) -> Floats:
    return a if b is None else a * b


def _channels(
    losses: Losses, mean: float, counted: Floats | None, weight: Floats | None, importance: bool
) -> list[Floats | None]:
    """Numbers whose sums are needed (None: ones): rows, those that count, errors, and w · xᵏ (and w² · xᵏ), k from 0 to 3."""
    x = losses.value - mean
    first = x if weight is None else x * weight
    second = first * x
    powers = [weight, first, second, second * x]
    squared = [_times(part, weight) for part in powers if part is not None] if importance else []
    support = counted if losses.count is None else _times(losses.count, counted)
    harm = losses.harm if losses.weight is None or losses.harm is None else losses.harm * losses.weight
    return [losses.count, support, harm, *powers, *squared]


def _repeated(tally: MomentTally, size: int) -> MomentTally:
    """The moments of all rows, once per slice."""

    def wide(values: Floats) -> Floats:
        return np.repeat(values, size, axis=-1)

    square = None if tally.square is None else _repeated(tally.square, size)
    parts = (wide(part) for part in (tally.n, tally.mean, tally.central, tally.rows, tally.undefined))
    n, mean, central, rows, undefined = parts
    return MomentTally(tally.order, n, mean, central, rows, undefined, square)


def _part(tally: MomentTally) -> Part:
    return Part(ModelTally(tally.rows, tally.n, tally.n, {NEED: tally}), None, len(tally.n))


def _tally(sums: Floats, mean: float, importance: bool) -> MomentTally:
    """Central moments from sums of powers about the mean of all rows."""

    def central(powers: Floats, rows: Floats) -> MomentTally:
        n, s1, s2, s3 = powers
        safe = np.where(n > 0, n, 1)
        m = s1 / safe
        second = np.maximum(s2 - m * s1, 0)
        third = s3 - 3 * m * s2 + 2 * m**2 * s1
        return MomentTally(3, n, (m + mean)[None, :], np.stack([second, third]), rows, np.zeros(len(n)))

    found = central(sums[3:7], sums[1])
    if importance:
        found.square = central(sums[7:11], sums[1])
    return found


class _Clusters:
    """Sums per cluster inside and outside each slice, and of all rows."""

    def __init__(self, losses: Losses, weight: Floats | None, mean: float) -> None:
        assert losses.cluster is not None
        self.names, self.place = np.unique(losses.cluster, return_inverse=True)
        w, x = np.ones(len(losses)) if weight is None else weight, losses.value - mean
        self.channels = [w, w * x, w * x**2]
        self.totals = self._of(np.arange(len(losses)))
        self.entries: tuple[list[Any], list[Any]] = ([], [])

    def _of(self, rows: Array) -> Floats:
        sums = [np.bincount(self.place[rows], channel[rows], len(self.names)) for channel in self.channels]
        return np.stack(sums).astype(float)

    def add(self, cells: Array, wanted: Array, positions: list[int]) -> None:
        """The slices of one table."""
        for cell, position in zip(wanted.tolist(), positions, strict=True):
            sums = self._of(np.flatnonzero(cells == cell))
            for side, part in zip(self.entries, (sums, self.totals - sums), strict=True):
                there = np.flatnonzero(part[0] > NO_WEIGHT)
                side.append((there, np.full(len(there), position), part[:, there]))

    def sums(self) -> tuple[ClusterSums, ClusterSums, ClusterSums]:
        """Inside, outside and everywhere."""
        every = np.arange(len(self.names))
        inside, outside = (self._joined(part) for part in self.entries)
        return inside, outside, self._joined([(every, np.zeros(len(every), np.int64), self.totals)])

    def _joined(self, parts: list[Any]) -> ClusterSums:
        none = np.zeros(0, np.int64)
        parts = [(none, none, np.zeros((3, 0))), *parts]
        cluster, cohort, values = (np.concatenate(column, axis=-1) for column in zip(*parts, strict=True))
        labels = self.names.astype(str).astype(object)
        return ClusterSums(labels, cluster, cohort, np.zeros(len(cluster), np.int64), values)

"""Tie blocks of all cohorts in one table, their sums over bins of the score, and their isotonic pools."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.inference.clusters import ClusterWorth, line_sandwich, worth_of
from dfevals.inference.isotonic import isotonic
from dfevals.tally.scores import ScoreTally

__all__ = ["BinSums", "TieTable", "quantile_cuts", "uniform_cuts", "uniform_edges"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class TieTable:
    """Rows of equal score in a cohort as one block, ascending by score within the cohort.

    `offsets` (cohorts + 1,) says where the blocks of a cohort begin. Per block: the score, the weight of the
    positives and negatives, and their squared weights (the same arrays where rows are not weighted). Blocks may also
    be groups of neighbouring scores, see `grouped`; `score` is then their weighted mean.
    """

    offsets: Ints
    score: Floats
    pos: Floats
    neg: Floats
    pos_sq: Floats
    neg_sq: Floats
    rows: Floats
    clusters: ClusterRows | None = None
    parts: tuple[TieTable, Ints] | None = None  # a table of cohorts that make up these, and the cohort each belongs to
    memo: dict[Any, Floats] = field(default_factory=dict, repr=False, compare=False)

    def made_of(self, parts: TieTable, place: Ints) -> TieTable:
        """The same table, which knows that its cohorts are those of another one put together (place −1: left out)."""
        additive = not self.weighted and not parts.weighted and self.clusters is None
        return replace(self, parts=(parts, place)) if additive else self

    def added(self, key: str, sums: Callable[[TieTable], Floats]) -> Floats:
        """Sums over the rows of every cohort (last axis), which are those of its parts where these are known (cached)."""
        if key not in self.memo:
            if self.parts is None:
                self.memo[key] = sums(self)
            else:
                table, place = self.parts
                known = table.added(key, sums)
                out = np.zeros((*known.shape[:-1], self.n_cohorts))
                np.add.at(out.T, place[place >= 0], known.T[place >= 0])
                self.memo[key] = out
        return self.memo[key]

    @classmethod
    def of(cls, tally: ScoreTally) -> TieTable:
        """The tie blocks of a score tally."""
        rows = np.diff(tally.offsets).astype(float)
        flat = tally.unpacked()
        assert flat.score is not None
        assert flat.label is not None
        score, label = flat.score, flat.label.astype(float)
        pos, neg = label, 1 - label
        first = np.ones(len(score), bool)
        np.not_equal(score[1:], score[:-1], out=first[1:])
        first[tally.offsets[:-1][rows > 0]] = True
        weight, clusters = flat.weight, None
        squares: tuple[Floats, ...] = ()
        if weight is not None:
            if not tally.frequency:
                squares = weight * weight * pos, weight * weight * neg
            pos, neg = weight * pos, weight * neg
        offsets = tally.offsets
        if tally.cluster is not None:
            clusters = ClusterRows.of(flat, np.cumsum(first) - 1)
            near = np.repeat(tally.designs().near, np.diff(offsets))
            squares = tuple(near * x for x in (squares or (pos, neg)))
        if not first.all():
            starts = np.flatnonzero(first)
            score = score[starts]
            pos, neg, *more = (np.add.reduceat(values, starts) for values in (pos, neg, *squares))
            squares = tuple(more)
            offsets = np.searchsorted(starts, tally.offsets)
        offsets = offsets.astype(np.int64)
        pos_sq, neg_sq = squares or (pos, neg)
        if tally.frequency:
            rows = _segments(pos + neg, offsets)
        table = cls(offsets, score, pos, neg, pos_sq, neg_sq, rows, clusters)
        return table if weight is None else table._weighty()

    def _weighty(self) -> TieTable:
        """Without the blocks whose rows all weigh nothing: they have no rate."""
        kept = self.pos + self.neg > 0
        if kept.all():
            return self
        before = np.concatenate([[0], np.cumsum(kept)])
        names = ("score", "pos", "neg", "pos_sq", "neg_sq")
        arrays: dict[str, Any] = {name: getattr(self, name)[kept] for name in names}
        clusters = self.clusters
        if clusters is not None:  # rows of no weight go to any block, where they add nothing
            block = np.clip(before[clusters.block + 1] - 1, 0, None)
            clusters = replace(clusters, block=block) if kept.any() else None
        return replace(self, offsets=before[self.offsets], clusters=clusters, **arrays)

    @property
    def n_cohorts(self) -> int:
        return len(self.offsets) - 1

    @property
    def weighted(self) -> bool:
        """Whether squared weights differ from weights."""
        return self.pos_sq is not self.pos

    @cached_property
    def n(self) -> Floats:
        """Weight of every block."""
        return self.pos + self.neg

    @cached_property
    def logs(self) -> tuple[Floats, Floats]:
        """Logarithms of the score and of one less the score, both kept ε away from 0 and 1."""
        inner = np.clip(self.score, EPS, 1 - EPS)
        return np.log(inner), np.log1p(-inner)

    @cached_property
    def logit(self) -> Floats:
        """Logarithm of the odds of the score."""
        return self.logs[0] - self.logs[1]

    @property
    def parts_alone(self) -> tuple[TieTable, bool]:
        """The table that these cohorts are made of, where all of it makes up one cohort, and whether it does; else this one."""
        if self.parts is None or self.n_cohorts > 1 or self.parts[1].any():
            return self, False
        return self.parts[0], True

    def as_one(self) -> TieTable:
        """All blocks as those of one cohort, in the order in which they stand: for sums, which need none."""
        found = replace(self, offsets=self.offsets[[0, -1]], rows=self.rows.sum(keepdims=True), memo={})
        found.__dict__["n"] = self.n
        return found

    @cached_property
    def cohort(self) -> Ints:
        """Cohort of every block."""
        return np.repeat(np.arange(self.n_cohorts), np.diff(self.offsets))

    def pieces(self, size: int = 1 << 15) -> Iterator[tuple[slice, Ints, Ints]]:
        """Runs of at most `size` blocks, which stay near the processor: the run, its cohorts, and where each begins in it."""
        for start in range(0, len(self.score), size):
            stop = min(start + size, len(self.score))
            first, last = np.searchsorted(self.offsets, (start, stop - 1), "right") - 1
            bounds = np.maximum(self.offsets[first : last + 1] - start, 0)
            filled = np.diff(np.append(bounds, stop - start)) > 0
            yield slice(start, stop), np.arange(first, last + 1)[filled], bounds[filled]

    @cached_property
    def _pieces(self) -> list[tuple[slice, Ints, Ints]]:
        return list(self.pieces())

    def add_up(self, numbers: Callable[[slice], Sequence[Floats]]) -> Floats:
        """Sums over every cohort of several numbers of the blocks in a run, (numbers, cohorts)."""
        out = np.zeros((len(numbers(slice(0, 0))), self.n_cohorts))
        for part, cohorts, starts in self._pieces:
            for row, values in zip(out, numbers(part), strict=True):
                row[cohorts] += np.add.reduceat(values, starts)
        return out

    def total(self, values: Floats) -> Floats:
        """Sum of a number of the blocks over every cohort."""
        return _segments(values, self.offsets)

    def scatter(self, pos: Floats, neg: Floats, x: Floats | None = None) -> list[Floats]:
        """Variance of Σwr over every cohort, and of (Σwr, Σwrx) where `x` is given: Σ(wr)², Σ(wr)²x, Σ(wr)²x².

        Residuals r are `pos` for the positives and `neg` for the negatives of a block. Rows of a cluster move together:
        their sums are squared and crossed, with the factors of `worth_of` (`worth` has the degrees of freedom).
        """
        if self.clusters is not None:
            return self.clusters.scatter(self, pos, neg, x)
        square = self.pos_sq * pos**2 + self.neg_sq * neg**2
        return [self.total(square)] + ([] if x is None else [self.total(square * x), self.total(square * x * x)])

    @cached_property
    def df(self) -> Floats:
        """Degrees of freedom of variances of every cohort: those of its clusters, without clusters infinite."""
        return np.full(self.n_cohorts, np.inf) if self.clusters is None else self.clusters.worth(self).df

    def sums(self, starts: Ints) -> BinSums:
        """Sums over runs of blocks; `starts` holds the first block of every run, each cohort's first one included."""
        return self.sums_of(starts)[0]

    def sums_of(self, *cuts: Ints) -> list[BinSums]:
        """Sums over runs of blocks for several ways of cutting, in one pass over the blocks."""
        every = np.unique(np.concatenate(cuts)) if len(cuts) > 1 else cuts[0]
        ends = np.append(every[1:], len(self.score))[: len(every)]
        n, s = self.n, self.score

        def add(values: Floats) -> Floats:
            return np.add.reduceat(values, every) if len(every) else np.zeros(0)

        mass, pos, score = add(n), add(self.pos), add(n * s)
        if self.weighted:
            square = self.pos_sq + self.neg_sq
            total, null = add(square), add(square * s * (1 - s))
            residual = add(self.pos_sq * (1 - s) ** 2 + self.neg_sq * s * s)
        else:
            squares = add(n * s * s)
            total, null = mass, np.maximum(score - squares, 0)
            residual = np.maximum(pos - 2 * add(self.pos * s) + squares, 0)
        cohort = np.searchsorted(self.offsets, every, "right") - 1
        fine = BinSums(cohort, mass, pos, score, total, null, residual, s[every], s[ends - 1])
        return [fine if cut is every else fine.joined(np.searchsorted(every, cut)) for cut in cuts]

    def grouped(self, most: int | Ints) -> TieTable:
        """At most about `most` groups of neighbouring blocks per cohort, of about equal weight; few blocks stay."""
        sizes = np.diff(self.offsets)
        limit = np.broadcast_to(np.asarray(most, np.int64), sizes.shape)
        if (sizes <= limit).all():
            return self
        n = self.n
        share = np.cumsum(n)
        before = np.concatenate([[0.0], share])[self.offsets[:-1]]
        cohort = self.cohort
        total = np.where(self.total(n) > 0, self.total(n), 1)
        place = (share - 0.5 * n - before[cohort]) / total[cohort] * limit[cohort]
        cell = np.where((sizes <= limit)[cohort], np.arange(len(n)) - self.offsets[cohort], np.floor(place)).astype(
            np.int64
        )
        first = np.ones(len(n), bool)
        first[1:] = (cell[1:] != cell[:-1]) | (cohort[1:] != cohort[:-1])
        starts = np.flatnonzero(first)

        def add(values: Floats) -> Floats:
            return np.add.reduceat(values, starts)

        pos, neg = add(self.pos), add(self.neg)
        squares = (add(self.pos_sq), add(self.neg_sq)) if self.weighted else (pos, neg)
        weight = pos + neg
        score = np.where(weight > 0, add(n * self.score) / np.where(weight > 0, weight, 1), self.score[starts])
        offsets = np.searchsorted(starts, self.offsets).astype(np.int64)
        return TieTable(offsets, score, pos, neg, *squares, self.rows)  # groups serve curves, which need no clusters

    def pools(self) -> Ints:
        """First block of every pool of the isotonic regression of outcome on score, per cohort (CORP)."""
        if not len(self.score):
            return np.zeros(0, np.int64)
        n, cohort = self.n, self.cohort
        rate = self.pos / np.where(n > 0, n, 1)
        rises = np.ones(len(n), bool)
        rises[1:] = (rate[1:] > rate[:-1]) | (cohort[1:] != cohort[:-1])
        begins = np.flatnonzero(rises)  # what does not rise is one pool, and there are few rises
        pos, weight = np.add.reduceat(self.pos, begins), np.add.reduceat(n, begins)
        _, firsts = isotonic(
            pos / np.where(weight > 0, weight, 1), np.where(weight > 0, weight, 1e-300), cohort[begins]
        )
        starts = begins[firsts]
        pos, weight = np.add.reduceat(pos, firsts), np.add.reduceat(weight, firsts)
        value = pos / np.where(weight > 0, weight, 1)
        owner = cohort[starts]
        keep = np.ones(len(starts), bool)
        keep[1:] = (owner[1:] != owner[:-1]) | (value[1:] - value[:-1] > 1e-12)
        return starts[keep]


@dataclass(frozen=True)
class ClusterRows:
    """Rows of dependent clusters: the block, outcome and weight of each, and its cluster within its cohort."""

    block: Ints
    label: npt.NDArray[np.bool_]
    weight: Floats | None
    cluster: Ints
    cohort: Ints  # of every cluster

    @classmethod
    def of(cls, tally: ScoreTally, block: Ints) -> ClusterRows:
        """Of a score tally with clusters, and the block of every row."""
        assert tally.cluster is not None
        assert tally.label is not None
        size = int(tally.cluster.max(initial=0)) + 1
        owner = np.repeat(np.arange(tally.n_cohorts), np.diff(tally.offsets))
        names, cluster = np.unique(owner * size + tally.cluster, return_inverse=True)
        return cls(block, tally.label, tally.weight, cluster, names // size)

    def total(self, values: Floats) -> Floats:
        """Weighted sum of a number of every row over its cluster."""
        return np.asarray(
            np.bincount(self.cluster, values if self.weight is None else values * self.weight, len(self.cohort)), float
        )

    def worth(self, ties: TieTable) -> ClusterWorth:
        """What the clusters are worth, by the weight of their rows."""
        return worth_of(self.total(np.ones(len(self.block))), self.cohort, ties.n_cohorts)

    def scatter(self, ties: TieTable, pos: Floats, neg: Floats, x: Floats | None) -> list[Floats]:
        """See `TieTable.scatter`."""
        move = np.where(self.label, pos[self.block], neg[self.block])
        worth, n = self.worth(ties), ties.n_cohorts
        a = self.total(move) * worth.factor
        b = None if x is None else self.total(move * x[self.block]) * worth.factor
        products = [a * a] if b is None else [a * a, a * b, b * b]
        return [np.where(worth.df > 0, np.bincount(self.cohort, p, n), np.nan) for p in products]

    def line(self, p: Floats, x: Floats, usable: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Variances and degrees of freedom of a logistic line with the probabilities `p` of every block."""
        at, chance = x[self.block], p[self.block]
        residual, weight = self.label - chance, chance * (1 - chance)
        scores = np.stack([self.total(residual), self.total(residual * at)], axis=1)
        information = [self.total(weight * at**power) for power in (0, 1, 2)]
        matrix = np.stack([information[k] for k in (0, 1, 1, 2)], axis=1).reshape(-1, 2, 2)
        return line_sandwich(scores, matrix, self.cohort, usable)


@dataclass(frozen=True)
class BinSums:
    """Sums over bins of the score; all arrays have one entry per bin that holds rows.

    `n`, `pos`, `score`: weight, weight of the positives, weighted sum of scores; `square`: Σw²; `null`: Σw² s(1 − s),
    the variance of Σw(y − s) if the scores are calibrated; `residual`: Σw²(y − s)²; `low`, `high`: least and greatest
    score.
    """

    cohort: Ints
    n: Floats
    pos: Floats
    score: Floats
    square: Floats
    null: Floats
    residual: Floats
    low: Floats
    high: Floats

    def joined(self, starts: Ints) -> BinSums:
        """Neighbouring bins put together; `starts` holds the first of every new bin."""
        if not len(starts):
            return self
        last = np.append(starts[1:], len(self.n)) - 1
        added = (
            np.add.reduceat(x, starts) for x in (self.n, self.pos, self.score, self.square, self.null, self.residual)
        )
        return BinSums(self.cohort[starts], *added, self.low[starts], self.high[last])  # type: ignore[call-arg]

    @property
    def score_mean(self) -> Floats:
        """Mean score."""
        return self.score / self.n

    @property
    def observed(self) -> Floats:
        """Share of positives."""
        return self.pos / self.n

    @property
    def n_eff(self) -> Floats:
        """Effective rows, (Σw)² / Σw²."""
        return self.n**2 / self.square


def uniform_cuts(ties: TieTable, bins: int) -> Ints:
    """First block of every filled bin of equal width in [0, 1]; a score on an edge belongs to the bin below it."""
    return _cuts(ties, [uniform_edges(bins)] * ties.n_cohorts)


def uniform_edges(bins: int) -> Floats:
    """Inner edges of bins of equal width in [0, 1]."""
    return np.linspace(0, 1, bins + 1)[1:-1]


def quantile_cuts(ties: TieTable, bins: int) -> Ints:
    """First block of every filled bin of equal mass, cut at the quantiles of the scores of each cohort.

    Without weights the quantiles are numpy's (linear interpolation between rows), rounded as in scikit-learn's
    `calibration_curve`, because a row often lies on one; with weights they are those of the weighted distribution function.
    """
    share = np.linspace(0, 1, bins + 1)[1:-1] * 100 / 100
    n = ties.n
    edges = []
    for first, last in zip(ties.offsets[:-1], ties.offsets[1:], strict=True):
        if last == first:
            edges.append(np.zeros(0))
            continue
        scores, cumulated = ties.score[first:last], np.cumsum(n[first:last])
        if ties.weighted:
            edges.append(scores[np.minimum(np.searchsorted(cumulated, share * cumulated[-1]), last - first - 1)])
            continue
        at = share * (cumulated[-1] - 1)
        low, high = (
            scores[np.minimum(np.searchsorted(cumulated, k, "right"), last - first - 1)]
            for k in (np.floor(at), np.ceil(at))
        )
        part = at - np.floor(at)
        edges.append(np.where(part < 0.5, low + (high - low) * part, high - (high - low) * (1 - part)))
    return _cuts(ties, edges)


def _cuts(ties: TieTable, edges: list[Floats]) -> Ints:
    """First blocks of the bins (edge below, edge], per cohort."""
    found = []
    for first, last, cuts in zip(ties.offsets[:-1].tolist(), ties.offsets[1:].tolist(), edges, strict=True):
        if last > first:
            places = np.searchsorted(ties.score[first:last], cuts, "right")
            found.append(first + np.unique(np.concatenate([[0], places[places < last - first]])))
    return np.concatenate(found).astype(np.int64) if found else np.zeros(0, np.int64)


def _segments(values: Floats, offsets: Ints) -> Floats:
    out = np.zeros(len(offsets) - 1)
    filled = np.flatnonzero(np.diff(offsets))
    if len(filled):
        out[filled] = np.add.reduceat(values, offsets[:-1][filled])
    return out

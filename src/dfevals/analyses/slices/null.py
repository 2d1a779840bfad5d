"""How far slices differ by chance: standardised differences, and the distribution of the greatest of all of them.

A slice's statistic is its weighted sum of deviations from the mean of all rows, over the standard deviation it has when
numbers are dealt to rows by chance. That sum is skewed in small slices with rare errors, whose statistics would then
make the greatest of all; Wilson and Hilferty's (1931) cube root takes the skewness away, so that slices of all sizes are
measured alike. The family-wise p-value is Westfall and Young's (1993) step-down: numbers are dealt anew many times, and
each time the greatest statistic of all slices, from the last one up, is compared with what was seen.

Rows are dealt anew so that only their connection with the columns is lost: numbers of unweighted rows are permuted; of
weighted rows, the numbers of a population in which each row occurs by its weight; of dependent rows, whole clusters are
drawn, each among those that are at least as large, so that rows of one cluster stay together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.analyses.slices.family import Combo, Family
from dfevals.analyses.slices.losses import Losses

__all__ = ["Deal", "Members", "Null", "Statistics", "max_t", "statistics", "tails"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
GATHERED = 5e8  # numbers dealt, times the sorts of rows that they go through
MULTIPLIED = 1.5e11  # products with conditions
LARGEST = 20  # clusters of which the largest of all are drawn
HELD = 4_000_000  # statistics held at once
MOST_STATISTICS = 1e8
GROUPS, STEPS, FAR = 10, 50, 40  # slices by size; steps of a statistic, and the greatest that is told apart
TINY = 1e-4  # by which single precision may miss what was seen


@dataclass(frozen=True)
class Statistics:
    """Standardised differences of the slices, without their skewness, and the worth of their rows.

    `effect` is the variance of each slice's sum over that of independent rows.
    """

    z: Floats
    effect: Floats


@dataclass(frozen=True)
class Null:
    """Family-wise p-values, the statistic that chance exceeds at α, and how they were found."""

    p: Floats
    critical: float
    draws: int
    rows: int


def standardised(
    total: Any,
    mean: Any,
    second: Any,
    skewness: float,
    weight: Any,
    square: Any,
    whole: tuple[float, float],
    effect: Any,
) -> Any:
    """The statistic of sums; `whole` is Σw and Σw² of all rows, `second` the variance of a number."""
    share = weight / whole[0]
    spread = (1 - 2 * share) * square + share**2 * whole[1]
    worth = weight**2 / np.maximum(square * effect, 1e-30)
    bend = skewness * (1 - 2 * share) / np.sqrt(np.maximum(worth * (1 - share), 1e-30))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (total - mean * weight) / np.sqrt(second * spread * effect)
        bent = np.abs(bend) > 1e-3
        bend = np.where(bent, bend, 1.0).astype(np.asarray(t).dtype)
        return np.where(bent, (np.cbrt(1 + bend / 2 * t) - 1) * (6 / bend) + bend / 6, t)


def shape(losses: Losses, mean: float) -> tuple[float, float]:
    """Variance (with n − 1) and skewness of a number, rows weighted by their squared weights."""
    value = (losses.value if losses.counted is None else losses.value[losses.inside]) - mean
    square = value * value
    if losses.weight is None:
        n = float(len(value))
        second, third = float(square.mean()), float((square * value).mean())
    else:
        w = losses.weight[losses.inside]
        q = w if losses.frequency else w**2
        second, third = float((q * square).sum() / q.sum()), float((q * square * value).sum() / q.sum())
        n = float(w.sum() ** 2 / q.sum())
    return second * n / max(n - 1, 1), third / second**1.5 if second > 0 else 0.0


def statistics(family: Family, losses: Losses, members: Members | None = None, deal: Deal | None = None) -> Statistics:
    """The statistics of all slices as they are."""
    second, skewness = shape(losses, family.mean)
    effect = np.ones(len(family))
    if losses.cluster is not None and members is not None and deal is not None:
        effect = deal.effects(members)
    whole = (family.weight, family.square)
    z = standardised(
        family.of("total"), family.mean, second, skewness, family.of("weight"), family.of("square"), whole, effect
    )
    return Statistics(np.where(second > 0, z, 0.0) if second > 0 else np.zeros(len(family)), effect)


class Members:
    """Which rows lie in which slices, for sums of many columns at once.

    Rows are sorted by the codes of all columns of a table but the last; within a run of equal codes the sums of all
    conditions of all later columns are one product of matrices.
    """

    def __init__(self, family: Family, rows: Array) -> None:
        self.family, self.rows = family, rows
        self.codes = [f.codes[rows].astype(np.intp) for f in family.features]
        sizes = np.array([f.size for f in family.features])
        self.first = np.concatenate([[0], np.cumsum(sizes)])
        self.one_hot = np.zeros((len(rows), int(self.first[-1]) + 1), np.float32)
        self.one_hot[:, -1] = 1
        for start, codes in zip(self.first, self.codes, strict=False):
            self.one_hot[np.arange(len(rows)), start + codes] = 1
        self.plan = list(self._plan())

    def of(self, rows: Array) -> Members:
        """The same slices over other rows."""
        return Members(self.family, rows)

    def _plan(self) -> Iterator[tuple[Combo, dict[int, tuple[Array, Array]]]]:
        """For every prefix of columns and each of its codes: the slices, and the column of the product that holds each."""
        family = self.family
        entries: dict[Combo, dict[int, tuple[list[int], list[int]]]] = {}
        prefixes = {family.depth - 1 - 2 * i for i in range(family.depth) if family.depth - 1 - 2 * i >= 0}
        for position, place in enumerate(family.slices.tolist()):
            conditions = family.conditions(place)
            combo = tuple(f for f, _ in conditions)
            alone = len(combo) in prefixes
            head = conditions if alone else conditions[:-1]
            column = -1 if alone else int(self.first[conditions[-1][0]]) + conditions[-1][1]
            code = 0
            for feature, own in head:
                code = code * family.features[feature].size + own
            found = entries.setdefault(tuple(f for f, _ in head), {}).setdefault(code, ([], []))
            found[0].append(position)
            found[1].append(column)
        for combo, groups in entries.items():
            yield combo, {code: (np.array(at), np.array(columns)) for code, (at, columns) in groups.items()}

    def sums(self, columns: Singles) -> Singles:
        """Sums of each column over the rows of every slice, shape (slices, columns)."""
        out = np.empty((len(self.family), columns.shape[1]), np.float32)
        sorted_ = np.empty_like(columns)
        for combo, groups in self.plan:
            start = int(self.first[combo[-1] + 1]) if combo else 0
            if not combo:
                ends, values, hot = np.array([0, len(self.rows)]), columns, self.one_hot
            else:
                order, ends = self._order(combo)
                values = np.take(columns, order, axis=0, out=sorted_, mode="clip")  # without a copy of its own
                hot = self.one_hot[:, start:].take(order, axis=0)
            for code, (at, column) in groups.items():
                a, b = ends[code], ends[code + 1]
                product = hot[a:b].T @ values[a:b]
                out[at] = product[np.where(column < 0, -1, column - start)]
        return out

    def _order(self, combo: Combo) -> tuple[Array, Array]:
        """Rows sorted by the codes of some columns, and where each code begins."""
        joint, size = np.zeros(len(self.rows), np.intp), 1
        for f in combo:
            joint = joint * self.family.features[f].size + self.codes[f]
            size *= self.family.features[f].size
        small = joint.astype(np.int16) if size < 1 << 15 else joint  # a radix sort
        return np.argsort(small, kind="stable"), np.concatenate([[0], np.cumsum(np.bincount(joint, minlength=size))])


class Deal:
    """Numbers dealt to rows by chance; of many rows, to a sample of them (of whole clusters)."""

    def __init__(self, family: Family, losses: Losses, draws: int, rng: np.random.Generator) -> None:
        self.family, self.losses, self.rng = family, losses, rng
        self.draws = int(min(draws, max(MOST_STATISTICS // max(len(family), 1), 199)))
        self.rows = self._sample()
        self.whole = len(self.rows) == len(losses.inside)
        value = losses.value[self.rows]
        weight = None if losses.weight is None or losses.frequency else losses.weight[self.rows]
        self.weight = weight
        self.value = value
        if losses.cluster is not None:
            self._sort_clusters()

    def _sample(self) -> Array:
        """As many rows as can be dealt in a few seconds; a row that stands for several is dealt as several."""
        losses, family = self.losses, self.family
        sizes = [f.size for f in family.features]
        prefixes = list(combinations(range(len(sizes)), family.depth - 1))
        products = sum(sum(sizes[combo[-1] + 1 if combo else 0 :]) for combo in prefixes)
        most = int(max(min(GATHERED / len(prefixes), MULTIPLIED / max(products, 1)) / self.draws, 2000))
        rows = losses.inside
        if losses.cluster is not None:
            return self._whole_clusters(rows, most)
        if not losses.frequency or losses.weight is None:
            return rows if len(rows) <= most else np.sort(self.rng.choice(rows, most, replace=False))
        ends = np.cumsum(losses.weight[rows])
        total = int(ends[-1])
        if total <= most:
            return np.repeat(rows, losses.weight[rows].astype(np.intp))
        at = np.sort(self.rng.choice(total, most, replace=False))
        return rows[np.searchsorted(ends, at, "right")]

    def _whole_clusters(self, rows: Array, most: int) -> Array:
        cluster = self.losses.cluster
        assert cluster is not None
        rows = rows[np.argsort(cluster[rows], kind="stable")]
        if self.losses.frequency and self.losses.weight is not None:
            rows = np.repeat(rows, np.minimum(self.losses.weight[rows], most).astype(np.intp))
        if len(rows) <= most:
            return rows
        names, size = np.unique(cluster[rows], return_counts=True)
        order = self.rng.permutation(len(names))
        kept = np.zeros(int(names.max()) + 1, bool)
        kept[names[order[: max(int(np.searchsorted(np.cumsum(size[order]), most, "right")), LARGEST)]]] = True
        return rows[kept[cluster[rows]]]

    def _sort_clusters(self) -> None:
        """Rows by cluster, and for each cluster the clusters that are large enough to stand in for it."""
        assert self.losses.cluster is not None
        _, self.place, self.size = np.unique(self.losses.cluster[self.rows], return_inverse=True, return_counts=True)
        self.start = np.concatenate([[0], np.cumsum(self.size)[:-1]])
        self.larger = np.argsort(-self.size, kind="stable")
        descending = self.size[self.larger]
        self.eligible = np.maximum(np.searchsorted(-descending, -self.size, "right"), min(LARGEST, len(self.size)))
        self.within = np.arange(len(self.rows)) - self.start[self.place]

    def effects(self, members: Members) -> Floats:
        """Variance of each slice's sum over that of independent rows, from the correlation within clusters."""
        w = np.ones(len(self.rows)) if self.weight is None else self.weight
        mean = np.average(self.value, weights=w)
        deviation = w * (self.value - mean)
        second = float((deviation**2).sum() / (w**2).sum())
        sums, sizes = (np.asarray(np.bincount(self.place, x), float) for x in (deviation, w))
        pairs = float((sizes**2).sum() - (w**2).sum())
        alike = ((sums**2).sum() - (deviation**2).sum()) / (second * pairs) if pairs > 0 and second > 0 else 0.0
        between = self._between(members, w, sizes)
        alone = members.sums(np.stack([w, w**2], axis=1).astype(np.float32)).astype(float)
        share = alone[:, 0] / w.sum()
        own = (1 - 2 * share) * alone[:, 1] + share**2 * (w**2).sum()
        return np.maximum(1 + np.clip(alike, 0, 1) * (between - own) / np.maximum(own, 1e-30), 1.0)

    def _between(self, members: Members, w: Floats, sizes: Floats) -> Floats:
        """Σ over clusters of (Σ of weights in the slice − its share of the cluster)²."""
        total, share = np.zeros(len(self.family)), members.sums(w[:, None].astype(np.float32))[:, 0] / w.sum()
        width = max(min(256, HELD // max(len(self.family), 1)), 1)
        for first in range(0, len(sizes), width):
            inside = np.flatnonzero((self.place >= first) & (self.place < first + width))
            columns = np.zeros((len(inside), min(width, len(sizes) - first)), np.float32)
            columns[np.arange(len(inside)), self.place[inside] - first] = w[inside]
            found = members.of(self.rows[inside]).sums(columns)
            total += ((found - share[:, None] * sizes[first : first + width]) ** 2).sum(axis=1)
        return total

    def next(self, width: int) -> Singles:
        """Numbers of every row in so many deals, shape (rows, width)."""
        if self.losses.cluster is not None:
            return self._clusters(width)
        pool = self.value if self.weight is None else self._population()
        dealt = np.tile(pool.astype(np.float32), (width, 1))
        self.rng.permuted(dealt, axis=1, out=dealt)
        return np.ascontiguousarray(dealt.T)

    def _population(self) -> Floats:
        """As many numbers in which every row occurs by its weight, by systematic sampling."""
        assert self.weight is not None
        ends = np.cumsum(self.weight)
        n = len(ends)
        at = (np.arange(n) + self.rng.random()) * (ends[-1] / n)
        return self.value[np.minimum(np.searchsorted(ends, at, "right"), n - 1)]

    def _clusters(self, width: int) -> Singles:
        """Every cluster gets the numbers of one that is at least as large, as many of them as it has rows."""
        shuffled = self.value[np.lexsort((self.rng.random(len(self.rows)), self.place))].astype(np.float32)
        out = np.empty((len(self.rows), width), np.float32)
        for j in range(width):
            source = self.larger[(self.rng.random(len(self.size)) * self.eligible).astype(np.intp)]
            turn = (self.rng.random(len(self.size)) * self.size[source]).astype(np.intp)
            source, turn = source[self.place], turn[self.place]
            out[:, j] = shuffled[self.start[source] + (turn + self.within) % self.size[source]]
        return out


def max_t(
    family: Family, losses: Losses, z: Floats, members: Members, deal: Deal, effect: Floats, alpha: float
) -> Null:
    """Step-down family-wise p-values of the slices' statistics."""
    order = np.argsort(-np.abs(z), kind="stable")
    seen = np.abs(z)[order]
    exceeded, greatest = np.zeros(len(family)), []
    for dealt in _dealt(family, losses, members, deal, effect):
        found = dealt[order][::-1]
        np.maximum.accumulate(found, axis=0, out=found)
        exceeded += (found[::-1] >= (seen - TINY)[:, None]).sum(axis=1)
        greatest.append(found[-1])
    p = np.empty(len(family))
    p[order] = np.maximum.accumulate((exceeded + 1) / (deal.draws + 1))
    return Null(p, float(np.quantile(np.concatenate(greatest), 1 - alpha)), deal.draws, len(deal.rows))


def tails(family: Family, losses: Losses, z: Floats, members: Members, deal: Deal, effect: Floats) -> Floats:
    """p-value of every slice alone, from what slices of about its size have when rows are dealt by chance.

    Losses with long tails are not normal in small slices, also where their skewness is taken away.
    """
    size = np.argsort(np.argsort(family.of("support"), kind="stable"), kind="stable") * GROUPS // len(family)
    top = int(STEPS * FAR)
    counts = np.zeros((GROUPS, top + 1))
    for dealt in _dealt(family, losses, members, deal, effect):
        step = np.minimum(dealt * STEPS, top).astype(np.intp) + (size * (top + 1))[:, None]
        counts += np.bincount(step.reshape(-1), minlength=counts.size).reshape(counts.shape)
    beyond = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    place = np.minimum(np.abs(z) * STEPS, top).astype(np.intp)
    return np.asarray(np.minimum((beyond[size, place] + 1) / (beyond[size, 0] + 1), 1))


def _dealt(family: Family, losses: Losses, members: Members, deal: Deal, effect: Floats) -> Iterator[Singles]:
    """Absolute statistics of all slices, shape (slices, deals), some deals at a time."""
    w = np.ones(len(deal.rows)) if deal.weight is None else deal.weight
    q = w**2
    weight, square = members.sums(np.stack([w, q], axis=1).astype(np.float32)).T
    whole = (float(w.sum()), float(q.sum()))
    skewness = shape(losses, family.mean)[1]
    width = int(np.clip(HELD // max(len(family), 3 * len(deal.rows), 1), 64, deal.draws))  # stays in the cache
    for first in range(0, deal.draws, width):
        dealt = deal.next(min(width, deal.draws - first))
        weighted = dealt * w[:, None].astype(np.float32) if deal.weight is not None else dealt
        mean = weighted.sum(axis=0) / np.float32(whole[0])
        second = (q[:, None].astype(np.float32) * (dealt - mean) ** 2).sum(axis=0) / np.float32(whole[1])
        found = _z(members.sums(weighted), mean, second, skewness, weight, square, whole, effect)
        yield np.abs(found, out=found)


def _z(
    total: Singles,
    mean: Singles,
    second: Singles,
    skewness: float,
    weight: Any,
    square: Any,
    whole: Any,
    effect: Floats,
) -> Singles:
    """Statistics of all deals in single precision."""
    weight, square, effect = (np.asarray(x, float)[:, None] for x in (weight, square, effect))
    share = weight / whole[0]
    spread = np.sqrt(((1 - 2 * share) * square + share**2 * whole[1]) * effect)
    worth = weight**2 / np.maximum(square * effect, 1e-30)
    bend = skewness * (1 - 2 * share) / np.sqrt(np.maximum(worth * (1 - share), 1e-30))
    bend = np.where(np.abs(bend) > 1e-3, bend, 1e-3)
    n = whole[0] ** 2 / whole[1]
    scale = np.sqrt(np.maximum(second * (n / max(n - 1, 1)), 1e-30)).astype(np.float32)
    total -= mean * weight.astype(np.float32)
    total /= scale
    total *= (bend / 2 / spread).astype(np.float32)
    total += np.float32(1)
    np.cbrt(total, out=total)
    total -= np.float32(1)
    total *= (6 / bend).astype(np.float32)
    total += (bend / 6).astype(np.float32)
    return total

"""Step functions of a score, read from its sorted tally: what lies below a threshold, and the points of the curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.tally import ScoreTally
from dfevals.tally.scores import pack

__all__ = ["LIMIT", "Steps", "Sums", "depth_sums", "rows_below", "steps", "sums_below"]

Floats = npt.NDArray[np.float64]
ROUNDING = 1e-12  # of a total: less than this is none
Ints = npt.NDArray[np.int64]
#: Points of a curve at most.
LIMIT = 2000
_LOGARITHMIC = 150  # of them at either end, where rare rows matter


@dataclass(frozen=True)
class Sums:
    """Weight of the positives and negatives (and their squared weights) at some places; arrays of one shape."""

    pos: Floats
    neg: Floats
    pos_sq: Floats
    neg_sq: Floats


def rows_below(tally: ScoreTally, thresholds: Floats) -> Ints:
    """Place in the tally of the first row of each cohort that scores at least the threshold.

    Parameters
    ----------
    tally : ScoreTally
    thresholds : array, shape (thresholds,)
        Ascending; infinite ones are fine.

    Returns
    -------
    array of int, shape (cohorts, thresholds)
        Rows start … place − 1 of the cohort lie below the threshold.
    """
    bounds = tally.offsets.tolist()
    out = np.empty((tally.n_cohorts, len(thresholds)), np.int64)
    values: Floats | Ints
    needles: Floats | Ints
    if tally.keys is not None:
        values, needles = tally.keys, _as_keys(thresholds)
    else:
        assert tally.score is not None
        values, needles = tally.score, thresholds
    for cohort, (start, stop) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
        out[cohort] = np.searchsorted(values[start:stop], needles, "left")
        out[cohort] += start
    return out


def _as_keys(thresholds: Floats) -> Ints:
    """Least packed row that scores at least the threshold."""
    low, high = thresholds < 0, thresholds >= 2
    keys = pack(np.where(low | high, 0.0, thresholds), np.zeros(len(thresholds), np.int64))
    keys[high] = np.iinfo(np.int64).max
    return keys


def sums_below(tally: ScoreTally, places: Ints) -> Sums:
    """Weights in each cohort below the given places.

    Parameters
    ----------
    tally : ScoreTally
    places : array of int, shape (cohorts, k)
        Places in the tally, within the cohort's segment; ascending along the second axis.
    """
    flat = np.concatenate([[0], np.column_stack([tally.offsets[:-1], places]).ravel()])
    shape = (tally.n_cohorts, places.shape[1] + 1)

    def below(values: npt.NDArray[Any]) -> Floats:
        total = np.cumsum(_between(values, flat)).reshape(shape)
        return np.asarray(total[:, 1:] - total[:, :1], float)

    label = tally._labels()
    if tally.weight is None:
        pos = below(label.view(np.uint8))
        neg = (places - tally.offsets[:-1, None]) - pos
        return Sums(pos, neg, pos, neg)
    weight = tally.weight
    pos, neg = (below(weight * side) for side in (label, ~label))
    if tally.frequency:
        return Sums(pos, neg, pos, neg)
    square = weight * weight
    return Sums(pos, neg, *(below(square * side) for side in (label, ~label)))


def _between(values: npt.NDArray[Any], edges: Ints, piece: int = 1 << 20) -> npt.NDArray[Any]:
    """Sums of the values between neighbouring edges, which never fall; a piece at a time, so that casts stay small."""
    kind = np.int64 if values.dtype.kind in "bui" else np.float64
    out = np.zeros(len(edges) - 1, kind)
    for start in range(0, len(values), piece):
        stop = min(start + piece, len(values))
        first, last = (int(np.searchsorted(edges, at, "left")) for at in (start, stop))
        inside = edges[first:last] - start
        if first and (first == last or inside[0] > 0):  # the piece begins between two edges
            inside = np.concatenate([[0], inside])
            first -= 1
        if not len(inside):
            continue
        found = np.add.reduceat(values[start:stop], inside, dtype=kind)
        found[:-1][inside[1:] == inside[:-1]] = 0
        found = found[: len(out) - first]  # nothing counts beyond the last edge
        out[first : first + len(found)] += found
    return out


def depth_sums(tally: ScoreTally, depth: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Positives and negatives among the highest-scored share of each cohort; a tie that is cut is split in proportion.

    Parameters
    ----------
    tally : ScoreTally
    depth : array, shape (k,)
        Shares of the cohort's weight, ascending, in [0, 1].

    Returns
    -------
    pos, neg : arrays, shape (cohorts, k)
        Weight above the cut.
    inner, outer : arrays, shape (cohorts, k)
        Score of the last row above the cut and of the first row below it; NaN where there is none.
    """
    n = np.diff(tally.offsets)
    pos_all, neg_all = (side[:, None] for side in tally.totals()[:2])
    total = (pos_all + neg_all)[:, 0]
    left = np.clip(total[:, None] * (1 - depth), 0, total[:, None])  # weight below the cut
    if tally.weight is None:
        left = np.maximum(total[:, None] - n[:, None] * depth, 0)
        nearest = np.rint(left)
        left = np.where(np.abs(left - nearest) < 1e-9 * np.maximum(n[:, None], 1), nearest, left)
        above, below = np.floor(left).astype(np.int64), np.ceil(left).astype(np.int64) - 1
    else:
        above, below = _places_of_weight(tally, left)
    last = np.maximum(n[:, None] - 1, 0)
    has_above, has_below = above < n[:, None], below >= 0
    start = tally.offsets[:-1, None]
    at_above = start + np.clip(above, 0, last)
    at_below = start + np.clip(below, 0, last)
    if not len(tally._labels()):
        nothing = np.full((tally.n_cohorts, len(depth)), np.nan)
        return np.zeros_like(nothing), np.zeros_like(nothing), nothing, nothing
    inner = np.where(has_above, _score(tally, at_above), np.nan)
    outer = np.where(has_below, _score(tally, at_below), np.nan)
    first, stop = _ties(tally, at_above)
    edges = np.concatenate([first, stop], axis=1)
    order = np.argsort(edges, axis=1, kind="stable")
    sums, back = sums_below(tally, np.take_along_axis(edges, order, 1)), np.argsort(order, axis=1, kind="stable")
    sides = []
    for whole, below_edges in ((pos_all, sums.pos), (neg_all, sums.neg)):
        below_edges = np.take_along_axis(below_edges, back, 1)
        sides.append((whole, below_edges[:, : len(depth)], below_edges[:, len(depth) :]))
    low = sides[0][1] + sides[1][1]
    size = sides[0][2] + sides[1][2] - low
    share = np.divide(left - low, size, out=np.zeros_like(left), where=size > 0)
    share = np.clip(share, 0, 1)
    pos, neg = (whole - (below_tie + share * (with_tie - below_tie)) for whole, below_tie, with_tie in sides)
    pos, neg = np.where(has_above, pos, 0.0), np.where(has_above, neg, 0.0)
    return pos, neg, inner, outer


def _places_of_weight(tally: ScoreTally, left: Floats) -> tuple[Ints, Ints]:
    """First row above and last row below a cut that leaves so much weight below it, counted in the cohort."""
    assert tally.weight is not None
    above, below = np.zeros(left.shape, np.int64), np.zeros(left.shape, np.int64)
    for cohort in range(tally.n_cohorts):
        heavy = np.cumsum(tally.weight[tally.offsets[cohort] : tally.offsets[cohort + 1]])
        slack = 1e-12 * (heavy[-1] if len(heavy) else 0)
        above[cohort] = np.searchsorted(heavy, left[cohort] + slack, "right")
        below[cohort] = np.searchsorted(heavy, left[cohort] - slack, "left")
        below[cohort] = np.where(left[cohort] <= slack, -1, np.minimum(below[cohort], len(heavy) - 1))
    return above, below


def _score(tally: ScoreTally, at: Ints) -> Floats:
    """Score of the rows at some places; a last cohort without rows points past the last row, and its answer is unused."""
    at = np.minimum(at, len(tally._labels()) - 1)
    if tally.keys is not None:
        return (tally.keys[at] >> 1).view(np.float64)
    assert tally.score is not None
    return tally.score[at]


def _ties(tally: ScoreTally, at: Ints) -> tuple[Ints, Ints]:
    """First row and one past the last row of the tie block that holds each place."""
    first, stop = np.empty_like(at), np.empty_like(at)
    for cohort in range(tally.n_cohorts):
        a, b = int(tally.offsets[cohort]), int(tally.offsets[cohort + 1])
        if a == b:
            first[cohort] = stop[cohort] = a
            continue
        if tally.keys is not None:
            values, mine = tally.keys[a:b], tally.keys[at[cohort]]
            low, high = mine & ~np.int64(1), mine | np.int64(1)
        else:
            assert tally.score is not None
            values = tally.score[a:b]  # type: ignore[assignment]
            low = high = values[at[cohort] - a]
        first[cohort] = a + np.searchsorted(values, low, "left")
        stop[cohort] = a + np.searchsorted(values, high, "right")
    return first, stop


@dataclass(frozen=True)
class Steps:
    """Points of a score's curves, by descending threshold within each cohort; the first is +∞ (nothing selected).

    Attributes
    ----------
    cohort, threshold, tp, fp : arrays, shape (points,)
        Cohort of the point, and weight of the positives and negatives that score at least the threshold.
    starts : array of int, shape (cohorts + 1,)
        Where the points of each cohort begin.
    total : Sums
        Of whole cohorts, shape (cohorts,); squared weights are times the design effect of their class.
    distinct : array of int, shape (cohorts,)
        Distinct scores; more than there are points where the curve was thinned.
    """

    cohort: Ints
    threshold: Floats
    tp: Floats
    fp: Floats
    starts: Ints
    total: Sums
    distinct: Ints

    @property
    def pos(self) -> Floats:
        """Weight of all positives of the point's cohort."""
        return self.total.pos[self.cohort]

    @property
    def neg(self) -> Floats:
        """Weight of all negatives of the point's cohort."""
        return self.total.neg[self.cohort]

    @property
    def thinned(self) -> npt.NDArray[np.bool_]:
        """Whether a cohort's curve has fewer points than distinct scores."""
        return np.diff(self.starts) - 1 < self.distinct

    def of(self, cohort: int) -> slice:
        """Points of one cohort."""
        return slice(int(self.starts[cohort]), int(self.starts[cohort + 1]))


def _above(whole: Any, below: Floats) -> Floats:
    """What is left of a total; sums of weights leave rounding where nothing is."""
    left = whole - below
    return np.where(left > ROUNDING * whole, left, 0.0)


def steps(tally: ScoreTally, limit: int = LIMIT) -> Steps:
    """Points of the curves: every distinct score, or at most `limit` of them.

    Every point is exact. Where points are left out, those stay at which the cumulated positives or the cumulated
    negatives pass a multiple of 1/800 of their class, and more at both ends, on a logarithmic grid of ranks.
    """
    pos, neg, pos_sq, neg_sq, _, _ = tally.totals()
    design = tally.designs()
    total = Sums(pos, neg, pos_sq * design.pos, neg_sq * design.neg)
    distinct = _distinct(tally)
    thin = distinct > limit - 1
    shares = (limit - 2 * _LOGARITHMIC - 20) // 2 if limit >= 1000 else (limit - 20) // 2
    ends = _LOGARITHMIC if limit >= 1000 else 0
    found: list[tuple[Ints, Floats, Floats, Floats]] = []
    for piece in tally.blocks():
        c = piece.cohort
        keep = ~thin[c]
        if not keep.all():
            after_pos, after_neg = piece.pos_below + piece.pos, piece.neg_below + piece.neg
            for all_, below, after in ((pos, piece.pos_below, after_pos), (neg, piece.neg_below, after_neg)):
                scale = np.divide(shares, all_, out=np.zeros_like(all_), where=all_ > 0)[c]
                keep |= np.floor(below * scale) != np.floor(after * scale)
            if ends:
                every = pos[c] + neg[c]
                under, upto = piece.pos_below + piece.neg_below, after_pos + after_neg
                rate = ends / np.log1p(every)
                for near, far in ((under, upto), (every - upto, every - under)):
                    keep |= np.floor(rate * np.log1p(np.maximum(near, 0))) != np.floor(rate * np.log1p(far))
            keep |= piece.pos_below + piece.neg_below == 0
        if not keep.all():
            c = c[keep]
        found.append(
            (c, piece.score[keep], _above(pos[c], piece.pos_below[keep]), _above(neg[c], piece.neg_below[keep]))
        )
    columns: list[npt.NDArray[np.generic]]
    columns = [np.concatenate(part) for part in zip(*found, strict=True)] if found else [np.zeros(0)] * 4
    return _descending(columns, tally.n_cohorts, total, distinct)


def _descending(columns: list[npt.NDArray[np.generic]], n: int, total: Sums, distinct: Ints) -> Steps:
    """Points turned round within each cohort, with the point of nothing selected before them."""
    cohort, score, tp, fp = columns
    size = np.bincount(cohort.astype(np.int64), minlength=n) + 1
    starts = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    place = np.repeat(np.arange(n), size)
    inside = np.arange(starts[-1]) - starts[place]
    ascending = starts[1:][place] - place - 1 - inside  # of the point before the added ones
    first = inside == 0
    source = np.where(first, 0, ascending)

    def turned(values: npt.NDArray[np.generic], fill: float) -> Floats:
        taken = values[source].astype(float) if len(values) else np.zeros(len(source))
        return np.where(first, fill, taken)

    return Steps(place, turned(score, np.inf), turned(tp, 0.0), turned(fp, 0.0), starts, total, distinct)


def _distinct(tally: ScoreTally, piece: int = 1 << 20) -> Ints:
    """Distinct scores of every cohort."""
    rows = int(tally.offsets[-1])
    new = np.ones(rows, bool)
    for start in range(1, rows, piece):
        part = slice(start - 1, min(start + piece, rows))
        if tally.keys is not None:
            bits = tally.keys[part] >> 1
        else:
            assert tally.score is not None
            bits = tally.score[part]  # type: ignore[assignment]
        np.not_equal(bits[1:], bits[:-1], out=new[start : part.stop])
    filled = np.diff(tally.offsets) > 0
    new[tally.offsets[:-1][filled]] = True
    return tally._sums_of(new).astype(np.int64)

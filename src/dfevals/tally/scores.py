"""Sorted scores per cohort: the tally behind ROC AUC, average precision, KS, curves and thresholds.

A segment holds the rows of one cohort sorted by score. Without weights and with scores in [0, 2) a row is one
integer, `(bits of the float64 score << 1) | label`, which sorts like the score; otherwise score, label and weight
are columns. Sums over tie blocks (rows of equal score) are all that the ranking metrics need.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dfevals.inference.clusters import varying, worth_of
from dfevals.tally.designs import DesignEffects, design_effects

__all__ = ["RankSums", "ScoreTally", "TieBlocks", "group_order"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
PIECE = 1 << 16  # rows walked at a time: temporaries stay in the cache


@dataclass(frozen=True)
class TieBlocks:
    """Tie blocks of a piece of the walk, ascending by score within each cohort.

    All arrays have one entry per block: cohort index, score, weight of the positives and negatives in the block,
    and their sums below the block in the cohort; squared-weight sums where rows are weighted.
    """

    cohort: Ints
    score: Floats
    pos: Floats
    neg: Floats
    pos_below: Floats
    neg_below: Floats
    pos_sq: Floats
    neg_sq: Floats


@dataclass
class RankSums:
    """Sums over the tie blocks of every cohort, each of shape (cohorts,).

    `pos`, `neg`: weight of each class; `pos_sq`, `neg_sq`: sums of squared weights (equal to the former
    without weights); `n_pos`, `n_neg`: rows. `concordant`, `tied`: weight of pairs ordered rightly, tied.
    `place_pos`, `place_neg`: sums over the rows of a class of squared weight times squared placement value (the
    weight of the other class on the wrong side, ties half), for DeLong's variance; `place_pos_1`, `place_neg_1` the
    same with the placement value itself.
    `precision`: sum of precision over the positives (average precision times `pos`). Average precision moves by
    (own precision + `slope_pos` below or at it − average precision) / `pos` with a positive row, and by −(`slope_neg`
    below or at it) / `pos` with a negative row; `ap_pos_1`, `ap_pos` and `ap_neg` are sums over the rows of squared
    weight times these moves and their squares, for its variance.
    `ks`: greatest distance of the two score distributions; `ks_score`: the score where it is reached; `ks_pos`,
    `ks_neg`: the share of each class up to there.
    """

    pos: Floats
    neg: Floats
    pos_sq: Floats
    neg_sq: Floats
    n_pos: Floats
    n_neg: Floats
    concordant: Floats
    tied: Floats
    place_pos: Floats
    place_neg: Floats
    precision: Floats
    slope_pos: Floats
    slope_neg: Floats
    ap_pos_1: Floats
    ap_pos: Floats
    ap_neg: Floats
    place_pos_1: Floats
    place_neg_1: Floats
    ks: Floats
    ks_score: Floats
    ks_pos: Floats
    ks_neg: Floats
    clustered: Floats | None = None  # cluster-robust variance of the AUC
    clustered_ap: Floats | None = None  # cluster-robust variance of average precision
    n_clusters: Floats | None = None  # effective number of clusters (see `worth_of`) of the AUC
    n_clusters_ap: Floats | None = None  # and of average precision
    notes: tuple[str, ...] = ()


@dataclass
class ScoreTally:
    """Rows of one model's score, grouped by cohort and sorted by score within the cohort."""

    offsets: Ints  # (cohorts + 1,)
    keys: Ints | None = None  # packed rows, or the columns below
    score: Floats | None = None
    label: npt.NDArray[np.bool_] | None = None
    weight: Floats | None = None
    cluster: npt.NDArray[np.int32] | None = None
    cluster_labels: npt.NDArray[Any] | None = None  # identity of each cluster, for merging
    frequency: bool = False  # a weight is a number of equal rows
    _sums: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def n_cohorts(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def collect(
        cls,
        codes: npt.NDArray[Any],
        n_cohorts: int,
        score: Floats,
        label: npt.NDArray[np.bool_],
        weight: Floats | None = None,
        cluster: npt.NDArray[np.int32] | None = None,
        cluster_labels: npt.NDArray[Any] | None = None,
        frequency: bool = False,
    ) -> ScoreTally:
        """Group and sort rows (arrays of equal length; no missing values)."""
        if weight is None and cluster is None and packable(score):
            return cls.of_keys(codes, n_cohorts, pack(score, label))
        offsets = np.zeros(n_cohorts + 1, np.int64)
        np.cumsum(np.bincount(codes, minlength=n_cohorts), out=offsets[1:])
        order = group_order(codes, n_cohorts)
        columns = [None if array is None else array[order] for array in (score, label, weight, cluster)]
        tally = cls(offsets, None, *columns, cluster_labels=cluster_labels, frequency=frequency)  # type: ignore[misc, arg-type]
        tally.sort()
        return tally

    @classmethod
    def of_keys(cls, codes: npt.NDArray[Any], n_cohorts: int, keys: Ints) -> ScoreTally:
        """Group and sort packed rows; takes over `keys`."""
        offsets = np.zeros(n_cohorts + 1, np.int64)
        sizes = np.bincount(codes, minlength=n_cohorts) if n_cohorts > 1 else [len(codes)]
        np.cumsum(sizes, out=offsets[1:])
        tally = cls(offsets, keys=_grouped(codes, offsets, keys))
        tally.sort()
        return tally

    def sort(self, kind: Literal["quicksort", "stable"] = "quicksort") -> None:
        """Sort every segment by score, in place ("stable" is quicker on segments made of long sorted runs)."""
        bounds = self.offsets.tolist()
        if self.keys is not None:
            keys = self.keys
            for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
                if stop - start > 1:
                    keys[start:stop].sort(kind=kind)
            return
        assert self.score is not None
        columns = [array for array in (self.score, self.label, self.weight, self.cluster) if array is not None]
        for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
            if stop - start > 1:
                order = np.argsort(self.score[start:stop], kind="stable")
                for array in columns:
                    array[start:stop] = array[start:stop][order]

    def unpacked(self) -> ScoreTally:
        """The same rows with score and label as columns."""
        if self.keys is None:
            return self
        return ScoreTally(self.offsets, None, (self.keys >> 1).view(np.float64), (self.keys & 1).astype(bool))

    def regroup(self, cohort_of: Ints, n_cohorts: int) -> ScoreTally:
        """Rows of other, disjoint cohorts: segment i goes to cohort `cohort_of[i]`, or nowhere if negative."""
        counts = np.diff(self.offsets)
        wanted = cohort_of >= 0
        new = np.zeros(n_cohorts + 1, np.int64)
        np.cumsum(np.bincount(cohort_of[wanted], weights=counts[wanted], minlength=n_cohorts), out=new[1:])
        if n_cohorts == 1 and wanted.all():
            pieces = [slice(None)]
        else:
            order = np.argsort(cohort_of, kind="stable")
            pieces = [slice(self.offsets[i], self.offsets[i + 1]) for i in order[np.sum(~wanted) :]]
        parts: list[Any] = []
        for array in (self.keys, self.score, self.label, self.weight, self.cluster):
            if array is None:
                parts.append(None)
            elif len(pieces) == 1:
                parts.append(array[pieces[0]].copy())
            else:
                parts.append(np.concatenate([array[piece] for piece in pieces] or [array[:0]]))
        merged = ScoreTally(new, *parts, cluster_labels=self.cluster_labels, frequency=self.frequency)  # type: ignore[misc]
        merged.sort("stable" if len(counts) * 64 < self.offsets[-1] else "quicksort")
        return merged

    def merge(self, other: ScoreTally, place: Ints, place_other: Ints, n_cohorts: int) -> ScoreTally:
        """Rows of both; `place[i]` is where segment i of self goes."""
        a, b = self, other
        if a.offsets[-1] == 0 or b.offsets[-1] == 0:  # no rows on one side: the other's form stays
            filled, at = (b, place_other) if a.offsets[-1] == 0 else (a, place)
            return filled.regroup(at, n_cohorts)
        if (a.keys is None) != (b.keys is None):
            a, b = a.unpacked(), b.unpacked()
        if (a.weight is None) != (b.weight is None):
            a, b = a._with_weight(), b._with_weight()
        offsets = np.concatenate([a.offsets[:-1], b.offsets + a.offsets[-1]])
        joined: list[Any] = []
        for name in ("keys", "score", "label", "weight", "cluster"):
            left, right = getattr(a, name), getattr(b, name)
            joined.append(None if left is None or right is None else np.concatenate([left, right]))
        labels = None
        if a.cluster_labels is not None and b.cluster_labels is not None and joined[-1] is not None:
            labels, code = np.unique(np.concatenate([a.cluster_labels, b.cluster_labels]), return_inverse=True)
            joined[-1] = code[joined[-1] + np.repeat([0, len(a.cluster_labels)], [a.offsets[-1], b.offsets[-1]])]
        both = ScoreTally(offsets, *joined, cluster_labels=labels, frequency=a.frequency or b.frequency)  # type: ignore[misc]
        return both.regroup(np.concatenate([place, place_other]), n_cohorts)

    def _with_weight(self) -> ScoreTally:
        if self.weight is not None:
            return self
        assert self.score is not None
        return ScoreTally(
            self.offsets, None, self.score, self.label, np.ones(len(self.score)), self.cluster, self.cluster_labels
        )

    def rank_sums(self) -> RankSums:
        """Sums over the tie blocks of every cohort (cached)."""
        if "all" not in self._sums:
            self._sums["all"] = self._clustered(_rank_sums(self))
        return self._sums["all"]

    def blocks(self) -> Iterator[TieBlocks]:
        """Walk all segments, ascending by score, in pieces that never cut a tie block."""
        yield from _walk(self)

    def totals(self) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
        """Weight, squared weight and rows of positives and negatives per cohort (cached)."""
        if "totals" not in self._sums:
            self._sums["totals"] = self._totals()
        found: tuple[Floats, Floats, Floats, Floats, Floats, Floats] = self._sums["totals"]
        return found

    def designs(self) -> DesignEffects:
        """Design effects of every cohort (cached)."""
        if "designs" not in self._sums:
            self._sums["designs"] = design_effects(self)
        found: DesignEffects = self._sums["designs"]
        return found

    def effective_square(self) -> Floats:
        """Squared weights of every cohort times its greatest design effect: (Σw)² over it are the rows they are worth."""
        _, _, pos_sq, neg_sq, _, _ = self.totals()
        return np.asarray((pos_sq + neg_sq) * self.designs().greatest)

    def _totals(self) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
        n = np.diff(self.offsets).astype(float)
        label = self._labels()
        n_pos = self._sums_of(label)
        if self.weight is None:
            return n_pos, n - n_pos, n_pos, n - n_pos, n_pos, n - n_pos
        if self.frequency:
            pos, neg = (self._sums_of(self.weight * side) for side in (label, ~label))
            return pos, neg, pos, neg, pos, neg
        w, w2 = self.weight, self.weight * self.weight
        sums = [self._sums_of(x * side) for x in (w, w2) for side in (label, ~label)]
        return sums[0], sums[1], sums[2], sums[3], n_pos, n - n_pos

    def _sums_of(self, values: npt.NDArray[Any]) -> Floats:
        """Sum of a column over every cohort."""
        out = np.zeros(self.n_cohorts)
        filled = np.flatnonzero(np.diff(self.offsets))
        if values.dtype == bool and len(filled) < 1000:  # reduceat casts the whole column first
            bounds = self.offsets.tolist()
            out[filled] = [np.count_nonzero(values[bounds[i] : bounds[i + 1]]) for i in filled]
        elif len(filled):
            kind = np.int64 if values.dtype.kind in "bi" else np.float64
            out[filled] = np.add.reduceat(values, self.offsets[:-1][filled], dtype=kind)
        return out

    def _labels(self) -> npt.NDArray[np.bool_]:
        if self.keys is not None:
            low = 0 if sys.byteorder == "little" else 7
            return (self.keys.view(np.uint8)[low::8] & 1).view(bool)
        assert self.label is not None
        return self.label

    def _clustered(self, sums: RankSums) -> RankSums:
        """Add the cluster-robust variance of the AUC (Obuchowski 1997): placements summed within clusters."""
        if self.cluster is None:
            return sums
        assert self.score is not None
        assert self.label is not None
        variance, clusters, variance_ap, clusters_ap = (np.full(self.n_cohorts, np.nan) for _ in range(4))
        for i in range(self.n_cohorts):
            rows = slice(self.offsets[i], self.offsets[i + 1])
            label, weight = self.label[rows], np.ones(1) if self.weight is None else self.weight[rows]
            score = self.score[rows]
            w = np.broadcast_to(weight, label.shape).astype(float)
            total_pos, total_neg = (w * label).sum(), (w * ~label).sum()
            ids, inverse = np.unique(self.cluster[rows], return_inverse=True)
            clusters[i] = clusters_ap[i] = len(ids)
            if total_pos == 0 or total_neg == 0 or len(ids) < 2:
                continue
            first = np.searchsorted(score, score, "left")
            last = np.searchsorted(score, score, "right")
            cum_pos, cum_neg = (np.concatenate([[0.0], np.cumsum(w * side)]) for side in (label, ~label))
            below_neg = (cum_neg[first] + cum_neg[last]) / 2 / total_neg
            above_pos = 1 - (cum_pos[first] + cum_pos[last]) / 2 / total_pos
            auc = (w * label * below_neg).sum() / total_pos
            influence = w * np.where(label, (below_neg - auc) / total_pos, (above_pos - auc) / total_neg)
            variance[i], clusters[i] = _robust(influence, w, label, inverse, self.frequency)
            left, wrong = total_pos - cum_pos[first], total_neg - cum_neg[first]
            slopes = w * label / (left + wrong) ** 2
            up, down = (np.cumsum(slopes * side)[last - 1] for side in (wrong, left))
            ap = sums.precision[i] / total_pos
            moves = w * np.where(label, left / (left + wrong) + up - ap, -down) / total_pos
            variance_ap[i], clusters_ap[i] = _robust(moves, w, label, inverse, self.frequency)
        sums.clustered, sums.n_clusters, sums.clustered_ap, sums.n_clusters_ap = (
            variance, clusters, variance_ap, clusters_ap,
        )  # fmt: skip
        return sums


def _robust(
    influence: Floats, weight: Floats, label: npt.NDArray[np.bool_], cluster: Ints, frequency: bool
) -> tuple[float, float]:
    """Cluster-robust variance of a sum of influences of one cohort, and the effective number of clusters."""
    one = influence / np.sqrt(np.where(weight > 0, weight, 1)) if frequency else influence  # an entry is many rows
    size = np.bincount(cluster, weight * varying(one, weight, label.astype(np.intp)))
    worth = worth_of(size, np.zeros(len(size), np.intp), 1, np.bincount(cluster, weight))
    return float(worth.variance(np.bincount(cluster, influence))[0]), float(worth.effective[0])


def packable(score: Floats) -> bool:
    """Whether scores fit the packed form: all in [0, 2)."""
    return len(score) == 0 or bool(score.min() >= 0 and score.max() < 2)


def pack(score: Floats, label: npt.NDArray[Any]) -> Ints:
    """Integers that sort like the scores and carry the label in the last bit (−0.0 counts as 0.0)."""
    keys: Ints = (score + 0.0).view(np.int64)
    keys <<= 1
    keys |= label
    return keys


def group_order(codes: npt.NDArray[Any], n: int) -> Ints:
    """Stable order by code; a radix sort by halves of 16 bits."""
    if n <= 1:
        return np.arange(len(codes))
    if n <= 1 << 15:
        return np.argsort(codes.astype(np.int8 if n <= 128 else np.int16, copy=False), kind="stable")
    low = np.argsort((codes & 0xFFFF).astype(np.uint16), kind="stable")
    return low[np.argsort((codes >> 16).astype(np.uint16)[low], kind="stable")]


def _grouped(codes: npt.NDArray[Any], offsets: Ints, keys: Ints, block: int = 1 << 21) -> Ints:
    """Keys ordered by cohort; a block at a time, so that the permutation stays small."""
    n = len(offsets) - 1
    if n == 1:
        return keys
    if len(keys) <= block:
        return keys[group_order(codes, n)]
    out = np.empty_like(keys)
    at = offsets[:-1].copy()
    for start in range(0, len(keys), block):
        part = codes[start : start + block]
        counts = np.bincount(part, minlength=n)
        ordered = keys[start : start + block][group_order(part, n)]
        inside = 0
        for i in np.flatnonzero(counts):
            out[at[i] : at[i] + counts[i]] = ordered[inside : inside + counts[i]]
            inside += counts[i]
        at += counts
    return out


def _pieces(tally: ScoreTally) -> Iterator[tuple[int, int, int, int]]:
    """(first cohort, last cohort + 1, start, stop) of pieces; long segments are cut between tie blocks."""
    offsets = tally.offsets
    cohort, n = 0, len(offsets) - 1
    while cohort < n:
        last = int(np.searchsorted(offsets, offsets[cohort] + PIECE, "right")) - 1
        if last > cohort:
            yield cohort, last, int(offsets[cohort]), int(offsets[last])
            cohort = last
            continue
        start, end = int(offsets[cohort]), int(offsets[cohort + 1])
        while start < end:
            stop = min(start + PIECE, end)
            if stop < end:
                stop = _next_tie(tally, stop, end)
            yield cohort, cohort + 1, start, stop
            start = stop
        cohort += 1


def _next_tie(tally: ScoreTally, stop: int, end: int) -> int:
    """First row at or after `stop` whose score differs from the row before it."""
    if tally.keys is not None:
        value = tally.keys[stop - 1] | 1
        return stop + int(np.searchsorted(tally.keys[stop:end], value, "right"))
    assert tally.score is not None
    return stop + int(np.searchsorted(tally.score[stop:end], tally.score[stop - 1], "right"))


def _walk(tally: ScoreTally) -> Iterator[TieBlocks]:
    """Tie blocks of all cohorts with sums below each, carried over the cuts of long segments."""
    carry_cohort, carry = -1, (0.0, 0.0)
    for piece in _pieces(tally):
        first, last, start, stop = piece
        if start == stop:
            continue
        blocks = _tie_blocks(tally, piece, carry if carry_cohort == first else (0.0, 0.0))
        carry_cohort = last - 1
        carry = float(blocks.pos_below[-1] + blocks.pos[-1]), float(blocks.neg_below[-1] + blocks.neg[-1])
        yield blocks


def _tie_blocks(tally: ScoreTally, piece: tuple[int, int, int, int], carry: tuple[float, float]) -> TieBlocks:
    """Tie blocks of one piece; `carry` is what a cut segment holds below it."""
    first, last, start, stop = piece
    if tally.keys is not None:
        bits = tally.keys[start:stop]
        label = (bits & 1).astype(np.float64)
        score = (bits >> 1).view(np.float64)
        weight = None
    else:
        assert tally.score is not None
        assert tally.label is not None
        score, label = tally.score[start:stop], tally.label[start:stop].astype(np.float64)
        weight = None if tally.weight is None else tally.weight[start:stop]
    segment = np.clip(tally.offsets[first : last + 1], start, stop) - start
    new = np.empty(stop - start, bool)
    new[0] = True
    np.not_equal(score[1:], score[:-1], out=new[1:])
    inner = segment[:-1]
    new[inner[inner < stop - start]] = True
    at = np.flatnonzero(new)
    cohort = np.repeat(np.arange(first, last), np.diff(np.searchsorted(at, segment)))
    sides = (label, 1 - label) if weight is None else (weight * label, weight * (1 - label))
    pos_cum, neg_cum = (np.concatenate([[0.0], np.cumsum(side)]) for side in sides)
    end = np.append(at[1:], stop - start)
    pos, neg = pos_cum[end] - pos_cum[at], neg_cum[end] - neg_cum[at]
    base = segment[cohort - first]
    pos_below, neg_below = pos_cum[at] - pos_cum[base], neg_cum[at] - neg_cum[base]
    if last == first + 1:
        pos_below += carry[0]
        neg_below += carry[1]
    if weight is None or tally.frequency:
        return TieBlocks(cohort, score[at], pos, neg, pos_below, neg_below, pos, neg)
    squares = [np.add.reduceat(weight * side, at) for side in sides]
    return TieBlocks(cohort, score[at], pos, neg, pos_below, neg_below, *squares)


def _rank_sums(tally: ScoreTally) -> RankSums:
    pos, neg, pos_sq, neg_sq, n_pos, n_neg = tally.totals()
    n = tally.n_cohorts
    names = (
        *("concordant", "tied", "place_pos", "place_neg", "precision", "place_pos_1", "place_neg_1", "ks"),
        *("slope_pos", "slope_neg", "ap_pos_1", "ap_pos", "ap_neg"),
    )
    walked: dict[str, Any] = {name: np.zeros(n) for name in names}
    walked |= {f"ks_{name}": np.full(n, np.nan) for name in ("score", "pos", "neg")}
    sums = RankSums(pos, neg, pos_sq, neg_sq, n_pos, n_neg, **walked)
    carry_cohort, carry_pos, carry_neg = -1, 0.0, 0.0  # rows of a cut segment that were walked before
    with np.errstate(divide="ignore", invalid="ignore"):
        for piece in _pieces(tally):
            first, last, start, stop = piece
            if start == stop:
                continue
            below = (carry_pos, carry_neg) if carry_cohort == first else (0.0, 0.0)
            untied = tally.keys is not None and _add_untied(sums, tally, piece, below)
            end = below
            if not untied:
                blocks = _tie_blocks(tally, piece, below)
                _add_blocks(sums, blocks)
                end = float(blocks.pos_below[-1] + blocks.pos[-1]), float(blocks.neg_below[-1] + blocks.neg[-1])
            elif last == first + 1:
                inside = int((tally.keys[start:stop] & 1).sum())  # type: ignore[index]
                end = below[0] + inside, below[1] + stop - start - inside
            carry_cohort, carry_pos, carry_neg = last - 1, *end
    sums.ks[(pos == 0) | (neg == 0)] = np.nan
    return sums


def _add_blocks(sums: RankSums, piece: TieBlocks) -> None:
    """Add the tie blocks of a piece to the sums of their cohorts."""
    c, lo, hi = piece.cohort, int(piece.cohort[0]), int(piece.cohort[-1]) + 1
    place = piece.neg_below + 0.5 * piece.neg
    left = sums.pos[c] - piece.pos_below
    above = left - 0.5 * piece.pos
    wrong = sums.neg[c] - piece.neg_below
    rows = left + wrong
    gained = piece.pos * left / rows
    first = np.flatnonzero(np.diff(c, prepend=-1))
    some = piece.pos > 0
    up, down = (
        _running(total, c, first, np.where(some, piece.pos * share / (rows * rows), 0.0))
        for total, share in ((sums.slope_pos, wrong), (sums.slope_neg, left))
    )
    move = np.where(some, left / rows, 0.0) + up
    for total, values in (
        (sums.ap_pos_1, piece.pos_sq * move),
        (sums.ap_pos, piece.pos_sq * move * move),
        (sums.ap_neg, piece.neg_sq * down * down),
        (sums.concordant, piece.pos * piece.neg_below),
        (sums.tied, piece.pos * piece.neg),
        (sums.place_pos, piece.pos_sq * place * place),
        (sums.place_neg, piece.neg_sq * above * above),
        (sums.place_pos_1, piece.pos_sq * place),
        (sums.place_neg_1, piece.neg_sq * above),
        (sums.precision, np.where(piece.pos > 0, gained, 0.0)),
    ):
        total[lo:hi] += np.bincount(c - lo, values, hi - lo)
    pos_share, neg_share = (piece.pos_below + piece.pos) / sums.pos[c], (piece.neg_below + piece.neg) / sums.neg[c]
    _keep_greatest(sums, piece.score, pos_share, neg_share, c)


def _running(total: Floats, cohort: Ints, starts: Ints, values: Floats) -> Floats:
    """Running sums of `values` within each cohort on top of its `total`, which grows by them."""
    into = cohort[starts]
    out = np.cumsum(values)
    sizes = np.diff(np.append(starts, len(values)))
    ends = starts + sizes - 1
    base = total[into] - np.where(starts > 0, out[starts - 1], 0.0)
    out += np.repeat(base, sizes)
    total[into] = out[ends]
    return out


def _add_untied(
    sums: RankSums, tally: ScoreTally, piece: tuple[int, int, int, int], carry: tuple[float, float]
) -> bool:
    """The same sums from the positives alone, where no two rows of the piece share a score; False if some do.

    Between two neighbouring positives all negatives have the same positives above them, so that sums over
    negatives are sums over gaps, and the distance of the distributions is greatest beside a positive.
    """
    first, last, start, stop = piece
    assert tally.keys is not None
    bits = tally.keys[start:stop]
    if ((bits[1:] ^ bits[:-1]) <= 1).any():
        return False
    segment = np.clip(tally.offsets[first : last + 1], start, stop) - start
    at = np.flatnonzero(bits & 1)
    bounds = np.searchsorted(at, segment)
    counts = np.diff(bounds)
    filled = np.flatnonzero(counts)
    if last == first + 1:  # perhaps a part of a cohort: negatives above the last positive of the part count too
        tail = stop - start - len(at) - (at[-1] + 1 - len(at) if len(at) else 0)
        above = sums.pos[first] - carry[0] - len(at)
        if len(at) == 0:
            sums.ap_neg[first] += tail * sums.slope_neg[first] ** 2
        sums.place_neg[first] += tail * above**2
        sums.place_neg_1[first] += tail * above
    if len(at) == 0:
        return True
    cohort = np.repeat(np.arange(first, last), counts)
    starts = bounds[:-1][filled]
    inside = np.arange(len(at)) - np.repeat(bounds[:-1], counts)
    neg_below = (at - np.repeat(segment[:-1], counts) - inside).astype(float)
    pos_below = inside.astype(float)
    if last == first + 1:
        neg_below += carry[1]
        pos_below += carry[0]
    gap = np.diff(neg_below, prepend=0.0)
    gap[starts] = neg_below[starts] - (carry[1] if last == first + 1 else 0.0)
    pos, neg = sums.pos[cohort], sums.neg[cohort]
    left = pos - pos_below
    into = first + filled
    pairs = np.add.reduceat(neg_below, starts)
    sums.concordant[into] += pairs
    sums.place_pos_1[into] += pairs
    sums.place_neg_1[into] += np.add.reduceat(gap * left, starts)
    sums.place_pos[into] += np.add.reduceat(neg_below * neg_below, starts)
    sums.place_neg[into] += np.add.reduceat(gap * left * left, starts)
    wrong = neg - neg_below
    rows = left + wrong
    precision, rate = left / rows, 1 / rows
    sums.precision[into] += np.add.reduceat(precision, starts)
    under = sums.slope_neg[into]
    up = _running(sums.slope_pos, cohort, starts, (1 - precision) * rate)
    down = _running(sums.slope_neg, cohort, starts, precision * rate)
    up += precision
    sums.ap_pos_1[into] += np.add.reduceat(up, starts)
    sums.ap_pos[into] += np.add.reduceat(up * up, starts)
    ends = np.append(starts[1:], len(at)) - 1
    tails = np.diff(segment)[filled] - counts[filled] - (at[ends] - segment[:-1][filled] - inside[ends])
    sums.ap_neg[into] += tails * down[ends] ** 2
    down[1:] = down[:-1]  # negatives in the gap below a positive lie above the positives before it
    down[starts] = under
    sums.ap_neg[into] += np.add.reduceat(gap * down * down, starts)
    share = neg_below / neg
    before, after = pos_below / pos, (pos_below + 1) / pos
    is_before = np.abs(before - share) > np.abs(after - share)
    at += start
    score_at = (tally.keys[np.where(is_before, np.maximum(at - 1, 0), at)] >> 1).view(np.float64)
    _keep_greatest(sums, score_at, np.where(is_before, before, after), share, cohort)
    return True


def _keep_greatest(sums: RankSums, score: Floats, pos_share: Floats, neg_share: Floats, cohort: Ints) -> None:
    """Keep the greatest distance of each cohort's distributions, and the score where it is reached first."""
    distance = np.abs(pos_share - neg_share)
    starts = np.flatnonzero(np.diff(cohort, prepend=-1))
    greatest = np.maximum.reduceat(distance, starts)
    into = cohort[starts]
    better = greatest > sums.ks[into]
    if not better.any():
        return
    hit = np.flatnonzero(distance == np.repeat(greatest, np.diff(np.append(starts, len(cohort)))))
    where = hit[np.minimum(np.searchsorted(hit, starts), len(hit) - 1)][better]
    into = into[better]
    sums.ks[into] = greatest[better]
    for total, values in ((sums.ks_score, score), (sums.ks_pos, pos_share), (sums.ks_neg, neg_share)):
        total[into] = values[where]

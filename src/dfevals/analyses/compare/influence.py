"""The value of a metric in every cohort, and how much each row moves it: one pair of numbers behind every comparison.

The influence of a row is the derivative of the metric by the row's weight (infinitesimal jackknife: Jaeckel 1972;
Efron 1982). Differences of two models, averages over classes and monotone functions carry over to influences, and
sums of their squares (over rows, or over clusters of rows) are variances.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.analyses.compare.aligned import PairedRows, ViewRows, counts
from dfevals.estimates.bounds import cells_worth
from dfevals.estimates.delta import FourCells, average_gradient, four_gradients, matrix_gradient
from dfevals.exceptions import MetricError
from dfevals.metrics.estimands import Mean, Rank, SmoothMoments, Through
from dfevals.metrics.planning import needs_of, pairs_of
from dfevals.metrics.registry import Request
from dfevals.needs import Cells, Extremes, Moments, Rows, Scores
from dfevals.tally import CellView, MomentTally, ScoreTally
from dfevals.tally.clusters import ClusterSums
from dfevals.tally.scores import group_order

__all__ = ["Influence", "RankingLayout", "influence", "kind_of", "pseudo_variance"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
STEP = 1e-30
AFFORDABLE = 1 << 26  # cells of all cohorts that are held at once


@dataclass(frozen=True)
class Influence:
    """`value` (cohorts,), `rows` (rows,) the derivative of the value by the weight of each row, `support` (cohorts,).

    `centre` is the value with the pseudo-rows that `rows` belongs to (equal to `value` where there are none); for metrics
    of cells `gradient` (K, K, cohorts) is the derivative by the cells and `pseudo` the pseudo-rows in each.
    """

    value: Floats
    rows: Floats
    support: Floats
    reason: str
    centre: Floats
    gradient: Floats | None = None
    pseudo: Floats | None = None


def kind_of(request: Request, n_classes: int, task: str) -> str:
    """ "cells", "moments", "scores", "rows" or "extremes": what the metric is made of."""
    need = needs_of(request.metric, n_classes, task)[0][0]
    for kind, name in (
        (Cells, "cells"),
        (Moments, "moments"),
        (Scores, "scores"),
        (Rows, "rows"),
        (Extremes, "extremes"),
    ):
        if isinstance(need, kind):
            return name
    return "rows"


def influence(
    request: Request, rows: PairedRows, j: int, *, weight: Floats | None = None, padded: bool = True
) -> Influence:
    """Value and influence of one metric of contender j.

    Parameters
    ----------
    request : Request
    rows : PairedRows
        For metrics of cells also the entries of a joint tally.
    j : int
    weight : ndarray, optional
        Weights instead of the rows' own (for resampling).
    padded : bool
        For metrics of cells, take the influence with two pseudo-rows spread over the cells, which keeps tests honest
        in small samples.
    """
    labels, task = rows.bound.labels, rows.bound.task
    weight = rows.weight if weight is None else weight
    kind = kind_of(request, len(labels), task)
    if kind == "cells":
        found = _cells(request, rows, j, weight, len(labels), task, padded)
    elif isinstance(rows, ViewRows) and kind == "moments":
        found = _moments(request, rows, j, weight, len(labels), task)
    elif isinstance(rows, ViewRows) and kind == "scores":
        found = _scores(request, rows, j, weight, labels, task)
    else:
        raise TypeError(f"{request.label} has no influence function")
    if not request.negated:
        return found
    gradient = None if found.gradient is None else -found.gradient
    return Influence(-found.value, -found.rows, found.support, found.reason, -found.centre, gradient, found.pseudo)


# Cells


def cell_kind(request: Request, task: str) -> str:
    """The view of the cells that a request reads: "binary", "micro", or the average "macro" or "weighted"."""
    if request.metric.whole or (task == "binary" and request.average is None):
        return "binary"
    return request.average or "macro"


def cell_value(request: Request, kind: str, present: Array | None = None) -> Callable[[Any], Any]:
    """The metric as a function of a view of the cells; averages are over the classes `present`."""
    record = request.metric
    if kind in ("binary", "micro"):
        return lambda view: record(view).value

    def average(view: Any) -> Any:
        value = record(view).value
        value = np.where(np.isnan(value), 0.0, value)
        true = view.tp + view.fn
        share = true if kind == "weighted" else (true + view.fp != 0 if present is None else present) + 0 * true
        total = share.sum(axis=0)
        return np.where(total == 0, np.nan, (value * share).sum(axis=0) / np.where(total == 0, 1, total))

    return average


def cell_matrix(rows: PairedRows, j: int, weight: Floats | None, k: int) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Cells of every cohort (K, K, cohorts), and the cell of every row (y_true · K + y_pred)."""
    if k * k * rows.size > AFFORDABLE:
        raise MetricError(
            f"Comparing this metric of {k:,} classes in {rows.size:,} cohorts needs more cells than can be held at once. "
            "Compare a share of all rows, metrics='accuracy', or fewer cohorts or classes."
        )
    cell = rows.y_true(j).astype(np.intp) * k + rows.y_pred(j)
    flat = np.bincount(cell * rows.size + rows.codes, weight, k * k * rows.size)
    return flat.reshape(k, k, rows.size).astype(float), cell


def _cells(
    request: Request, rows: PairedRows, j: int, weight: Floats | None, k: int, task: str, padded: bool
) -> Influence:
    kind = cell_kind(request, task)
    matrix, cell = cell_matrix(rows, j, weight, k)
    seen = (matrix.sum(axis=0) + matrix.sum(axis=1)) > 0
    view_kind: Any = kind if kind in ("binary", "micro") else "classes"
    estimand = request.metric(CellView(matrix, view_kind))
    function = cell_value(request, kind, seen if kind == "macro" else None)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.asarray(cell_value(request, kind)(CellView(matrix, view_kind)), float)
        pseudo = np.zeros((1, 1, 1))
        if padded:
            pseudo = _pseudo_rows(matrix, seen, kind, rows) / _worth(cell, rows)
        at = matrix + pseudo
        centre = np.asarray(function(CellView(at, view_kind)), float)
        if view_kind == "classes":
            four = FourCells.of(CellView(at, "classes"))
            gradient = _average_gradient(request, kind, four, centre, seen)
        else:
            gradient = matrix_gradient(lambda view: function(CellView(view.matrix, view_kind)), at)
    table = np.nan_to_num(gradient).reshape(k * k * rows.size)
    support = estimand.support if view_kind != "classes" else matrix.sum(axis=(0, 1))
    reason = getattr(estimand, "reason", "") or "not defined"
    moved = table[cell * rows.size + rows.codes]
    shaped = table.reshape(k, k, rows.size)
    pseudo = np.broadcast_to(pseudo, matrix.shape)
    return Influence(value, moved, np.asarray(support, float), reason, centre, shaped, pseudo)


def _average_gradient(request: Request, kind: str, four: FourCells, centre: Floats, seen: Array) -> Floats:
    """Gradient of a macro or weighted average by the cells: of its numerator and of its denominator, by class."""

    def share(cells: FourCells) -> Any:
        return cells.tp + cells.fn if kind == "weighted" else seen + 0 * cells.tp

    def weighted(cells: FourCells) -> Any:
        value = request.metric(cells).value
        return np.where(np.isnan(value), 0, value) * share(cells)

    total = share(four).sum(axis=0)
    top = {name: np.nan_to_num(v) for name, v in four_gradients(weighted, four).items()}
    bottom = {name: np.nan_to_num(v) for name, v in four_gradients(share, four).items()}
    return average_gradient({name: (top[name] - centre * bottom[name]) / total for name in top}).table


def _pseudo_rows(matrix: Floats, seen: Array, kind: str, rows: PairedRows) -> Floats:
    """Two rows of average weight, spread over the cells (of the classes that occur)."""
    k = len(matrix)
    share = seen[:, None] & seen[None, :] if kind in ("macro", "weighted") else np.ones((k, k, 1), bool)
    weight, square = rows.weight, rows.square
    size = 1.0 if weight is None or square is None or not weight.size else square.sum() / max(weight.sum(), 1e-300)
    return np.asarray(2.0 * size * share / np.maximum(share.sum(axis=(0, 1)), 1))


def _worth(cell: Array, rows: PairedRows) -> Floats | float:
    """Independent rows that a row of dependent clusters is worth for the cells; 1 without clusters."""
    if rows.cluster is None:
        return 1.0
    weight = np.ones(len(cell)) if rows.weight is None else np.asarray(rows.weight, float)
    square = weight if rows.square is None else rows.square
    total, power = (np.bincount(rows.codes, w, rows.size).astype(float) for w in (weight, square))
    labels = np.arange(int(rows.cluster.max(initial=0)) + 1)
    cluster, codes = rows.cluster.astype(np.int64), rows.codes.astype(np.int64)
    return cells_worth(ClusterSums.collect(labels, cluster, codes, cell.astype(np.int64), weight[None]), total, power)


def pseudo_variance(a: Influence, b: Influence) -> Floats:
    """What the pseudo-rows add to the variance of a difference; within a true class those of a and b are independent."""
    if a.gradient is None or b.gradient is None or a.pseudo is None or b.pseudo is None:
        return np.zeros_like(a.value)
    own = [(x.gradient**2 * x.pseudo).sum(axis=(0, 1)) for x in (a, b)]  # type: ignore[operator]
    sums = [(x.gradient * x.pseudo).sum(axis=1) for x in (a, b)]  # type: ignore[operator]
    total = a.pseudo.sum(axis=1)
    both = np.divide(sums[0] * sums[1], total, out=np.zeros_like(total), where=total > 0).sum(axis=0)
    return np.asarray(own[0] + own[1] - 2 * both)


# Moments


def moment_values(request: Request, rows: ViewRows, j: int, k: int, task: str) -> list[Floats]:
    """Numbers of every row that a metric of moments reads."""
    need = needs_of(request.metric, k, task)[0][0]
    assert isinstance(need, Moments)
    return [np.asarray(rows.of(j, function, function), float) for function in need.functions]


def _moments(request: Request, rows: ViewRows, j: int, weight: Floats | None, k: int, task: str) -> Influence:
    values = moment_values(request, rows, j, k, task)
    tally = MomentTally.of_block(rows.codes, rows.size, values, 2, weight)
    estimand = request.metric(tally.view())
    base, slope = unwrapped(estimand)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = tally.view().mean
        deviations = [v - m[rows.codes] for v, m in zip(values, mean, strict=True)]
        total = tally.n[rows.codes]
        if isinstance(base, Mean):
            out = deviations[0] / total
        elif isinstance(base, SmoothMoments):
            out = _smooth_moments(base, deviations, rows.codes) / total
        else:
            raise TypeError(f"{request.label} has no influence function")
        out = out * slope[rows.codes]
    value = np.asarray(estimand.value, float)
    return Influence(value, np.nan_to_num(out), tally.n, getattr(base, "reason", ""), value)


def _smooth_moments(estimand: SmoothMoments, deviations: list[Floats], codes: Array) -> Floats:
    means, second = estimand.inputs()
    out = np.zeros(len(codes))
    for j, deviation in enumerate(deviations):
        stepped = [m + (STEP * 1j if i == j else 0) for i, m in enumerate(means)]
        out += (np.imag(estimand.function(stepped, second)) / STEP)[codes] * deviation
    for e, moment in second.items():
        moved = {key: v + (STEP * 1j if key == e else 0) for key, v in second.items()}
        gradient = np.imag(estimand.function(means, moved)) / STEP
        product = np.prod([d**power for d, power in zip(deviations, e, strict=True)], axis=0)
        out += gradient[codes] * (product - moment[codes])
    return out


def unwrapped(estimand: Any) -> tuple[Any, Floats]:
    """The estimand below all monotone functions, and their derivative at its value."""
    functions = []
    while isinstance(estimand, Through):
        functions.append(estimand.f)
        estimand = estimand.base
    value = np.asarray(estimand.value, float) + STEP * 1j
    with np.errstate(divide="ignore", invalid="ignore"):
        for f in reversed(functions):
            value = f(value)
    return estimand, np.imag(value) / STEP


# Scores


def rank_kind(request: Request) -> tuple[str, Callable[[Any], Any]]:
    """What a ranking metric is ("roc_auc", "average_precision", "ks", …) and the monotone function around it."""
    sample = ScoreTally.collect(np.zeros(2, np.int8), 1, np.array([0.2, 0.8]), np.array([False, True])).rank_sums()
    estimand = request.metric(sample)
    functions: list[Callable[[Any], Any]] = []
    while isinstance(estimand, Through):
        functions.append(estimand.f)
        estimand = estimand.base
    assert isinstance(estimand, Rank)

    def around(value: Any) -> Any:
        for f in reversed(functions):
            value = f(value)
        return value

    return estimand.kind, around


def _scores(
    request: Request, rows: ViewRows, j: int, weight: Floats | None, labels: tuple[Any, ...], task: str
) -> Influence:
    kind, around = rank_kind(request)
    if task == "binary":
        value, out = RankingLayout.of(rows, weight, rows.y_true(j) == 1).influence(rows.score(j), kind)
        support = counts(rows)
    else:
        value, out, support = _class_scores(request, rows, j, weight, len(labels), kind)
    with np.errstate(divide="ignore", invalid="ignore"):
        stepped = around(value + STEP * 1j)
        slope, value = np.nan_to_num(np.imag(stepped) / STEP), np.real(stepped)
    reason = "no positives" if kind == "average_precision" else "only one class"
    return Influence(value, out * slope[rows.codes], support, reason, value)


def _class_scores(
    request: Request, rows: ViewRows, j: int, weight: Floats | None, k: int, kind: str
) -> tuple[Floats, Floats, Floats]:
    """One class against the rest (or pairs of classes), averaged; the shares of the classes are taken as fixed."""
    truth = rows.y_true(j)
    one_on_one = bool(request.metric.pairs)
    by_prevalence = request.average == "weighted" or request.metric.pairs == "prevalence"
    total, value, out = np.zeros(rows.size), np.zeros(rows.size), np.zeros(len(truth))
    share = np.stack([np.bincount(rows.codes[truth == c], minlength=rows.size) for c in range(k)]).astype(float)
    for positive, negative in pairs_of(k) if one_on_one else [(c, None) for c in range(k)]:
        label = truth == positive
        used = None if negative is None else label | (truth == negative)
        layout = RankingLayout.of(rows, weight, label, used)
        score = rows.score(j, positive)
        mine, moved = layout.influence(score if used is None else score[used], kind)
        importance = (
            share[positive] + (0 if negative is None else share[negative]) if by_prevalence else np.ones(rows.size)
        )
        importance = np.where(np.isnan(mine), 0.0, importance)
        total += importance
        value += importance * np.nan_to_num(mine)
        full = moved
        if used is not None:
            full = np.zeros(len(truth))
            full[used] = moved
        out += importance[rows.codes] * full
    with np.errstate(divide="ignore", invalid="ignore"):
        return value / total, np.nan_to_num(out / total[rows.codes]), counts(rows)


@dataclass(frozen=True)
class RankingLayout:
    """Rows grouped by cohort, with their class and weight, ready to be ranked by any score."""

    codes: Array
    size: int
    label: npt.NDArray[np.bool_]
    weight: Floats
    order: npt.NDArray[np.intp]
    edges: npt.NDArray[np.intp]

    @classmethod
    def of(cls, rows: ViewRows, weight: Floats | None, label: Array, used: Array | None = None) -> RankingLayout:
        """Layout of the rows (those `used`)."""
        codes = rows.codes if used is None else rows.codes[used]
        label = label if used is None else label[used]
        weights = np.ones(len(codes)) if weight is None else weight if used is None else weight[used]
        edges = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=rows.size))])
        return cls(codes, rows.size, label, weights, group_order(codes, rows.size), edges)

    def influence(self, score: Array, kind: str) -> tuple[Floats, Floats]:
        """Value per cohort and derivative by the weight of every row of "roc_auc", "average_precision" or "ks"."""
        order = self.order.copy()
        for start, stop in zip(self.edges[:-1].tolist(), self.edges[1:].tolist(), strict=True):
            if stop - start > 1:
                part = order[start:stop]
                order[start:stop] = part[np.argsort(score[part])]
        code, s, w, label = self.codes[order], score[order], self.weight[order], self.label[order]
        opens = np.ones(len(s), bool)
        opens[1:] = (s[1:] != s[:-1]) | (code[1:] != code[:-1])
        block, first = np.cumsum(opens) - 1, np.flatnonzero(opens)
        if not len(first):
            return np.full(self.size, np.nan), np.zeros(0)
        group = code[first]
        pos = np.add.reduceat(w * label, first)
        neg = np.add.reduceat(w * ~label, first)
        all_pos, all_neg = (np.asarray(np.bincount(group, x, self.size), float) for x in (pos, neg))
        below_pos, below_neg = (_below(x, group, self.size) for x in (pos, neg))
        with np.errstate(divide="ignore", invalid="ignore"):
            value, of_pos, of_neg = _RANKED[kind](
                _Blocks(group, pos, neg, below_pos, below_neg, all_pos, all_neg, self.size)
            )
            rows = np.where(label, of_pos[block], of_neg[block])
        out = np.empty(len(s))
        out[order] = np.nan_to_num(rows, posinf=0.0, neginf=0.0)
        return value, out


@dataclass(frozen=True)
class _Blocks:
    """Tie blocks ascending by score within each cohort: weights in them, below them, and of the whole cohort."""

    group: Array
    pos: Floats
    neg: Floats
    below_pos: Floats
    below_neg: Floats
    all_pos: Floats
    all_neg: Floats
    size: int


def _below(x: Floats, group: Array, size: int) -> Floats:
    """Sum of the blocks below each block in its cohort."""
    running = np.cumsum(x) - x
    start = np.searchsorted(group, np.arange(size))
    return running - running[np.minimum(start, len(x) - 1)][group]


def _auc(b: _Blocks) -> tuple[Floats, Floats, Floats]:
    of_pos = (b.below_neg + b.neg / 2) / b.all_neg[b.group]
    of_neg = 1 - (b.below_pos + b.pos / 2) / b.all_pos[b.group]
    value = np.bincount(b.group, b.pos * of_pos, b.size) / b.all_pos
    value = np.where((b.all_pos > 0) & (b.all_neg > 0), value, np.nan)
    centre = value[b.group]
    return value, (of_pos - centre) / b.all_pos[b.group], (of_neg - centre) / b.all_neg[b.group]


def _average_precision(b: _Blocks) -> tuple[Floats, Floats, Floats]:
    right = b.all_pos[b.group] - b.below_pos  # positives from this score up
    flagged = right + b.all_neg[b.group] - b.below_neg
    precision = right / flagged
    value = np.where(b.all_pos > 0, np.bincount(b.group, np.nan_to_num(b.pos * precision), b.size) / b.all_pos, np.nan)
    rise = np.nan_to_num(b.pos * (flagged - right) / flagged**2)
    fall = np.nan_to_num(b.pos * right / flagged**2)
    # a row counts in the precision of every positive with the same or a lower score
    rises, falls = (_below(x, b.group, b.size) + x for x in (rise, fall))
    total = b.all_pos[b.group]
    return value, (precision - value[b.group] + rises) / total, -falls / total


def _ks(b: _Blocks) -> tuple[Floats, Floats, Floats]:
    share_pos = (b.below_pos + b.pos) / b.all_pos[b.group]
    share_neg = (b.below_neg + b.neg) / b.all_neg[b.group]
    gap = np.nan_to_num(share_neg - share_pos)
    starts = np.flatnonzero(np.diff(b.group, prepend=-1))
    value = np.full(b.size, np.nan)
    value[b.group[starts]] = np.maximum.reduceat(np.abs(gap), starts)
    hit = np.flatnonzero(np.abs(gap) == value[b.group])
    at = np.zeros(b.size, np.intp)
    at[b.group[hit[::-1]]] = hit[::-1]
    best = at[b.group]
    sign, inside = np.sign(gap[best]), np.arange(len(gap)) <= best
    value = np.where((b.all_pos > 0) & (b.all_neg > 0), value, np.nan)
    of_pos = -sign * (inside - share_pos[best]) / b.all_pos[b.group]
    of_neg = sign * (inside - share_neg[best]) / b.all_neg[b.group]
    return value, of_pos, of_neg


_RANKED: dict[str, Callable[[_Blocks], tuple[Floats, Floats, Floats]]] = {
    "roc_auc": _auc,
    "average_precision": _average_precision,
    "ks": _ks,
}

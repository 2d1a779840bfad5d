"""Two models on the same rows: the right paired test of one metric in every cohort of a view at once.

Rates (accuracy, recall, pass rates) get the score test that Tango's interval inverts, areas under the ROC curve DeLong's,
losses the paired t; every other metric, and every metric of clustered or weighted rows, by the influence of the rows on the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.analyses.compare.aligned import (
    Counted,
    PairedRows,
    PairView,
    ViewRows,
    countable,
    counts,
    counts_rows,
)
from dfevals.analyses.compare.gaps import Gaps, joint_needs, mean_of, moments_of
from dfevals.analyses.compare.influence import (
    cell_kind,
    influence,
    kind_of,
    moment_values,
    pseudo_variance,
    rank_kind,
)
from dfevals.engines.block import Block
from dfevals.estimates.delta import matrix_gradient
from dfevals.estimates.estimate import rests_on_classes
from dfevals.estimates.events import EVENTS, FEW_OF_A_CLASS, rare_classes
from dfevals.estimates.means import guarded_pairs
from dfevals.estimates.tested import FEW_ROWS, Tested, TestOptions, in_range
from dfevals.exceptions import MetricError, did_you_mean
from dfevals.inference.clusters import ClusterWorth, few_clusters, varying, worth_of
from dfevals.inference.discordant import mcnemar, paired_proportions
from dfevals.inference.levels import normal_quantile, t_quantile
from dfevals.inference.paired import differences_of, paired_ttest_from_moments
from dfevals.inference.seeds import generator
from dfevals.metrics.estimands import Mean, Ratio
from dfevals.metrics.planning import needs_of
from dfevals.metrics.registry import Request
from dfevals.needs import Values
from dfevals.roles.bound import Bound
from dfevals.tally import CellView, MomentTally

__all__ = ["OF_MEANS", "TESTS", "few_of_a_class", "paired", "paired_rate", "share_of_cells"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
MCNEMAR = {"mcnemar": "mid-p", "mcnemar-exact": "exact", "mcnemar-chi2": "chi2", "mcnemar-chi2-cc": "chi2-cc"}
RATES = ("tango", *MCNEMAR)
TESTS = (*RATES, "delong", "t", "wilcoxon", "sign-flip", "delta", "bootstrap")
OF_MEANS = ("t", "wilcoxon", "sign-flip")


def paired(request: Request, pair: PairView, options: TestOptions) -> Tested:
    """Test one metric of the first two contenders in every cohort.

    Raises
    ------
    MetricError
        The test asked for does not fit the metric.
    """
    kind = kind_of(request, len(pair.bound.labels), pair.bound.task)
    plain = replace(request, negated=False)
    if kind == "extremes":
        raise MetricError(f"There is no honest test of {request.label!r}: an extreme value rests on a single row.")
    if options.test == "bootstrap" or kind == "rows":
        _check(options.test, ("bootstrap",), request)
        found = _bootstrap(plain, _drawn_from(pair, kind), options, kind)
    elif kind == "cells":
        found = _cells(plain, pair.joint, options)
    elif kind == "moments":
        found = _moments(plain, pair, options)
    else:
        found = _ranks(plain, pair.by_row, options)
    found = in_range(found, request.metric.range)
    return found.negated() if request.negated else found


def _drawn_from(pair: PairView, kind: str) -> PairedRows:
    """What a bootstrap draws from: counts where equal rows can be drawn as such, else the rows."""
    if kind == "cells" and (countable(pair.bound) or pair.joint.cluster is not None):
        return pair.joint
    return pair.by_row


def _check(test: str, allowed: tuple[str, ...], request: Request) -> None:
    if test not in ("auto", *allowed):
        raise MetricError(
            f"test={test!r} does not fit {request.label!r}. {did_you_mean(test, ('auto', *allowed), noun='Tests')}"
        )


# Rates


def _cells(request: Request, rows: PairedRows, options: TestOptions) -> Tested:
    rate = paired_rate(request, rows)
    if rate is None:
        _check(options.test, ("delta", "bootstrap"), request)
        return _by_influence(request, rows, options)
    _check(options.test, (*RATES, "delta", "bootstrap"), request)
    if options.test == "delta" or not countable(rows.bound):
        return _by_influence(request, rows, options)
    return _rates(*rate, rows, options)


def paired_rate(request: Request, rows: PairedRows) -> tuple[Array, Array, Array] | None:
    """For a share whose denominator depends on the labels alone: hit by the first, hit by the second, counted.

    Such a share (accuracy, recall, specificity, …) is a rate over the same rows for both models.
    """
    k, kind = len(rows.bound.labels), cell_kind(request, rows.bound.task)
    counted = _counted_cells(request, kind, k) if kind in ("binary", "micro") else None
    if counted is None:
        return None
    truth, few = rows.y_true().astype(np.intp), len(counted[0])
    if few == k:
        hits = [counted[0].reshape(-1)[truth * k + rows.y_pred(j)] for j in (0, 1)]
    else:  # one number on the diagonal and one off it
        hits = [counted[0][0, np.where(truth == rows.y_pred(j), 0, 1)] for j in (0, 1)]
    return hits[0], hits[1], counted[1][truth if few == k else np.zeros_like(truth)]


def _counted_cells(request: Request, kind: Any, k: int) -> tuple[Array, Array] | None:
    """Cells in the numerator of a share, and the classes in its denominator, if it depends on the labels alone."""
    found = share_of_cells(request, kind, k)
    if found is None or (found[1] != found[1][:, :1]).any():
        return None
    return found[0], found[1][:, 0]


def share_of_cells(request: Request, kind: Any, k: int) -> tuple[Array, Array] | None:
    """Cells (K × K) in the numerator and in the denominator of a share of rows, if that is all there is to it.

    Many classes are all alike to a share of whole tables, so that three of them show what it counts.
    """
    few = min(k, 3)
    ones = np.ones((few, few, 1))
    if not isinstance(request.metric(CellView(ones, kind)), Ratio):
        return None
    num = matrix_gradient(lambda v: request.metric(CellView(v.matrix, kind)).num, ones)[..., 0]
    den = matrix_gradient(lambda v: request.metric(CellView(v.matrix, kind)).den, ones)[..., 0]
    zero_one = np.isin(num, (0.0, 1.0)).all() and np.isin(den, (0.0, 1.0)).all()
    alike = few == k or all(len({*v[np.eye(few) == side]}) == 1 for v in (num, den) for side in (0, 1))
    return (num == 1, den == 1) if zero_one and alike else None


def _rates(hit_a: Array, hit_b: Array, counted: Array, rows: PairedRows, options: TestOptions) -> Tested:
    joint, weight = rows.codes * 4 + 2 * hit_a + hit_b, rows.weight
    if not counted.all():
        joint, weight = joint[counted], None if weight is None else weight[counted]
    return _rates_of(np.bincount(joint, weight, 4 * rows.size).reshape(-1, 4).T.astype(float), options)


def _rates_of(cells: Floats, options: TestOptions) -> Tested:
    """From the rows that none, the second, the first and both get right, (4, cohorts)."""
    (_, c, b, both), n = cells, cells.sum(axis=0)
    if options.test in MCNEMAR:
        test = mcnemar(b, c, MCNEMAR[options.test], n=n, level=options.level)
    else:
        test = paired_proportions(b, c, n, options.level)
    with np.errstate(divide="ignore", invalid="ignore"):
        value_a, value_b = (both + b) / n, (both + c) / n
    q = normal_quantile(options.level)
    low, high = np.asarray(test.ci_low), np.asarray(test.ci_high)
    none = (b + c == 0) & (n > 0)
    masks = [(n == 0, "no rows that the metric counts"), (none, "no discordant pairs")]
    return Tested(
        value_a,
        value_b,
        low,
        high,
        np.asarray(test.statistic, float),
        np.where(n == 0, np.nan, np.asarray(test.p_value, float)),
        n,
        test.method,
        (high - low) / (2 * q),
        np.full(len(n), np.inf),
        n < FEW_ROWS,
        masks,
        np.asarray(test.estimate, float),
    )


# Means


def _moments(request: Request, pair: PairView, options: TestOptions) -> Tested:
    bound = pair.bound
    if options.test in OF_MEANS[1:] or mean_of(request, bound) is None:
        return _moments_of_rows(request, pair.by_row, options)
    need = moments_of(request, bound)
    gaps = Gaps(request, pair.get(joint_needs(request, bound)[0]), pair.scale)
    if gaps.proportion and countable(bound) and options.test not in (*OF_MEANS, "delta"):
        _check(options.test, (*RATES, *OF_MEANS, "delta", "bootstrap"), request)
        found = _rates_of(gaps.cells(), options)
    elif gaps.linear and countable(bound) and options.test != "delta":
        _check(options.test, (*OF_MEANS, "delta", "bootstrap"), request)
        found = _of_means(gaps, options)
    else:
        _check(options.test, ("delta", "bootstrap"), request)
        found = _of_variance(gaps, bound, options)
    if rests_on_classes(request, gaps.estimand, bound.task):
        few = gaps.rare()
        found = replace(found, few=found.few | few, masks=[*found.masks, (few, FEW_OF_A_CLASS)])
    undefined = (gaps.total.undefined > 0) & (not need.skip_missing)
    return _without_values(found, undefined, need.undefined) if undefined.any() else found


def _of_means(gaps: Gaps, options: TestOptions) -> Tested:
    """The paired t, from moments of the differences."""
    mean, variance = gaps.mean()
    found = _paired_t(*gaps.values, mean, variance, gaps.total.n, options)
    return guarded_pairs(found, gaps.skewness(), options.level) if options.test == "auto" else found


def _of_variance(gaps: Gaps, bound: Bound, options: TestOptions) -> Tested:
    """The difference of functions of means, or of means of weighted or clustered rows, and its variance."""
    variance, df = gaps.variance(bound.cluster is not None)
    value_a, value_b = gaps.values
    few = few_of(gaps.events(), EVENTS) if bound.classifies else np.zeros(len(value_a), bool)
    difference = _Difference(
        value_a, value_b, value_a - value_b, variance, df, method_of(bound), (gaps.support,) * 2, few, gaps.same(),
        getattr(gaps.base, "reason", ""),
    )  # fmt: skip
    return difference.tested(bound, options)


def _moments_of_rows(request: Request, rows: ViewRows, options: TestOptions) -> Tested:
    """Functions of more than a mean, and tests that read the rows."""
    bound = rows.bound
    k, task = len(bound.labels), bound.task
    need = moments_of(request, bound)
    a, b = (moment_values(request, rows, j, k, task) for j in (0, 1))
    bad = ~np.isfinite(sum(a) + sum(b))
    undefined = np.zeros(rows.size, bool)
    if bad.any():
        if not need.skip_missing:
            undefined = np.bincount(rows.codes[bad], minlength=rows.size) > 0
        rows = _without(rows, ~bad)
        a, b = [v[~bad] for v in a], [v[~bad] for v in b]
    estimand = request.metric(MomentTally.empty(len(a), need.order, 1).view())
    if isinstance(estimand, Mean) and rows.plain:
        _check(options.test, (*OF_MEANS, "delta", "bootstrap"), request)
        found = mean_difference(a[0], b[0], rows, options)
    else:
        _check(options.test, ("delta", "bootstrap"), request)
        found = _by_influence(request, rows, options)
    if rests_on_classes(request, estimand, task):
        few = few_of_a_class(rows)
        found = replace(found, few=found.few | few, masks=[*found.masks, (few, FEW_OF_A_CLASS)])
    return _without_values(found, undefined, need.undefined) if undefined.any() else found


def _without_values(found: Tested, undefined: Array, reason: str) -> Tested:
    """No numbers for cohorts with a row for which the metric is not defined."""
    names = ("value_a", "value_b", "low", "high", "statistic", "p_value", "se")
    blank: Any = {name: np.where(undefined, np.nan, getattr(found, name)) for name in names}
    return replace(found, **blank, difference=None, masks=[(undefined, reason)])


def _without(rows: ViewRows, good: Array) -> ViewRows:
    """The rows for which `good` holds."""
    if rows.inside is None:
        return ViewRows(rows.aligned, rows.codes[good], rows.size, good)
    inside = rows.inside.copy()
    inside[np.flatnonzero(inside)[~good]] = False
    return ViewRows(rows.aligned, rows.codes[good], rows.size, inside)


def mean_difference(a: Floats, b: Floats, rows: Counted, options: TestOptions) -> Tested:
    """Paired t from moments of the differences, or a distribution-free test by name, cohort by cohort."""
    n = counts(rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        value_a, value_b = (np.bincount(rows.codes, x, rows.size) / n for x in (a, b))
        gap, _ = differences_of(a, b)
        mean = np.bincount(rows.codes, gap, rows.size) / n
        squares = np.bincount(rows.codes, (gap - mean[rows.codes]) ** 2, rows.size)
        scale = np.zeros(rows.size)
        np.maximum.at(scale, rows.codes, np.abs(gap))
        variance = np.where(squares <= n * (1e-12 * scale) ** 2, 0.0, squares) / np.where(n > 1, n - 1, np.nan)
        cubes = np.bincount(rows.codes, (gap - mean[rows.codes]) ** 3, rows.size)
    found = _paired_t(value_a, value_b, mean, variance, n, options)
    if options.test == "auto":
        with np.errstate(divide="ignore", invalid="ignore"):
            return guarded_pairs(found, cubes / squares**1.5, options.level)
    return found if options.test == "t" else _distribution_free(found, a, b, rows, options)


def _paired_t(
    value_a: Floats, value_b: Floats, mean: Floats, variance: Floats, n: Floats, options: TestOptions
) -> Tested:
    """The paired t of mean differences and the variance of the differences."""
    test = paired_ttest_from_moments(mean, variance, n, options.level)
    notes = np.atleast_1d(np.asarray(test.note))
    texts = [text for text in np.unique(notes) if text]
    return Tested(
        value_a,
        value_b,
        np.asarray(test.ci_low),
        np.asarray(test.ci_high),
        np.asarray(test.statistic),
        np.asarray(test.p_value),
        n,
        test.method,
        np.sqrt(variance / np.where(n > 0, n, np.nan)),
        n - 1,
        n < FEW_ROWS,
        [(notes == text, str(text)) for text in texts],
        mean,
    )


def _distribution_free(found: Tested, a: Floats, b: Floats, rows: Counted, options: TestOptions) -> Tested:
    from dfevals.inference.ranks import sign_flip_permutation, wilcoxon

    order = np.argsort(rows.codes, kind="stable")
    edges = np.searchsorted(rows.codes[order], np.arange(rows.size + 1))
    rng = generator(options.random_state)
    low, high, statistic, p = (np.full(rows.size, np.nan) for _ in range(4))
    method, notes = "", np.full(rows.size, "", dtype=object)
    for i in range(rows.size):
        part = order[edges[i] : edges[i + 1]]
        if options.test == "wilcoxon":
            test = wilcoxon(a[part], b[part], options.level)
        else:
            test = sign_flip_permutation(a[part], b[part], max(options.n_resamples, 999), rng, options.level)
        low[i], high[i], statistic[i], p[i] = test.ci_low, test.ci_high, test.statistic, test.p_value
        notes[i], method = test.note, max(method, test.method, key=len)
    masks = [(notes == text, text) for text in dict.fromkeys(notes) if text]
    return replace(found, low=low, high=high, statistic=statistic, p_value=p, test=method.split(",")[0], masks=masks)


# Ranks


def _ranks(request: Request, rows: ViewRows, options: TestOptions) -> Tested:
    from dfevals.inference.auc import delong_by_group

    kind, around = rank_kind(request)
    if kind not in ("roc_auc", "average_precision", "ks"):
        raise MetricError(f"There is no paired test of {request.label!r} yet. Use test='bootstrap'.")
    area = kind == "roc_auc" and rows.bound.task == "binary"
    _check(options.test, ("delong", "delta", "bootstrap") if area else ("delta", "bootstrap"), request)
    few = few_of(_class_rows(rows), FEW_ROWS)
    slope = float(np.real(around(1.0) - around(0.0)))
    # one row moves the AUC, and KS, by at most the inverse of the size of its class
    most = np.nan if kind == "average_precision" or not rows.plain else slope / _least_class(rows)
    whole = rows.cluster is None and counts_rows(rows.bound)  # a frequency is a number of rows
    if not (area and whole) or options.test == "delta":
        found = _by_influence(request, rows, options, most)
        method = found.test.replace("delta", "DeLong") if area else found.test
        return replace(found, test=method, few=found.few | few)
    label = rows.y_true() == 1
    codes, a, b = rows.codes, rows.score(0), rows.score(1)
    if rows.weight is not None:
        codes, label, a, b = (np.repeat(column, rows.weight.astype(np.intp)) for column in (codes, label, a, b))
    test = delong_by_group(codes, label, a, b, rows.size, options.level)
    notes = np.asarray(test.note)
    alike = (test.estimate == 0) & np.isnan(test.ci_low)
    unseen = _unseen(most, rows.bound, options.level)
    low = np.where(alike, -unseen, slope * np.asarray(test.ci_low))
    high = np.where(alike, unseen, slope * np.asarray(test.ci_high))
    return Tested(
        around(np.asarray(test.auc_a)),
        around(np.asarray(test.auc_b)),
        low,
        high,
        np.asarray(test.statistic),
        np.asarray(test.p_value),
        counts(rows),
        test.method,
        (high - low) / (2 * normal_quantile(options.level)),
        np.full(rows.size, np.inf),
        few,
        [(notes == text, str(text)) for text in np.unique(notes) if text],
    )


def _class_rows(rows: PairedRows) -> Floats:
    """Effective rows of each class in each cohort, or its clusters where rows are not independent."""
    k, size = len(rows.bound.labels), len(rows.bound.labels) * rows.size
    joint, weight, square = rows.y_true().astype(np.intp) * rows.size + rows.codes, rows.weight, rows.square
    if rows.cluster is not None:
        joint, weight, square = np.unique(np.stack([joint, rows.cluster]), axis=1)[0], None, None
    events = np.asarray(np.bincount(joint, weight, size), float)
    squares = np.bincount(joint, square, size)
    return np.divide(events**2, squares, out=np.zeros_like(events), where=squares > 0).reshape(k, rows.size)


def _least_class(rows: PairedRows) -> Floats:
    """Rows of the rarest class of each cohort; NaN where a class is absent."""
    least = _class_rows(rows).min(axis=0)
    return np.where(least > 0, least, np.nan)


def few_of(table: Floats, least: float) -> npt.NDArray[np.bool_]:
    """Cohorts with fewer than `least` rows of a class that occurs, or of one class only; rows are (classes, cohorts)."""
    few = ((table > 0) & (table < least)).any(axis=0)
    return few | ((table > 0).sum(axis=0) < 2)


def few_of_a_class(rows: ViewRows) -> npt.NDArray[np.bool_]:
    """Cohorts with too few rows of a class for the losses of a classifier."""
    events = _class_rows(rows)
    return rare_classes(events, events.sum(axis=1) > 0)


# Everything else


def _by_influence(request: Request, rows: PairedRows, options: TestOptions, most: Floats | float = np.nan) -> Tested:
    """Difference of two influences: plain, weighted or summed within clusters (Liang and Zeger 1986).

    `most` is the greatest change by one row, where it is known, for models that no row tells apart.
    """
    a, b = influence(request, rows, 0), influence(request, rows, 1)
    bound, moved = rows.bound, a.rows - b.rows
    variance, df, method = influence_variance(moved, rows, (a.rows != 0) | (b.rows != 0))
    same = np.bincount(rows.codes, np.abs(moved), rows.size) == 0
    few = few_of(_class_rows(rows), EVENTS) if bound.classifies else np.zeros(rows.size, bool)
    most = most if a.gradient is None else _of_one_row(a.gradient)
    difference = _Difference(
        a.value, b.value, a.centre - b.centre, variance + pseudo_variance(a, b), df, method, (a.support, b.support), few,
        same, a.reason or b.reason, most,
    )  # fmt: skip
    return difference.tested(bound, options)


@dataclass(frozen=True)
class _Difference:
    """Two values, their difference with the variance that tests use, and where no row tells the models apart."""

    value_a: Floats
    value_b: Floats
    centre: Floats
    variance: Floats
    df: Floats
    method: str
    supports: tuple[Floats, Floats]
    few: npt.NDArray[np.bool_]
    same: npt.NDArray[np.bool_]
    reason: str
    most: Floats | float = np.nan

    def tested(self, bound: Bound, options: TestOptions) -> Tested:
        """The test that the difference is 0."""
        gap, q = self.value_a - self.value_b, t_quantile(options.level, self.df)
        defined = ~np.isnan(gap)
        same = self.same & defined
        unseen = np.where(same, _unseen(self.most, bound, options.level), np.nan)
        se = np.where(same, unseen / q, np.where(defined, np.sqrt(self.variance), np.nan))
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = self.centre / se
            p = np.where(same, 1.0, _two_sided(statistic, self.df))
        few = self.few | (self.df + 1 < FEW_ROWS) | (np.minimum(*self.supports) < EVENTS)
        masks = [(~defined, self.reason or "not defined"), (same, "no row tells the models apart")]
        if bound.cluster is not None:
            masks += few_clusters(np.where(defined, self.df + 1, np.nan))
        shown = np.where(np.isnan(se), np.nan, gap)
        return Tested(
            self.value_a,
            self.value_b,
            np.fmin(self.centre - q * se, shown),
            np.fmax(self.centre + q * se, shown),
            np.where(same, np.nan, statistic),
            np.where(defined, p, np.nan),
            self.supports[0],
            self.method,
            se,
            self.df,
            few & defined,
            masks,
            support_b=self.supports[1],
        )


def _unseen(most: Floats | float, bound: Bound, level: float) -> Floats | float:
    """Bound of a difference that no row shows: up to z² rows in the place of these could (Tango's bound without pairs).

    Not where rows come in clusters or with importance weights, of which one could hide more.
    """
    return most * normal_quantile(level) ** 2 if countable(bound) else np.nan


def _of_one_row(gradient: Floats) -> Floats:
    """The greatest change of a function of the cells when one row is predicted otherwise."""
    return np.asarray(np.ptp(gradient, axis=1).max(axis=0))


def influence_variance(moved: Floats, rows: PairedRows, counted: Any = None) -> tuple[Floats, Floats, str]:
    """Variance of Σ w · influence per cohort, its degrees of freedom, and what the method is called.

    Clusters without a row that the metric counts (`counted`) give no degree of freedom.
    """
    weight = rows.weight
    if rows.cluster is not None:
        worth, of_cluster = _clusters(moved if weight is None else moved * weight, rows, counted)
        return np.where(worth.df > 0, worth.variance(of_cluster), np.nan), worth.df, method_of(rows.bound)
    with np.errstate(divide="ignore", invalid="ignore"):
        square = rows.square
        total, power = (np.bincount(rows.codes, x, rows.size) for x in (weight, square))
        n = total**2 / power
        sums = np.bincount(rows.codes, moved**2 if square is None else moved**2 * square, rows.size)
        return np.where(n > 1, sums * n / (n - 1), np.nan), n - 1, method_of(rows.bound)


def method_of(bound: Bound) -> str:
    """What the variance of influences is called."""
    if bound.cluster is not None:
        return "delta, cluster-robust"
    return "delta" if counts_rows(bound) else "delta, weighted"


def _clusters(values: Floats, rows: PairedRows, counted: Any = None) -> tuple[ClusterWorth, Floats]:
    """What the clusters of rows that count are worth, and the sum of the values in each."""
    part = slice(None) if counted is None else counted
    assert rows.cluster is not None
    codes, cluster, values = rows.codes[part].astype(np.int64), rows.cluster[part], values[part]
    weight = np.ones(len(values)) if rows.weight is None else rows.weight[part]
    group = rows.y_true()[part].astype(np.intp) * rows.size + codes if rows.bound.classifies else codes
    width = int(cluster.max(initial=0)) + 1
    pair, inverse = np.unique(codes * width + cluster, return_inverse=True)
    one = values if rows.square is None else values * np.sqrt(rows.square[part]) / weight  # an entry is many rows
    size, total, sums = (np.bincount(inverse, x) for x in (weight * varying(one, weight, group), weight, values))
    return worth_of(size, pair // width, rows.size, total), np.asarray(sums, float)


def _two_sided(statistic: Floats, df: Floats) -> Floats:
    from scipy.special import stdtr

    return np.asarray(2 * stdtr(np.where(df > 0, df, np.nan), -np.abs(statistic)))


# Bootstrap


def _bootstrap(request: Request, rows: PairedRows, options: TestOptions, kind: str) -> Tested:
    """Paired bootstrap: rows (or clusters) drawn once for both models, percentile interval, p by its inversion."""
    if kind == "rows" and isinstance(rows, ViewRows):
        evaluate = _row_values(request, rows)
    else:
        evaluate = _influence_values(request, rows)
    value_a, value_b = evaluate(None)
    drawn = np.array([np.subtract(*evaluate(draw)) for draw in _draws(rows, options, kind)])
    gap = value_a - value_b
    known = (~np.isnan(drawn)).sum(axis=0)
    low, high = _not_rejected(drawn, known, options.level)
    with np.errstate(divide="ignore", invalid="ignore"):
        above, below = (
            (np.where(np.isnan(drawn), False, side).sum(axis=0) + 1) / (known + 1) for side in (drawn >= 0, drawn <= 0)
        )
        p = np.where(np.isnan(gap) | (known == 0), np.nan, np.minimum(2 * np.minimum(above, below), 1.0))
        spread = np.sqrt(np.nanvar(drawn, axis=0)) if known.all() else np.full(rows.size, np.nan)
    n = counts(rows)
    masks: list[tuple[npt.NDArray[np.bool_], str]] = [(np.isnan(gap), "not defined on these rows")]
    masks.append((~np.isnan(gap) & np.isnan(low), "no interval: the resamples are all alike, or too few"))
    worth = n  # what is drawn: rows, or clusters
    if rows.cluster is not None:
        worth = _clusters(np.ones(len(rows.codes)), rows)[0].effective
        masks += [(~np.isnan(gap), "clusters are resampled"), *few_clusters(np.where(np.isnan(gap), np.nan, worth))]
    return Tested(
        value_a, value_b, low, high, np.full(rows.size, np.nan), p, n, f"paired bootstrap, {options.n_resamples} resamples",
        spread, np.full(rows.size, np.inf), worth < FEW_ROWS, masks,
    )  # fmt: skip


def _not_rejected(drawn: Floats, known: Array, level: float) -> tuple[Floats, Floats]:
    """Percentile interval by order statistics, so that it holds 0 where the p of `_bootstrap` is above 1 − level.

    None where all resamples are alike, because rows that do not vary show no spread, or where they are too few.
    """
    ordered = np.sort(drawn, axis=0)  # undefined resamples come last
    rank = np.floor((1 - level) / 2 * (known + 1) + 1e-9).astype(np.intp)
    last = len(ordered) - 1
    low, high = (np.take_along_axis(ordered, at.clip(0, last)[None], 0)[0] for at in (rank - 1, known - rank))
    none = (rank < 1) | (np.fmax.reduce(drawn) - np.fmin.reduce(drawn) <= 0)
    return np.where(none, np.nan, low), np.where(none, np.nan, high)


def _drawn_alone(rows: PairedRows) -> bool:
    """Whether a row stands for several equal ones, of which each is drawn alone."""
    return rows.weight is not None and rows.count is not None and rows.cluster is None


def _draws(rows: PairedRows, options: TestOptions, kind: str) -> Any:
    """Weights of the rows, one array per resample; for metrics of the rows themselves how often each is drawn."""
    from dfevals.estimates.bootstrap import resampled

    rng = generator(options.random_state)
    order = np.argsort(rows.codes, kind="stable")
    codes, cluster, alone = rows.codes[order], rows.cluster, _drawn_alone(rows)
    weighted = rows.weight is not None and (alone or kind != "rows")
    base = rows.weight[order] if weighted and rows.weight is not None else np.ones(len(order))
    cluster = None if cluster is None else cluster[order]
    for _ in range(options.n_resamples):
        weight = np.empty(len(order))
        weight[order] = resampled(codes, rows.size, rng, base, cluster, alone)
        yield weight


def _influence_values(request: Request, rows: PairedRows) -> Callable[[Floats | None], tuple[Floats, Floats]]:
    def evaluate(draw: Floats | None) -> tuple[Floats, Floats]:
        found = [influence(request, rows, j, weight=draw, padded=False).value for j in (0, 1)]
        return found[0], found[1]

    return evaluate


def _row_values(request: Request, rows: ViewRows) -> Callable[[Floats | None], tuple[Floats, Floats]]:
    """Values of a metric of the rows themselves, on the rows drawn."""
    from dfevals.tally.table import RowTally

    order = np.argsort(rows.codes, kind="stable")
    columns = [_columns(request, rows, j) for j in (0, 1)]
    frequency = rows.weight is not None and rows.count is not None

    def evaluate(draw: Floats | None) -> tuple[Floats, Floats]:
        picked, own = _picked(rows, order, draw)
        sizes = np.bincount(rows.codes[picked], minlength=rows.size)
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        tallies = [RowTally(offsets, {name: v[picked] for name, v in c.items()} | own, frequency) for c in columns]
        found = [np.asarray(request.metric(tally).value, float) for tally in tallies]
        return found[0], found[1]

    return evaluate


def _picked(rows: ViewRows, order: Array, draw: Floats | None) -> tuple[Array, dict[str, Array]]:
    """Places of the rows drawn, and what a draw changes: their frequency, or their cluster, new in every copy."""
    if draw is None:
        return order, {}
    if _drawn_alone(rows):
        picked = order[draw[order] > 0]
        return picked, {"sample_weight": draw[picked]}
    times = draw[order].astype(np.intp)
    picked = np.repeat(order, times)
    if rows.cluster is None:
        return picked, {}
    copy = np.arange(len(picked)) - np.repeat(np.cumsum(times) - times, times)
    return picked, {"cluster": rows.cluster[picked] * (int(times.max(initial=0)) + 1) + copy}


def _columns(request: Request, rows: ViewRows, j: int) -> dict[str, Array]:
    """The columns that a metric of rows reads, as the engine would give them."""
    bound, model = rows.aligned.bounds[j], rows.aligned.models[j]
    need: Any = needs_of(request.metric, len(bound.labels), bound.task)[0][0]
    labels = np.array(bound.labels, dtype=object if any(isinstance(v, str) for v in bound.labels) else None)
    columns: dict[str, Array] = {}
    if isinstance(need, Values):
        for i, function in enumerate(need.functions):
            columns[f"value {i}"] = rows.of(j, ("value", function), function)
        return columns | _beside(rows)
    for name in need.names:
        if name == "y_true":
            columns[name] = labels[rows.y_true(j)] if bound.classifies else rows.y_true(j)
        elif name == "y_pred":
            if model.y_pred is not None or (bound.classifies and model.y_score):
                columns[name] = labels[rows.y_pred(j)] if bound.classifies else rows.y_pred(j)
        else:
            columns[name] = rows.of(j, ("outcome", name), partial(Block.outcome, name=name))
    if "y_true" in need.names and model.y_score:
        binary = bound.task == "binary"
        columns["y_score"] = rows.of(j, ("raw", binary), lambda b: b.raw_score if binary else b.raw_scores)
    return columns | _beside(rows)


def _beside(rows: ViewRows) -> dict[str, Array]:
    """Weights and clusters of the rows."""
    both = {"sample_weight": rows.weight, "cluster": rows.cluster}
    return {name: values for name, values in both.items() if values is not None}

"""Two sets of different rows: the difference of one metric in every cohort, with the test that fits its estimand.

Rates: Newcombe's hybrid score interval and the test that inverts it (simulated size as the score test's or less, and the
two never disagree); means: see `means`; areas under the ROC curve: unpaired DeLong; monotone functions of these (RMSE, F1,
Gini) by the test of what they are a function of; everything else, and areas of which one has no variance: the two
intervals joined (MOVER: Zou and Donner 2008) and the test that inverts them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.estimates.estimate import (
    Complement,
    Estimates,
    Options,
    Part,
    cell_slopes,
    estimate,
    rests_on_classes,
)
from dfevals.estimates.events import FEW_OF_A_CLASS
from dfevals.estimates.intervals import delong_variance, interval, rank_worth
from dfevals.estimates.means import (
    difference_of_means,
    guarded_cells,
    guarded_parts,
    guarded_rates,
    guarded_smooth,
)
from dfevals.estimates.tested import FEW_ROWS, Tested, TestOptions, in_range
from dfevals.exceptions import MetricError, did_you_mean
from dfevals.inference.clusters import few_clusters
from dfevals.inference.levels import normal_quantile, t_quantile
from dfevals.inference.tables import two_proportions
from dfevals.metrics.estimands import Mean, MeanOfRatios, Rank, Ratio, SmoothMoments, Through
from dfevals.metrics.planning import needs_of
from dfevals.metrics.registry import Request
from dfevals.needs import Cells, Classes, Moments, Scores
from dfevals.tally import CellTally, ManyCells

__all__ = ["UNPAIRED_TESTS", "unpaired"]

Floats = npt.NDArray[np.float64]
OF_RATES, OF_AREAS = "Newcombe interval and the test that inverts it", "DeLong, unpaired"
UNPAIRED_TESTS = ("two-proportions", "welch", "delong", "delta")
INVERTED = 40  # rows of a class times the share of pairs in the wrong order below which DeLong finds too much
LADDER = (0.999, 0.999999)  # levels at which intervals are made again where the first does not hold 0


def unpaired(
    request: Request,
    a: Part,
    b: Part,
    options: TestOptions,
    labels: tuple[Any, ...],
    task: str,
    known: Estimates | None = None,
) -> Tested:
    """Test the difference between two parts with different rows, cohort by cohort; `known` estimates of the first are used.

    Raises
    ------
    MetricError
        The test asked for is one of pairs.
    """
    if options.test not in ("auto", *UNPAIRED_TESTS):
        raise MetricError(
            f"test={options.test!r} needs the same rows for both sides, but these have different rows. "
            f"{did_you_mean(options.test, ('auto', *UNPAIRED_TESTS), noun='Tests')}"
        )
    straight = replace(request, negated=False)

    def again(level: float) -> tuple[Estimates, Estimates]:
        asked = Options(ci=level, by_class=options.by_class)
        mine = known if level == options.level and not request.negated else None
        first = estimate(straight, a, asked, labels, task) if mine is None else mine
        return first, estimate(straight, b, asked, labels, task)

    need = needs_of(straight.metric, len(labels), task)[0][0]
    pair = _Pair(straight, (a, b), [part.get(need) for part in (a, b)], *again(options.level), options, task, again)
    found = None
    if options.test != "delta" and not options.by_class:
        found = _of_estimand(pair, need)
    if found is None:
        found = pair.joined()
        if isinstance(need, Cells) and not options.by_class:
            found = pair.guarded(found)
    first, second = pair.first, pair.second
    notes = [(np.isnan(e.value), _why(e)) for e in (first, second)]
    for e in (first, second):
        notes += [] if e.clusters is None else few_clusters(np.where(np.isnan(found.gap), np.nan, e.clusters))
    weights = isinstance(need, Cells | Classes | Moments)  # the others count rows
    scale = [a.scale, b.scale] if weights else [1.0, 1.0]
    support, other = first.support * scale[0], second.support * scale[1]
    few = np.minimum(support, other) < FEW_ROWS
    if isinstance(need, Cells) and not options.by_class and _averages_classes(straight, pair.tallies[0], task):
        few = few | _one_sided(*pair.tallies)
    if isinstance(b, Complement):  # as of a cohort that is not marked, whatever its test can do with few events
        few = few | first.few | second.few
    found = replace(found, few=found.few | few, masks=[*found.masks, *notes], support=support, support_b=other)
    found = in_range(replace(found, ancillary=not isinstance(need, Scores)), request.metric.range)
    return found.negated() if request.negated else found


def _averages_classes(request: Request, tally: CellTally | ManyCells, task: str) -> bool:
    """Whether a metric is a mean over the classes that occur, each of which counts alike."""
    if task == "multiclass" and not request.metric.whole:
        return request.average in (None, "macro")
    return isinstance(request.metric(tally.view()), MeanOfRatios)


def _one_sided(a: CellTally | ManyCells, b: CellTally | ManyCells) -> npt.NDArray[np.bool_]:
    """Cohorts in which a class occurs on one side only, so that the means are of different classes."""
    return np.asarray(((a.view().true_totals > 0) != (b.view().true_totals > 0)).any(axis=0))


def _why(estimates: Estimates) -> str:
    return next((text for mask, text in estimates.masks if (mask & np.isnan(estimates.value)).any()), "not defined")


@dataclass(frozen=True)
class _Pair:
    """Estimates of one metric on both sides and what they are made of; `again(level)` makes them at another level."""

    request: Request
    parts: tuple[Part, Part]
    tallies: list[Any]
    first: Estimates
    second: Estimates
    options: TestOptions
    task: str
    again: Callable[[float], tuple[Estimates, Estimates]] | None

    @property
    def sides(self) -> Iterator[tuple[Part, Any]]:
        """Each part with its tally."""
        return zip(self.parts, self.tallies, strict=True)

    @property
    def plain(self) -> bool:
        """Whether rows are independent and count one each."""
        return all(tally.square is None and tally.clusters is None for tally in self.tallies)

    def joined(self) -> Tested:
        """The test by the intervals of both."""
        return _joined(self.first, self.second, self.options.level, self.again)

    def guarded(self, found: Tested) -> Tested:
        """A test of a function of the cells that also holds when rows are dealt to both sides by chance."""
        one, two = self.tallies
        whole = replace(one, clusters=None) + replace(two, clusters=None)
        slopes = cell_slopes(self.request, whole, self.task)
        averaged = self.task == "multiclass" and not self.request.metric.whole
        return guarded_cells(found, slopes, one, two, self.options.level, averaged=averaged)

    def below(self, one: Through, two: Through) -> _Pair:
        """The same for what the metric is a function of."""
        sides = [_below(e, x, self.options.level) for e, x in ((self.first, one), (self.second, two))]
        return replace(self, first=sides[0], second=sides[1], again=None)


def _of_estimand(pair: _Pair, need: Any) -> Tested | None:
    """A test made for the estimand, or for what it is a function of."""
    request, task = pair.request, pair.task
    if not isinstance(need, Cells | Moments | Scores) or (isinstance(need, Scores) and task != "binary"):
        return None
    if isinstance(need, Cells):
        of_a_class = task == "multiclass" and not request.metric.whole
        if request.average not in (None, "micro") or of_a_class or not pair.plain:
            return None
        estimands = [request.metric(t.view()) for t in pair.tallies]
    elif isinstance(need, Moments):
        estimands = [part.as_share(request, request.metric(t.view()), need) for part, t in pair.sides]
    else:
        estimands = [request.metric(t.rank_sums()) for t in pair.tallies]
    return _of_base(pair, *estimands)


def _of_base(pair: _Pair, one: Any, two: Any) -> Tested | None:
    if isinstance(one, Through):
        found = _of_base(pair.below(one, two), one.base, two.base)
        return None if found is None else _through(found, one, pair)
    if isinstance(one, Ratio) or (isinstance(one, Mean) and one.proportion):
        return _rates(pair, one, two) if pair.plain else None
    if isinstance(one, Mean):
        return _means(pair, one)
    if isinstance(one, MeanOfRatios):
        return guarded_parts(pair.joined(), one, two, pair.options.level) if pair.plain else None
    if isinstance(one, SmoothMoments):
        return guarded_smooth(pair.joined(), one, two, pair.options.level)
    if isinstance(one, Rank) and one.kind == "roc_auc":
        return _delong(pair, one, two)
    return None


def _below(found: Estimates, estimand: Through, level: float) -> Estimates:
    """Estimates of what the metric is a function of."""
    bounds, known = interval(estimand.base, level), ~np.isnan(found.value)
    value, low, high = (np.where(known, x, np.nan) for x in (estimand.base.value, bounds.low, bounds.high))
    return replace(found, value=value, low=low, high=high, method=bounds.method)


def _through(found: Tested, estimand: Through, pair: _Pair) -> Tested:
    """The test of what the metric is a monotone function of: its p, and its interval carried over, which holds 0 as before.

    Bounds are differences of the function half of the difference above and below the middle of both values.
    """
    middle, least = (found.value_a + found.value_b) / 2, 0.0 if isinstance(estimand.base, Mean) else -np.inf

    def moved(gap: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = [estimand.f(np.maximum(middle + side * gap / 2, least)) for side in (1, -1)]
        return np.asarray(ends[0] - ends[1])

    ends = [moved(found.low), moved(found.high)]
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.abs((ends[1] - ends[0]) / (found.high - found.low))
    return replace(
        found,
        value_a=pair.first.value,
        value_b=pair.second.value,
        low=np.fmin(*ends),
        high=np.fmax(*ends),
        statistic=-found.statistic if estimand.decreasing else found.statistic,
        se=found.se * scale,
        difference=pair.first.value - pair.second.value,
    )


def _rates(pair: _Pair, one: Any, two: Any) -> Tested:
    """Shares of rows, or means of zeros and ones."""
    if isinstance(one, Ratio):
        counts = [np.asarray(x, float) for share in (one, two) for x in (share.num, share.den)]
    else:
        counts = [x for t in pair.tallies for x in (t.mean[0] * t.n, t.n)]
    k1, n1, k2, n2 = counts
    test = two_proportions(np.rint(k1), n1, np.rint(k2), n2, "newcombe", pair.options.level)
    width = np.asarray(test.ci_high, float) - np.asarray(test.ci_low, float)
    se = width / (2 * normal_quantile(pair.options.level))
    found = _tested(pair.first, pair.second, test, OF_RATES, se, np.inf)
    return guarded_rates(found, k1, n1, k2, n2, pair.options.level)


def _means(pair: _Pair, estimand: Mean) -> Tested:
    """Means of losses."""
    options = pair.options
    a, b = pair.tallies
    test = difference_of_means(a, b, options.level, skewed=options.test != "welch")
    found = _tested(pair.first, pair.second, test, test.method, test.se, test.df)
    masks = [(test.heavy, "too few rows beside the tail of the losses")]
    if not pair.plain:
        masks.append((pair.first.few | pair.second.few, "too few rows"))
    if rests_on_classes(pair.request, estimand, pair.task):
        masks.append((pair.parts[0].rare() | pair.parts[1].rare(), FEW_OF_A_CLASS))
    few = np.logical_or.reduce([mask for mask, _ in masks])
    return replace(found, few=found.few | few, masks=[*found.masks, *masks])


def _tested(first: Estimates, second: Estimates, test: Any, method: str, se: Floats, df: Any) -> Tested:
    notes = np.atleast_1d(np.asarray(test.note))
    return Tested(
        first.value,
        second.value,
        np.asarray(test.ci_low, float),
        np.asarray(test.ci_high, float),
        np.asarray(test.statistic, float),
        np.where(np.isnan(first.value - second.value), np.nan, np.asarray(test.p_value, float)),
        first.support,
        method,
        se,
        np.broadcast_to(np.asarray(df, float), first.value.shape),
        np.zeros(first.value.shape, bool),
        [(notes == text, str(text)) for text in np.unique(notes) if text],
        first.value - second.value,
    )


def _delong(pair: _Pair, one: Rank, two: Rank) -> Tested:
    """Unpaired DeLong with Satterthwaite's degrees of freedom, as pROC has it.

    In small samples areas are skewed and their variance goes with them, so that among 50 equal cohorts of 30 to 100 rows
    some differs at 5 % in .32 to .83 of frames: there the intervals of both sides, joined, must find the difference too.
    """
    first, second, level = pair.first, pair.second, pair.options.level
    parts = [(delong_variance(r), r.sums) for r in (one, two)]
    with np.errstate(divide="ignore", invalid="ignore"):
        variances = [np.where(np.minimum(v[1], v[2]) > 1, v[0], np.nan) for v, _ in parts]
        total = variances[0] + variances[1]
        rows = [(s.n_pos + s.n_neg if s.n_clusters is None else s.n_clusters) - 1 for _, s in parts]
        df = total**2 / (variances[0] ** 2 / rows[0] + variances[1] ** 2 / rows[1])
        se = np.sqrt(total)
        gap = first.value - second.value
        statistic = np.where(se > 0, gap / se, np.nan)
        half = t_quantile(level, df) * se
    sizes = [np.minimum(v[1], v[2]) * rank_worth(s) for v, s in parts]
    least = np.minimum(*sizes)
    found = Tested(
        first.value,
        second.value,
        np.maximum(gap - half, -1),
        np.minimum(gap + half, 1),
        statistic,
        _two_sided(statistic, df),
        first.support,
        OF_AREAS,
        se,
        df,
        least < FEW_ROWS,
    )
    at_end = np.minimum.reduce([np.minimum(e.value, 1 - e.value) for e in (first, second)]) <= 1e-12
    silent = (at_end | ~(np.minimum(*variances) > 0)) & ~np.isnan(gap)  # perfect order, or one row of a class
    inverted = np.min([least * np.minimum(e.value, 1 - e.value) for e in (first, second)], axis=0)
    uneven = 2 * np.minimum(*sizes) < np.maximum(*sizes)  # of equal sizes the skewness cancels
    unsure = (inverted < INVERTED) & uneven & ~silent
    if not (silent | unsure).any():
        return found
    joined = pair.joined()
    hull = replace(
        joined,
        low=np.fmin(found.low, joined.low),
        high=np.fmax(found.high, joined.high),
        statistic=np.where(joined.p_value > found.p_value, joined.statistic, found.statistic),
        p_value=np.fmax(found.p_value, joined.p_value),
    )
    found = replace(_replaced(found, hull, unsure), masks=found.masks)
    return _replaced(found, joined, silent) if silent.any() else found


def _replaced(found: Tested, other: Tested, where: npt.NDArray[np.bool_]) -> Tested:
    """The other test in some cohorts, which a note says."""
    names = ("low", "high", "statistic", "p_value", "se", "df", "few")
    mixed = {name: np.where(where, getattr(other, name), getattr(found, name)) for name in names}
    mixed["few"] |= found.few
    note = "an area without variance, so the intervals of both are joined (MOVER)"
    return replace(found, **mixed, masks=[*found.masks, (where, note)])


def _joined(
    first: Estimates,
    second: Estimates,
    level: float,
    both: Callable[[float], tuple[Estimates, Estimates]] | None = None,
) -> Tested:
    """Difference of two independent estimates from their intervals, and the level at which it would touch 0.

    Far bounds of skewed metrics are not wider in proportion, so where the interval does not hold 0 they are made again
    at the levels of a ladder (by `both`), and the level is interpolated.
    """
    q = normal_quantile(level)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = first.value - second.value
        low, high = _mover(first, second)
        half = np.where(gap > 0, gap - low, high - gap)
        z = gap / np.where(half > 0, half, np.nan) * q
        for further in LADDER:
            if both is None or further <= level or not (np.abs(gap) > half).any():
                break
            far, beyond = _half(*both(further)), normal_quantile(further)
            past = (np.abs(gap) > half) & (far > half)
            inside = q + (beyond - q) * (np.abs(gap) - half) / (far - half)
            z = np.where(past, np.sign(gap) * np.where(np.abs(gap) > far, np.abs(gap) / far * beyond, inside), z)
            half, q = far, beyond
    p = np.where(gap == 0, 1.0, _two_sided(z, np.full(z.shape, np.inf)))
    few = np.broadcast_to(first.few | second.few, gap.shape)
    return Tested(
        first.value,
        second.value,
        low,
        high,
        z,
        np.where(np.isnan(gap), np.nan, p),
        first.support,
        f"MOVER of {first.method}" if first.method else "none",
        (high - low) / (2 * normal_quantile(level)),
        np.full(gap.shape, np.inf),
        few,
    )


def _mover(first: Estimates, second: Estimates) -> tuple[Floats, Floats]:
    """Bounds of a difference from those of two independent estimates."""
    gap = first.value - second.value
    low = gap - np.hypot(first.value - first.low, second.high - second.value)
    high = gap + np.hypot(first.high - first.value, second.value - second.low)
    return low, high


def _half(first: Estimates, second: Estimates) -> Floats:
    """Distance from the difference of two independent estimates to its bound on the side of zero."""
    gap, (low, high) = first.value - second.value, _mover(first, second)
    return np.where(gap > 0, gap - low, high - gap)


def _two_sided(statistic: Floats, df: Any) -> Floats:
    from scipy.special import stdtr

    df = np.asarray(df, float)
    return np.asarray(2 * stdtr(np.where(df > 0, df, np.nan), -np.abs(statistic)))

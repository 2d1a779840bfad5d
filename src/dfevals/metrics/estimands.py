"""What a metric returns: the quantity in a form from which value, support and interval follow.

All arrays have the cohort axis last; leading axes are classes or replicates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.tally import MomentView, RankSums

__all__ = [
    "ClassSums",
    "Estimand",
    "Mean",
    "MeanOfRatios",
    "Rank",
    "Ratio",
    "Smooth",
    "SmoothMoments",
    "Through",
    "Value",
    "divide",
]

Array = npt.NDArray[Any]
BLOCK_ROWS = 1 << 18  # rows whose mean is summed at once


def divide(a: Array, b: Array) -> Array:
    """a / b, and NaN (never a warning) where b is 0."""
    none = b == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(none, np.nan, a / np.where(none, 1, b)) if none.any() else np.asarray(a / b)


@dataclass(frozen=True)
class Ratio:
    """A share: `num` of `den`. Undefined for `reason` where the denominator is 0."""

    num: Array
    den: Array
    reason: str = "no rows"

    @property
    def value(self) -> Array:
        return divide(self.num, self.den)

    @property
    def support(self) -> Array:
        return self.den

    def through(self, f: Callable[[Array], Array], *, decreasing: bool = False) -> Through:
        """The same quantity on another, monotone scale; its interval follows."""
        return Through(self, f, decreasing)


@dataclass(frozen=True)
class MeanOfRatios:
    """Unweighted mean over the first axis of independent shares; undefined ones are left out."""

    num: Array
    den: Array
    reason: str = "no rows of any class"

    @property
    def value(self) -> Array:
        used = self.den != 0
        if used.all():
            return divide(self.num, self.den).mean(axis=0)
        return divide(np.where(used, divide(self.num, self.den), 0).sum(axis=0), used.sum(axis=0))

    @property
    def support(self) -> Array:
        return self.den.sum(axis=0)


@dataclass(frozen=True)
class Smooth:
    """A smooth function of the cells, already evaluated; its interval is by the delta method.

    `events` is the least number of events on which it rests, by which "too few" is judged (by default rows right,
    rows wrong and the rows of each class).
    """

    value: Array
    support: Array
    reason: str = "the cells leave it undefined"
    events: Array | None = None
    sums: ClassSums | None = None


@dataclass(frozen=True)
class ClassSums:
    """A function of sums over the classes, whose derivative costs no more than its value however many classes there are.

    `terms(right, true, pred)` takes the weights of every class that are right, labelled and predicted, (K, ..., cohorts),
    and returns one array per sum; `function` takes the sums.
    """

    terms: Callable[[Array, Array, Array], tuple[Array, ...]]
    function: Callable[..., Array]

    def smooth(self, cells: Any, reason: str) -> Smooth:
        """The function of these cells."""
        sums = [term.sum(axis=0) for term in self.terms(cells.diagonal, cells.true_totals, cells.pred_totals)]
        return Smooth(self.function(*sums), cells.n, reason, sums=self)


@dataclass(frozen=True)
class Mean:
    """Mean of a number of a row; of zeros and ones if `proportion`.

    With `units` it is the mean over units of a share in each, and units without a value are left out with a note.
    """

    moments: MomentView
    reason: str = "no rows"
    proportion: bool = False
    units: bool = False

    @property
    def value(self) -> Array:
        return self.moments.mean[0]

    @property
    def support(self) -> Array:
        return self.moments.n

    def through(self, f: Callable[[Array], Array], *, decreasing: bool = False) -> Through:
        """The same quantity on another, monotone scale; its interval follows."""
        return Through(self, f, decreasing)


@dataclass(frozen=True)
class SmoothMoments:
    """A smooth function of means and central second moments of one or two numbers of a row.

    `function(means, second)` takes the list of means and the dict of central second moments by exponents.
    `scale` is the transform on which the interval is symmetric: "identity", "log", "log1m", "fisher".
    `events` is the number of rows of the rarer kind where the value rests on one; `kurtosis` that of the number whose
    squares it is made of.
    """

    moments: MomentView
    function: Callable[[list[Array], dict[tuple[int, ...], Array]], Array]
    scale: str = "identity"
    reason: str = "no variation"
    events: Array | None = None
    kurtosis: Array | None = None
    memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)  # its variance, once known

    def inputs(self) -> tuple[list[Array], dict[tuple[int, ...], Array]]:
        """Means and second central moments, one array per cohort each."""
        size = len(self.moments.tally.mean)
        seconds: list[tuple[int, ...]] = [(2,)] if size == 1 else [(2, 0), (1, 1), (0, 2)]
        means: list[Array] = list(self.moments.mean)
        found: dict[tuple[int, ...], Array] = {e: self.moments.central(*e) for e in seconds}
        # what the rounding of a mean leaves of a constant is no variance
        noise = np.minimum(self.moments.tally.rows, BLOCK_ROWS) * np.finfo(float).eps
        for j, mean in enumerate(means):
            square = tuple(2 * (i == j) for i in range(size))
            found[square] = np.where(found[square] <= (noise * mean) ** 2, 0.0, found[square])
        return means, found

    @property
    def value(self) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = self.function(*self.inputs())
        return np.where(np.isfinite(found), found, np.nan)

    @property
    def support(self) -> Array:
        return self.moments.n


@dataclass(frozen=True)
class Rank:
    """A ranking quantity from the sums over tie blocks: "roc_auc", "average_precision", "ks", or a share of pairs."""

    kind: str
    sums: RankSums

    @property
    def value(self) -> Array:
        s = self.sums
        pairs = s.pos * s.neg
        if self.kind == "roc_auc":
            return _within(divide(s.concordant + 0.5 * s.tied, pairs))
        if self.kind == "average_precision":
            return _within(divide(s.precision, s.pos))
        if self.kind == "ks":
            return np.where(pairs > 0, s.ks, np.nan)
        if self.kind == "concordant":
            return _within(divide(s.concordant, pairs))
        if self.kind == "tied":
            return _within(divide(s.tied, pairs))
        return _within(divide(pairs - s.concordant - s.tied, pairs))

    @property
    def support(self) -> Array:
        return self.sums.n_pos if self.kind == "average_precision" else self.sums.n_pos + self.sums.n_neg

    @property
    def reason(self) -> str:
        return "no positives" if self.kind == "average_precision" else "only one class"

    def through(self, f: Callable[[Array], Array], *, decreasing: bool = False) -> Through:
        """The same quantity on another, monotone scale; its interval follows."""
        return Through(self, f, decreasing)


def _within(share: Array) -> Array:
    """A share without the rounding that sums of weights leave outside [0, 1]."""
    return np.clip(share, 0.0, 1.0)


@dataclass(frozen=True)
class Value:
    """A number computed from rows: bounds come from `bounds(level)` if there is a formula, or from resampling rows.

    `resample(cohort, rng)` is the value on rows drawn with replacement; `reasons` says per cohort why it is NaN;
    `events` is the number of values expected beyond a quantile on its lesser side, `clusters` the effective number of
    clusters.
    """

    value: Array
    support: Array
    reason: str = "not defined on these rows"
    reasons: tuple[str, ...] = ()
    bounds: Callable[[float], tuple[Array, Array]] | None = None
    method: str = ""
    resample: Callable[[int, np.random.Generator], float] | None = None
    events: Array | None = None
    clusters: Array | None = None


@dataclass(frozen=True)
class Through:
    """A monotone function of another estimand."""

    base: Ratio | Mean | Rank | MeanOfRatios | SmoothMoments | Smooth | Value | Through
    f: Callable[[Array], Array]
    decreasing: bool = False

    @property
    def value(self) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.f(self.base.value)

    @property
    def support(self) -> Array:
        return self.base.support

    @property
    def reason(self) -> str:
        return self.base.reason

    def through(self, f: Callable[[Array], Array], *, decreasing: bool = False) -> Through:
        """The same quantity on another, monotone scale; its interval follows."""
        return Through(self, f, decreasing)


Estimand = Ratio | MeanOfRatios | Smooth | Mean | SmoothMoments | Rank | Value | Through

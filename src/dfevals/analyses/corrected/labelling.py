"""How many labels are still needed, and which rows to label next."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.exceptions import DataError
from dfevals.inference.judged import Judged, labels_alone
from dfevals.inference.levels import normal_quantile
from dfevals.results.tidy import renamed

__all__ = ["CHOSEN", "Labelling", "Plan"]

Floats = npt.NDArray[np.float64]
CHOSEN = ("label_next", "probability")
BINS = 5  # of a judge's scores, within which labels vary about as much
FLOOR = 0.2  # of the greatest spread: no row is sure not to be picked


@dataclass(frozen=True)
class Plan:
    """What decides the width of an interval: the spread of labels, how far the judge follows them, and how many rows there are."""

    value: float
    variance: float
    r2: float
    design: float  # independent labels that a label is worth
    n_human: int
    n_judged: int
    two_valued: bool
    level: float

    @classmethod
    def of(cls, rows: Judged, r2: float, level: float) -> Plan:
        """From the rows of a cohort."""
        alone, n = labels_alone(rows, level), int(rows.labelled.sum())
        if rows.two_valued and n and alone.value in (0.0, 1.0):  # none seen is not none there
            alone = alone if math.isnan(alone.ci_low) else _moved(alone)
        y, share = np.where(rows.labelled, rows.human, 0.0), rows.shares[0]
        variance = float(share @ (y - share @ y) ** 2) if n else np.nan
        design = alone.worth / n if n else np.nan
        return cls(alone.value, variance, r2, design, n, len(rows.judge), rows.two_valued, level)

    def width(self, n: float) -> float:
        """Of the interval with so many labels."""
        z = normal_quantile(self.level)
        all_ = max(self.n_judged * self.design, n * self.design)
        worth = 1 / ((1 - self.r2) / (n * self.design) + self.r2 / all_)
        if not self.two_valued:
            return 2 * z * math.sqrt(self.variance / worth)
        return 2 * z / (worth + z * z) * math.sqrt(self.value * (1 - self.value) * worth + z * z / 4)

    def needed(self, width: float) -> tuple[float, str]:
        """Labels for an interval of this width, and why there is no such number."""
        if self.n_human < 2:
            return np.nan, "no labels to plan from"
        if self.width(self.n_judged) > width:
            return np.nan, f"not reached with all {self.n_judged:,} judged rows labelled"
        low, high = 1, self.n_judged
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.width(middle) <= width else (middle + 1, high)
        return float(low), ""


def _moved(alone: Any) -> Any:
    from dataclasses import replace

    return replace(alone, value=(alone.ci_low + alone.ci_high) / 2)


@dataclass(frozen=True)
class Labelling:
    """Judged rows, of which some are to be labelled next."""

    frame: pd.DataFrame
    places: npt.NDArray[np.intp]
    judge: Floats
    human: Floats
    weight: Floats
    before: Floats | None  # known probabilities of the labels that there are

    def pick(self, n: int, random_state: Any) -> pd.DataFrame:
        """The judged rows with `label_next` and `probability`; see `CorrectedResult.next_labels`."""
        free = np.isnan(self.human)
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or not 1 <= n <= free.sum():
            raise DataError(
                f"next_labels(n={n!r}): n must be a whole number from 1 to the {int(free.sum()):,} judged rows without a label."
            )
        chance = self._chances(int(n), free)
        rng = np.random.default_rng(random_state)
        chosen = np.zeros(len(free), bool)
        chosen[_systematic(np.where(free, chance, 0.0), rng)] = True
        names = renamed(CHOSEN, map(str, self.frame.columns))
        counts_by = np.where(free & ~chosen, np.nan, self._counts_by(chance, free, chosen))
        return self.frame.iloc[self.places].assign(**{names[0]: chosen, names[1]: counts_by})

    def _counts_by(self, chance: Floats, free: npt.NDArray[np.bool_], chosen: npt.NDArray[np.bool_]) -> Floats:
        """By whose inverse a label counts in the mean of two estimates, each unbiased, in fixed shares.

        The labels before, by their own chances; and these labels, each for itself, with the new ones for all other rows.
        Chances drawn up from the labels before must not weigh those labels, which would bias the estimate.
        """
        old = float((~free).sum())
        share = min(old / (old + chosen.sum()), 1 - float(chance[chosen].max()))
        before = np.full(len(free), old / len(free)) if self.before is None else self.before
        with np.errstate(divide="ignore"):
            return np.where(free, chance / (1 - share), 1 / (share / before + 1 - share) if old else 1.0)

    def _chances(self, n: int, free: npt.NDArray[np.bool_]) -> Floats:
        """Chances in proportion to weight × spread of what the judge leaves open, which sum to n over the free rows."""
        size = self.weight * self._spread()
        sure = np.zeros(len(size), bool)
        for _ in range(len(size)):
            left = n - int((sure & free).sum())
            total = float(size[free & ~sure].sum())
            chance = np.where(sure, 1.0, np.minimum(size * (left / total if total > 0 else 0.0), 1.0))
            more = ~sure & (chance >= 1.0)
            if not (more & free).any():
                return chance
            sure |= more
        return chance

    def _spread(self) -> Floats:
        """Standard deviation of the labels around their mean in rows with such a verdict, held towards that of all."""
        known = ~np.isnan(self.human)
        if known.sum() < 2 or np.ptp(self.human[known]) == 0:
            return np.ones(len(self.judge))
        group = self._groups()
        count = np.bincount(group[known])
        count = np.bincount(group[known], minlength=group.max() + 1).astype(float)
        whole = float(np.var(self.human[known]))
        mean = (np.bincount(group[known], self.human[known], len(count)) + 2 * self.human[known].mean()) / (count + 2)
        squares = np.bincount(group[known], (self.human[known] - mean[group[known]]) ** 2, len(count))
        sd = np.sqrt((squares + 2 * whole) / (count + 2))[group]
        return np.asarray(np.maximum(sd, FLOOR * sd.max()), float)

    def _groups(self) -> npt.NDArray[np.intp]:
        """Verdicts, or bins of a judge's scores."""
        distinct, group = np.unique(self.judge, return_inverse=True)
        if len(distinct) <= BINS:
            return group
        cuts = np.quantile(self.judge, np.linspace(0, 1, BINS + 1)[1:-1])
        return np.searchsorted(cuts, self.judge, side="right")


def _systematic(chance: Floats, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Rows picked with exactly these chances, as many as they sum to (systematic sampling in random order; Madow 1949)."""
    order = rng.permutation(len(chance))
    ends = np.cumsum(chance[order])
    n = round(float(ends[-1]))
    ticks = rng.random() + np.arange(n)
    return order[np.minimum(np.searchsorted(ends * (n / ends[-1]), ticks, side="right"), len(order) - 1)]

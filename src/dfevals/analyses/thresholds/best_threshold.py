"""The best threshold of a cohort, how sure it is, and how much better it looks than it will be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.analyses.scores.amounts import AmountSums, above
from dfevals.analyses.scores.score_steps import Steps
from dfevals.analyses.thresholds.objectives import Counts, Objective
from dfevals.estimates.bootstrap import percentiles

__all__ = ["FOLDS", "Candidates", "Choice", "best", "choose"]

Floats = npt.NDArray[np.float64]
FOLDS = 10  # of cross-fitting
LEVELS = 1 << 16  # of a table of quantiles
GREATEST = 255  # mean of which quantiles are tabled
TABLES = 64  # at once: together they lie near the processor
AT_ONCE = 1 << 15  # decisions on resampled rows that are judged at once, for the same reason


@dataclass(frozen=True)
class Candidates:
    """Thresholds of one cohort, descending, with the decisions at each.

    Attributes
    ----------
    threshold, tp, fp : arrays, shape (points,)
    pos, neg : float
    unit : float
        Weight of an effective row.
    money : array, shape (2, 4, points), or None
        Amounts of the positives and negatives that score at least the threshold, and their squares: if acted on, if left.
    """

    threshold: Floats
    tp: Floats
    fp: Floats
    pos: float
    neg: float
    unit: float
    money: Floats | None = None

    @classmethod
    def of(cls, points: Steps, cohort: int, sums: AmountSums | None, square: float) -> Candidates:
        """Of one cohort of the steps, whose squared weights (times the design effect) sum to `square`."""
        at, t = points.of(cohort), points.total
        pos, neg = float(t.pos[cohort]), float(t.neg[cohort])
        unit = float(square / (pos + neg)) if pos + neg > 0 else 1.0
        money = None
        if sums is not None:
            rising, names = points.threshold[at][::-1], ("pos", "neg", "pos_sq", "neg_sq")
            found = [above(tally, rising) for tally in (sums.acted, sums.left)]
            money = np.array([[getattr(part, name)[cohort, ::-1] for name in names] for part in found])
        return cls(points.threshold[at], points.tp[at], points.fp[at], pos, neg, unit, money)

    def counts(self) -> Counts:
        """Decisions at every threshold."""
        amount = None
        if self.money is not None:
            acted, left = self.money[:, :2].sum(axis=1)
            amount = acted + left[-1] - left
        return Counts(self.tp, self.fp, np.asarray(self.pos), np.asarray(self.neg), amount)

    def at(self, index: npt.NDArray[np.intp]) -> Counts:
        """Decisions at some of the thresholds."""
        every = self.counts()
        amount = None if every.amount is None else every.amount[index]
        return Counts(self.tp[index], self.fp[index], every.pos, every.neg, amount)

    def drawn(self, n_resamples: int, rng: np.random.Generator) -> Counts:
        """Decisions on resampled rows, (resamples, points): Poisson counts of the rows between neighbouring thresholds."""
        cells = [np.diff(values, prepend=0.0) for values in (self.tp, self.fp)]
        rows = [poisson(np.maximum(cell, 0) / self.unit, n_resamples, rng) for cell in cells]
        rows = rows if self.unit == 1 else [part * self.unit for part in rows]
        tp, fp = (np.cumsum(part, axis=1, dtype=float) for part in rows)
        amount = None
        if self.money is not None:
            acted, left = (self._amounts(part, cells, rows, rng) for part in self.money)
            amount = acted + left[:, -1:] - left
        return Counts(tp, fp, tp[:, -1:], fp[:, -1:], amount)

    def held_out(self, objective: Objective, repeats: int, rng: np.random.Generator) -> Counts:
        """Decisions on every row at the threshold that the rows of the other folds choose, (repeats,).

        Rows fall into `FOLDS` folds at random. Where rows weigh more than one effective row, they do so together.
        """
        folds = []
        for values in (self.tp, self.fp):
            cell = np.maximum(np.diff(values, prepend=0.0), 0)
            rows = np.where(cell > 0, np.maximum(np.rint(cell / self.unit), 1), 0).astype(np.int64)
            drawn = rng.multinomial(rows, np.full(FOLDS, 1 / FOLDS), (repeats, len(cell))).transpose(0, 2, 1)
            folds.append(np.cumsum(drawn * np.divide(cell, rows, out=np.zeros_like(cell), where=rows > 0), axis=2))
        tp, fp = (values.sum(axis=1, keepdims=True) - values for values in folds)
        picked = objective.merit(Counts(tp, fp, tp[..., -1:], fp[..., -1:])).argmax(axis=2)[..., None]
        tp, fp = (np.take_along_axis(values, picked, 2).sum(axis=(1, 2)) for values in folds)
        return Counts(tp, fp, np.full(repeats, self.pos), np.full(repeats, self.neg))

    def _amounts(self, money: Floats, cells: list[Floats], rows: list[Floats], rng: np.random.Generator) -> Floats:
        """Cumulated amounts of resampled rows, with the mean and variance of the rows between neighbouring thresholds."""
        drawn = np.zeros(rows[0].shape)
        for side in (0, 1):
            amount, square = (np.diff(money[i], prepend=0.0) for i in (side, side + 2))
            mean, second = (
                np.divide(x, cells[side], out=np.zeros_like(x), where=cells[side] > 0) for x in (amount, square)
            )
            spread = np.sqrt(np.maximum(second - mean**2, 0) * rows[side] * self.unit)
            drawn += rows[side] * mean + spread * rng.standard_normal(spread.shape)
        return np.cumsum(drawn, axis=1)


def poisson(mean: Floats, n: int, rng: np.random.Generator) -> npt.NDArray[Any]:
    """Poisson counts, (n, means). Small whole means, which repeat, are read from quantiles: many times faster."""
    values, place = np.unique(mean, return_inverse=True)
    if len(values) > TABLES or (values % 1 != 0).any() or values.max(initial=0) > GREATEST:
        return np.asarray(rng.poisson(mean, (n, len(mean))))
    tables = np.concatenate([_quantiles(int(value)) for value in values]) if len(values) else np.zeros(0, np.int16)
    return tables.take(place * LEVELS + rng.integers(0, LEVELS, (n, len(mean)), dtype=np.uint16))


@lru_cache(maxsize=GREATEST + 1)
def _quantiles(mean: int) -> npt.NDArray[np.int16]:
    """Quantiles of the Poisson distribution at the middles of equal steps of probability."""
    from scipy.special import pdtr

    counts = np.arange(mean + int(8 * np.sqrt(mean)) + 20)
    ends = np.rint(pdtr(counts, mean) * LEVELS).astype(np.int64)
    return np.repeat(counts.astype(np.int16), np.diff(ends, prepend=0))


@dataclass(frozen=True)
class Choice:
    """The best threshold of one cohort.

    Attributes
    ----------
    index : int
        Of the candidate; −1 if there is none.
    threshold, low, high : float
        With the interval that resampling gives.
    value, value_low, value_high, optimism : float
        What is sought at that threshold. The interval is that of the corrected value, `value` − `optimism`, and holds
        the value as it looks too.
    limited, limited_optimism : float
        The quantity that is held to a level, as seen and by how much it looks better than it will be.
    picked : array of int, shape (resamples,)
        Candidates that the resamples choose.
    note : str
    """

    index: int
    threshold: float = np.nan
    low: float = np.nan
    high: float = np.nan
    value: float = np.nan
    value_low: float = np.nan
    value_high: float = np.nan
    optimism: float = np.nan
    limited: float = np.nan
    limited_optimism: float = np.nan
    picked: npt.NDArray[np.intp] | None = None
    note: str = ""


def choose(candidates: Candidates, objective: Objective) -> int:
    """Index of the best candidate, the highest of equals; −1 if none will do."""
    merit = objective.merit(candidates.counts())
    return -1 if not len(merit) or np.isneginf(merit).all() else int(np.argmax(merit))


def best(
    candidates: Candidates, objective: Objective, drawn: Counts, level: float, held: Counts | None = None
) -> Choice:
    """The best threshold with its interval and optimism (Efron 1983; Harrell 2015, section 5.3).

    In every resample the best threshold is chosen anew; the optimism is the mean of its value there less its value on
    the rows themselves. With `held`, decisions at thresholds that other rows chose, it is the value less their value. The
    interval of the threshold holds the central `level` of the thresholds chosen.
    """
    reason = _impossible(candidates, objective)
    at = -1 if reason else choose(candidates, objective)
    if at < 0:
        return Choice(-1, note=reason or f"no threshold reaches {objective.text}")
    picked, possible = _picked(objective, drawn)
    here = candidates.counts()
    chosen_there = _at(drawn, picked)
    value, there = objective.value(here), objective.value(chosen_there)
    optimism = _mean((there - value[picked])[possible])
    limited, limited_there = objective.limited(here), objective.limited(chosen_there)
    limited_optimism = _mean((limited_there - limited[picked])[possible])
    if held is not None:
        optimism = _mean(value[at] - objective.value(held))
        limited_optimism = _mean(limited[at] - objective.limited(held))
    tail = (1 - level) / 2
    chosen = candidates.threshold[picked][possible]
    low, high = np.quantile(chosen, [tail, 1 - tail], method="inverted_cdf") if len(chosen) else (np.nan, np.nan)
    always = objective.value(_at(drawn, np.full(len(picked), at)))
    errors = (there - value[picked])[possible]
    value_low, value_high = _ends(value[at], always, errors, np.nan_to_num(optimism), level, higher=objective.higher)
    if objective.metric is not None:
        value_low, value_high = np.clip([value_low, value_high], *objective.metric.metric.range)
    return Choice(
        at, float(candidates.threshold[at]), float(low), float(high), float(value[at]), float(value_low),
        float(value_high), optimism, float(limited[at]), limited_optimism, picked, _extreme(candidates, objective, at),
    )  # fmt: skip


def _ends(
    value: float, always: Floats, errors: Floats, optimism: float, level: float, *, higher: bool
) -> tuple[float, float]:
    """Interval of the corrected value.

    The choice only flatters, so the good end is that of the value as it looks. The bad end is the worse of two: of the value
    at this threshold, and of the errors that the choice makes on resampled rows, both shifted by the optimism.
    """
    at, (seen_low, seen_high) = percentiles(always, level), percentiles(errors - _mean(errors), level)
    if higher:
        return float(np.fmin(at[0], value - seen_high) - optimism), float(np.fmax(at[1], at[1] - optimism))
    return float(np.fmin(at[0], at[0] - optimism)), float(np.fmax(at[1], value - seen_low) - optimism)


def _picked(objective: Objective, drawn: Counts) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """The candidate that every resample chooses, and whether any would do."""
    size, points = drawn.tp.shape
    picked, possible = np.zeros(size, np.intp), np.zeros(size, bool)
    step = max(AT_ONCE // max(points, 1), 1)
    for start in range(0, size, step):
        part = slice(start, start + step)
        amount = None if drawn.amount is None else drawn.amount[part]
        merit = objective.merit(Counts(drawn.tp[part], drawn.fp[part], drawn.pos[part], drawn.neg[part], amount))
        picked[part] = merit.argmax(axis=1)
        possible[part] = ~np.isneginf(merit).all(axis=1)
    return picked, possible


def _at(drawn: Counts, index: npt.NDArray[np.intp]) -> Counts:
    """Decisions of every resample at one of the candidates."""
    rows = np.arange(len(index))
    amount = None if drawn.amount is None else drawn.amount[rows, index]
    return Counts(drawn.tp[rows, index], drawn.fp[rows, index], drawn.pos[:, 0], drawn.neg[:, 0], amount)


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _impossible(candidates: Candidates, objective: Objective) -> str:
    if candidates.pos + candidates.neg == 0:
        return "no rows"
    if objective.metric is not None and candidates.pos == 0:
        return "no positives"
    return ""


def _extreme(candidates: Candidates, objective: Objective, at: int) -> str:
    if at == 0:
        return "select nobody: " + ("acting never pays" if objective.metric is None else "no threshold does better")
    if at == len(candidates.threshold) - 1 and at > 0:
        return "select everybody: no higher threshold does better"
    return ""

"""Means of human labels from many judged and few labelled rows: prediction-powered, Rogan and Gladen's, or the labels alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfevals.inference.levels import check_level, normal_quantile, t_quantile
from dfevals.inference.proportions import wilson

__all__ = [
    "Corrected",
    "Judged",
    "agreement_of",
    "labels_alone",
    "prediction_powered",
    "rogan_gladen",
    "sensitivity",
    "specificity",
]

Floats = NDArray[np.float64]
PSEUDO_ROWS = (
    4  # one for each pair of a low or high label with a low or high verdict: no agreement is taken as complete
)
FEWEST = 2
WIDER = 1.02  # beyond this, labels alone tell as much as labels and judge


@dataclass(frozen=True)
class Corrected:
    """A corrected mean, its interval, and what the judge is worth."""

    value: float = np.nan
    ci_low: float = np.nan
    ci_high: float = np.nan
    method: str = ""
    worth: float = np.nan  # labels that would know as much alone
    note: str = ""

    def noted(self, note: str) -> Corrected:
        """The same with one more note."""
        return replace(self, note="; ".join(part for part in (self.note, note) if part))

    @property
    def width(self) -> float:
        return self.ci_high - self.ci_low


@dataclass(frozen=True)
class Judged:
    """Judged rows of one cohort.

    Attributes
    ----------
    judge, human : array
        Verdicts and labels; `human` is NaN for rows without a label.
    weight : array
        What a row counts in the mean; 0 or more.
    inverse : array
        1 / the known probability of being labelled, or ones.
    cluster : array of int, optional
        Rows that are not independent of each other.
    two_valued : bool
        Labels are 0 and 1, so the mean is a rate.
    """

    judge: Floats
    human: Floats
    weight: Floats
    inverse: Floats
    cluster: NDArray[np.int64] | None = None
    two_valued: bool = True

    @property
    def labelled(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.human)

    @property
    def shares(self) -> tuple[Floats, Floats]:
        """What every row counts among the labelled, and among all."""
        inside = np.where(self.labelled, self.weight * self.inverse, 0.0)
        return _shares(inside), _shares(self.weight)

    def sums(self, values: Floats) -> Floats:
        """Sums over clusters; the values themselves where rows are independent."""
        if self.cluster is None:
            return values
        return np.bincount(np.unique(self.cluster, return_inverse=True)[1], values).astype(float)

    def rows(self, share: Floats, values: Floats) -> float:
        """Independent rows of equal weight that would know the mean of these values as well (Rao and Scott 1984)."""
        used = share > 0
        equal = used.any() and np.ptp(share[used]) <= 1e-12 * float(share.max())
        if equal and self.cluster is None:
            return float(used.sum())
        values = np.where(used, values, 0.0)
        moves = share * (values - float(share @ values))
        groups = int((self.sums(share) > 0).sum())
        robust = float((self.sums(moves) ** 2).sum()) * groups / max(groups - 1, 1)
        plain = float(share @ (values - float(share @ values)) ** 2)
        most = 1 / max(float((self.sums(share) ** 2).sum()), 1e-300)
        return plain / robust if robust > 1e-15 * plain and groups > 1 and plain > 0 else most

    @property
    def groups(self) -> int:
        """Independent pieces among the labelled rows."""
        return int((self.sums(self.shares[0]) > 0).sum())


def _shares(weight: Floats) -> Floats:
    total = float(weight.sum())
    return weight / total if total > 0 else np.zeros(len(weight))


def labels_alone(rows: Judged, level: float = 0.95) -> Corrected:
    """Mean of the labelled rows: Wilson's interval of a rate, Student's t of a mean.

    Examples
    --------
    >>> one = np.ones(5)
    >>> found = labels_alone(Judged(one, np.array([1.0, 0, 1, np.nan, np.nan]), one, one))
    >>> round(found.value, 3), round(found.ci_low, 3), round(found.ci_high, 3)
    (0.667, 0.208, 0.939)
    """
    check_level(level)
    share = rows.shares[0]
    if not share.any():
        return Corrected(note="no human labels")
    y = np.where(rows.labelled, rows.human, 0.0)
    value = float(share @ y)
    return _interval(rows, value, rows.rows(share, y), _spread(share, y), None, level)


def _spread(share: Floats, values: Floats) -> float:
    """Mean square around the mean."""
    return float(share @ (values - float(share @ values)) ** 2)


def _interval(rows: Judged, value: float, worth: float, variance: float, df: float | None, level: float) -> Corrected:
    """Interval of a mean that `worth` independent labels would have; with `df` by Student's t also of rates."""
    if rows.two_valued:
        z = normal_quantile(level) if df is None and rows.cluster is None else float(t_quantile(level, _least(rows)))
        as_level = math.erf(z / math.sqrt(2))  # Wilson's interval with the quantile of t
        value = min(max(value, 0.0), 1.0)
        found: Any = wilson(value * worth, worth, min(as_level, 1 - 1e-12))
        return Corrected(value, float(found.ci_low), float(found.ci_high), "wilson", worth)
    if rows.groups < FEWEST:
        return Corrected(value, method="t", worth=worth, note="one label has no interval")
    n = rows.groups
    half = float(t_quantile(level, n - 1)) * math.sqrt(variance / worth * n / (n - 1))
    return Corrected(value, value - half, value + half, "t", worth)


def _least(rows: Judged) -> float:
    return max(rows.groups - 1, 1)


def _slope(rows: Judged) -> tuple[float, float]:
    """Tuned power (times the share of all rows) and squared correlation, held back as by pseudo rows without agreement."""
    inside, all_ = rows.shares
    n = rows.groups
    y, f = np.where(rows.labelled, rows.human, 0.0), rows.judge
    mean_y, mean_f = float(inside @ y), float(inside @ f)
    common = float(inside @ ((y - mean_y) * (f - mean_f)))
    spread_f = _spread(all_, f)
    unlabelled = float(all_[~rows.labelled].sum())
    every = int((rows.sums(all_) > 0).sum())
    tuned = common * (every - 1) / every / spread_f if spread_f > 0 and n >= FEWEST else 0.0
    return min(max(tuned, 0.0), 1 / max(unlabelled, 1e-300)), agreement_of(rows)


def agreement_of(rows: Judged) -> float:
    """Squared correlation of labels and verdicts, with one pseudo row in each corner of their ranges."""
    inside, n = rows.shares[0], max(rows.groups, 1)
    y, f = np.where(rows.labelled, rows.human, 0.0), rows.judge
    verdicts = bool(np.isin(f, (0, 1)).all())
    corners = [(v, i) for v in _ends(y, inside, rows.two_valued) for i in _ends(f, inside, verdicts)]
    mass = np.concatenate([inside * n, np.ones(PSEUDO_ROWS)]) / (n + PSEUDO_ROWS)
    a = np.concatenate([y, [pair[0] for pair in corners]])
    b = np.concatenate([f, [pair[1] for pair in corners]])
    both = _spread(mass, a) * _spread(mass, b)
    common = float(mass @ ((a - mass @ a) * (b - mass @ b)))
    return min(common**2 / both, 1.0) if both > 0 and common > 0 else 0.0


def _ends(values: Floats, share: Floats, two: bool) -> tuple[float, float]:
    if two:
        return 0.0, 1.0
    mean, sd = float(share @ values), math.sqrt(_spread(share, values))
    return mean - sd, mean + sd


def prediction_powered(rows: Judged, level: float = 0.95) -> Corrected:
    """PPI++: the mean label, plus the tuned difference of the mean verdicts of all and of the labelled rows.

    The interval is that of the number of labels that would know as much, by Wilson's score with Student's quantile for
    rates; the agreement that decides this number is held back by one pseudo row in each corner, because few labels show few
    disagreements. Where this is wider than labels alone by more than 2 %, the labels alone are the answer.

    Notes
    -----
    Simulated coverage of a nominal 95 % at 100 labels and 1,000 verdicts, rates .02 to .5, judges from useless to 99 % right:
    .944 to .994 (by the central limit theorem .83 to .88 at .02).
    Tuning on the labels biases the value at order 1 / n: a rate of .02 is .016 on average with 100 labels and a judge 99 % right.

    References
    ----------
    Angelopoulos, Duchi & Zrnic (2023), "PPI++: efficient prediction-powered inference".
    """
    alone = labels_alone(rows, level)
    if math.isnan(alone.value):
        return alone
    if np.ptp(rows.judge) == 0:
        return alone.noted("the judge is constant: labels alone")
    if rows.labelled.all():
        return alone.noted("every judged row has a label")
    found = _powered(rows, level)
    if not found.width <= WIDER * alone.width:
        return alone.noted("the judge adds nothing here: labels alone")
    return replace(found, method="ppi++")


def _powered(rows: Judged, level: float) -> Corrected:
    inside, all_ = rows.shares
    tuned, r2 = _slope(rows)
    y, f = np.where(rows.labelled, rows.human, 0.0), rows.judge
    value = float(inside @ y + tuned * (all_ @ f - inside @ f))
    rest = np.where(rows.labelled, y - tuned * f, 0.0)
    n, n_all = rows.rows(inside, rest), rows.rows(all_, f)
    if rows.cluster is not None:  # a cluster may hold labelled and other rows
        n = min(n, rows.rows(inside, y))
    worth = 1 / ((1 - r2) / n + r2 / max(n_all, n))
    return _interval(rows, value, worth, _spread(inside, y), rows.groups - 1, level)


def rogan_gladen(rows: Judged, level: float = 0.95) -> Corrected:
    """Rate of the judge corrected by its sensitivity and specificity, with Lang and Reiczigel's interval.

    References
    ----------
    Rogan & Gladen (1978), "Estimating prevalence from the results of a screening test", Am. J. Epidemiology 107;
    Lang & Reiczigel (2014), "Confidence limits for prevalence of disease adjusted for estimated sensitivity and specificity",
    Preventive Veterinary Medicine 113.
    """
    check_level(level)
    if not rows.shares[0].any():
        return Corrected(note="no human labels")
    (se, n_se), (sp, n_sp) = sensitivity(rows), specificity(rows)
    if math.isnan(se) or math.isnan(sp):
        label, what = ("0", "sensitivity") if math.isnan(se) else ("1", "specificity")
        return Corrected(note=f"all labels are {label}: {what} is unknown")
    if se + sp <= 1:
        return Corrected(note="the judge is no better than chance on the labelled rows")
    all_ = rows.shares[1]
    apparent, n = float(all_ @ rows.judge), rows.rows(all_, rows.judge)
    raw = (apparent + sp - 1) / (se + sp - 1)
    low, high = _lang_reiczigel((apparent, n), (se, n_se), (sp, n_sp), normal_quantile(level))
    value = min(max(raw, 0.0), 1.0)
    note = "" if value == raw else f"truncated from {raw:.3g}"
    return Corrected(value, min(low, value), max(high, value), "rogan-gladen", note=note)


def _lang_reiczigel(
    apparent: tuple[float, float], se: tuple[float, float], sp: tuple[float, float], z: float
) -> tuple[float, float]:
    n = apparent[1] + z * z
    p = (apparent[0] * apparent[1] + z * z / 2) / n
    s, m = (se[0] * se[1] + 1) / (se[1] + 2), se[1] + 2
    c, k = (sp[0] * sp[1] + 1) / (sp[1] + 2), sp[1] + 2
    power = s + c - 1
    if power <= 0:
        return 0.0, 1.0
    rate = (p + c - 1) / power
    moved = 2 * z * z * (rate * s * (1 - s) / m - (1 - rate) * c * (1 - c) / k)
    half = z / power * math.sqrt(p * (1 - p) / n + rate**2 * s * (1 - s) / m + (1 - rate) ** 2 * c * (1 - c) / k)
    return min(max(rate + moved - half, 0.0), 1.0), min(max(rate + moved + half, 0.0), 1.0)


def sensitivity(rows: Judged) -> tuple[float, float]:
    """Share of the rows labelled 1 that the judge calls 1, and the labels that it rests on."""
    return _right(rows, 1.0)


def specificity(rows: Judged) -> tuple[float, float]:
    """Share of the rows labelled 0 that the judge calls 0, and the labels that it rests on."""
    return _right(rows, 0.0)


def _right(rows: Judged, label: float) -> tuple[float, float]:
    share = _shares(np.where(rows.human == label, rows.weight * rows.inverse, 0.0))
    right = (rows.judge == label).astype(float)
    return (float(share @ right), rows.rows(share, right)) if share.any() else (np.nan, 0.0)

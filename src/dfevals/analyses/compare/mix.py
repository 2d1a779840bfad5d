"""How much of an overall change lies within cohorts, and how much in the mix of cohorts (Kitagawa 1955)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.compare.verdicts import Compared
from dfevals.cohorts import Cohorts
from dfevals.results.tidy import framed

__all__ = ["kitagawa", "mix_frame"]

Floats = npt.NDArray[np.float64]


def kitagawa(value_a: Floats, value_b: Floats, share_a: Floats, share_b: Floats) -> tuple[Floats, Floats]:
    """Parts of Σ share_a · value_a − Σ share_b · value_b, per cohort.

    Parameters
    ----------
    value_a, value_b : ndarray (cohorts,)
        Rates or means; a cohort that one side lacks counts with the value of the other.
    share_a, share_b : ndarray (cohorts,)
        Shares of the cohorts, each adding up to 1.

    Returns
    -------
    within, mix : ndarray (cohorts,)
        Their sums add up to the overall difference.

    Examples
    --------
    >>> within, mix = kitagawa(np.array([0.9, 0.5]), np.array([0.8, 0.4]), np.array([0.2, 0.8]), np.array([0.8, 0.2]))
    >>> float(within.sum().round(3)), float(mix.sum().round(3))
    (0.1, -0.24)

    References
    ----------
    Kitagawa (1955), "Components of a difference between two rates", JASA 50.
    """
    a, b = np.where(np.isnan(value_a), value_b, value_a), np.where(np.isnan(value_b), value_a, value_b)
    a, b = np.nan_to_num(a), np.nan_to_num(b)
    return (a - b) * (share_a + share_b) / 2, (share_a - share_b) * (a + b) / 2


def mix_frame(compared: list[Compared], cohorts: Cohorts) -> pd.DataFrame:
    """The split of every pair and metric whose overall value is the average of its cohorts.

    Columns: cohort columns, `metric, a, b, share_a, share_b, difference, within, mix, is_overall`; the overall row
    holds the sums. Metrics that are no averages over rows (AUC, F1, …) have no such split and are left out.
    """
    parts = []
    for item in compared:
        split = _split(item)
        if split is None:
            continue
        share_a, share_b, within, mix = (np.concatenate([[x.sum()], x]) for x in split)
        gap = np.concatenate([[within[0] + mix[0]], within[1:] + mix[1:]])
        columns = {"metric": item.request.label, "a": item.a, "b": item.b, "share_a": share_a, "share_b": share_b}
        columns |= {"difference": gap, "within": within, "mix": mix}
        parts.append(framed(cohorts, np.arange(len(gap)), columns))
    if parts:
        return pd.concat(parts, ignore_index=True)
    own = ["metric", "a", "b", "share_a", "share_b", "difference", "within", "mix"]
    return framed(cohorts, np.zeros(0, np.int64), dict.fromkeys(own, np.zeros(0)))


def _split(item: Compared) -> tuple[Floats, Floats, Floats, Floats] | None:
    tested = item.tested
    if np.ndim(item.a) or len(tested.value_a) < 3:
        return None
    supports = tested.support, tested.support if tested.support_b is None else tested.support_b
    shares = []
    for value, support in zip((tested.value_a, tested.value_b), supports, strict=True):
        total = support[1:].sum()
        if not total > 0:
            return None
        share = np.nan_to_num(support[1:]) / total
        if not np.isclose(np.nansum(share * value[1:]), value[0], rtol=1e-9, atol=1e-12):
            return None  # not an average over the rows of the cohorts
        shares.append(share)
    within, mix = kitagawa(tested.value_a[1:], tested.value_b[1:], *shares)
    return shares[0], shares[1], within, mix

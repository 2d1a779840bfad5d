"""Did both arms of a split get alike traffic? Shares of the rows, and cohorts in which they differ."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from dfevals.cohorts import Cohorts
from dfevals.inference.multiple import holm
from dfevals.inference.tables import two_proportions
from dfevals.inference.traffic import sample_ratio_mismatch

__all__ = ["rows_per_cohort", "traffic_note"]

Ints = npt.NDArray[np.intp]
ALARM = 0.001
"""A mismatch is looked for before every comparison, so the mark is strict (Fabijan et al. 2019)."""


def rows_per_cohort(cohorts: Cohorts, rows: Ints) -> Ints:
    """How many of these rows arrived, overall and in each cohort; also those that cannot be judged."""
    atoms = np.bincount(cohorts.codes[rows], minlength=cohorts.n_atoms)
    return np.array([len(rows), *(atoms[members].sum() for members in cohorts.atoms)], dtype=np.intp)


def traffic_note(a: str, b: str, rows_a: Ints, rows_b: Ints, describe: Callable[[int], str]) -> str:
    """One sentence on the split between two arms.

    The planned shares are not known, so overall they are stated, with what the test of equal shares says; a cohort is
    compared with all other rows (score test, Holm over the cohorts), which needs no plan.

    Parameters
    ----------
    a, b : str
        The arms.
    rows_a, rows_b : array (1 + cohorts,)
        Rows of each arm, overall first.
    describe : callable
        Name of a cohort by its number.
    """
    total = int(rows_a[0] + rows_b[0])
    if not total:
        return f"Traffic: no rows of {a} or {b}."
    text = (
        f"Traffic: {rows_a[0]:,} rows of {a}, {rows_b[0]:,} of {b} ({rows_a[0] / total:.1%} and {rows_b[0] / total:.1%}"
    )
    p = sample_ratio_mismatch([rows_a[0], rows_b[0]]).p_value
    text += f"; if equal shares were planned this is a sample-ratio mismatch, p = {p:.1g})" if p < ALARM else ")"
    if len(rows_a) == 1:
        return text + "."
    return f"{text}; {_cohorts(rows_a, rows_b, describe)}."


def _cohorts(rows_a: Ints, rows_b: Ints, describe: Callable[[int], str]) -> str:
    inside = rows_a[1:] + rows_b[1:]
    others = rows_a[0] + rows_b[0] - inside
    given = two_proportions(rows_a[1:], inside, rows_a[0] - rows_a[1:], others).p_value
    p = np.asarray(holm(np.nan_to_num(np.atleast_1d(given), nan=1.0)))
    worst = int(np.argmin(p))
    if p[worst] >= ALARM:
        return "no cohort has other shares than the rest"
    several = int((p < ALARM).sum())
    more = f" and {several - 1} more" if several > 1 else ""
    return (
        f"sample-ratio mismatch in {describe(worst)}{more} (corrected p = {p[worst]:.1g}): the shares differ from those of "
        "the other rows, so the arms may have got different traffic"
    )

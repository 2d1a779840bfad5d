"""Traffic between the arms of an experiment: did every arm get its planned share of the rows?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfevals.exceptions import DataError
from dfevals.inference.records import HypothesisTest, as_given, label_where

__all__ = ["sample_ratio_mismatch"]

Floats = NDArray[np.float64]
_LEAST_EXPECTED = 5


def sample_ratio_mismatch(counts: ArrayLike, expected: ArrayLike | None = None) -> HypothesisTest:
    """Test whether traffic was split between the arms as planned: Pearson's chi-square test of fit.

    A small p-value means that something upstream chose which rows arrive, so that the arms may differ in more than the
    model. As it is looked at before every comparison, 0.001 is the usual mark (Fabijan et al. 2019).

    Parameters
    ----------
    counts : array (..., arms)
        Rows of each arm; leading axes are cohorts.
    expected : array (arms,) or (..., arms), optional
        Planned shares, or weights in proportion to them; equal shares when absent.

    Returns
    -------
    HypothesisTest
        `statistic`, `p_value`, `df` (arms − 1), `n` (rows), one per cohort. NaN where there are no rows (note "no rows");
        with fewer than 5 rows expected in an arm the note says that the test is rough.

    Raises
    ------
    DataError
        Fewer than two arms, a count that is negative or not finite, or a planned share that is not above 0.

    Examples
    --------
    >>> sample_ratio_mismatch([821588, 815482])
    HypothesisTest(estimate=nan, method='chi-square test of fit', n=1.637e+06, statistic=22.77, p_value=1.822e-06, df=1)
    >>> sample_ratio_mismatch([[50, 50], [95, 5]], expected=[9, 1]).p_value.round(4)
    array([0.    , 0.0956])

    References
    ----------
    Pearson (1900), "On the criterion…", Philosophical Magazine 50. Fabijan et al. (2019), "Diagnosing sample ratio
    mismatch in online controlled experiments", KDD.
    """
    observed = _observed(counts)
    shares = _shares(expected, observed)
    n = observed.sum(axis=-1)
    planned = n[..., None] * shares
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(n > 0, ((observed - planned) ** 2 / planned).sum(axis=-1), np.nan)
    df = float(observed.shape[-1] - 1)
    rough = f"fewer than {_LEAST_EXPECTED} rows expected in an arm: rough"
    return HypothesisTest(
        statistic=as_given(statistic),
        p_value=as_given(_chi_square_tail(statistic, df)),
        df=df,
        n=as_given(n),
        method="chi-square test of fit",
        note=label_where(n.shape, empty=(n == 0, "no rows"), rough=(planned.min(axis=-1) < _LEAST_EXPECTED, rough)),
    )


def _observed(counts: ArrayLike) -> Floats:
    observed = np.asarray(counts, dtype=np.float64)
    if observed.ndim == 0 or observed.shape[-1] < 2:
        raise DataError(
            f"counts needs one number for each of at least two arms in its last axis; shape {observed.shape}."
        )
    if not np.isfinite(observed).all() or (observed < 0).any():
        raise DataError("counts must be numbers of rows: finite and not negative. Fill missing arms with 0.")
    return observed


def _shares(expected: ArrayLike | None, observed: Floats) -> Floats:
    arms = observed.shape[-1]
    weights = np.ones(arms) if expected is None else np.asarray(expected, dtype=np.float64)
    if weights.ndim == 0 or weights.shape[-1] != arms:
        raise DataError(f"expected has shape {weights.shape}, but counts has {arms} arms: one planned share for each.")
    if not np.isfinite(weights).all() or (weights <= 0).any():
        raise DataError(
            "expected must be planned shares above 0, such as [0.9, 0.1]. Leave out arms that should get nothing."
        )
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def _chi_square_tail(statistic: Floats, df: float) -> Floats:
    from scipy.special import chdtrc

    return np.asarray(chdtrc(df, statistic))

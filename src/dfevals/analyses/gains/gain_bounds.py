"""Intervals of the gains table: rates, cumulative gain and lift."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dfevals.inference.levels import normal_quantile
from dfevals.inference.proportions import wilson
from dfevals.metrics.estimands import divide
from dfevals.tally import ScoreTally

__all__ = ["gain_bounds", "lift_bounds"]

Floats = npt.NDArray[np.float64]


def gain_bounds(
    tally: ScoreTally, n_pos: Floats, n: Floats, cum_pos: Floats, cum_n: Floats, level: float
) -> dict[str, Floats]:
    """Bounds of the rate and lift of each bin, the cumulative gain, and the cumulative lift; arrays (cohorts, bins).

    Rate and gain: Wilson. Lift: delta method on the logarithm.
    """
    pos, neg, pos_sq, neg_sq, _, _ = tally.totals()
    design = tally.designs()
    scale = np.nan_to_num(divide(pos + neg, pos_sq + neg_sq))[:, None]  # effective rows per unit of weight
    near, above = scale / design.near[:, None], scale / design.above[:, None]
    own = np.nan_to_num(divide(pos, pos_sq * design.pos))[:, None]
    total_pos, total = pos[:, None], (pos + neg)[:, None]
    out: dict[str, Floats] = {}
    for name, k, size in (
        ("rate", n_pos * near, n * near),
        ("gain", cum_pos * own, np.broadcast_to(total_pos * own, cum_pos.shape)),
    ):
        found = wilson(np.clip(k, 0, size), size, level)
        out |= {f"{name}_low": np.asarray(found.ci_low), f"{name}_high": np.asarray(found.ci_high)}
    whole = (cum_n >= total * (1 - 1e-12)) & (total_pos > 0)
    out["gain_low"] = np.where(whole, 1.0, out["gain_low"])
    for name, k, size, scale in (("lift", n_pos, n, near), ("cum_lift", cum_pos, cum_n, above)):
        low, high = lift_bounds(k * scale, size * scale, total_pos * scale, total * scale, level)
        out |= {f"{name}_low": low, f"{name}_high": high}
    return out


def lift_bounds(k: Floats, n: Floats, total_k: Floats, total_n: Floats, level: float) -> tuple[Floats, Floats]:
    """Bounds of the lift (k / n) / (K / N) of a part of the rows, by the delta method on its logarithm.

    The part's k and the rest's K − k are independent binomial counts; half a row is added to k where it is 0.

    Parameters
    ----------
    k, n : arrays
        Positives and rows of the part.
    total_k, total_n : arrays
        Positives and rows of the whole.
    level : float

    Returns
    -------
    low, high : arrays
        NaN where there are no rows or no positives at all; low is 0 where k is 0.

    References
    ----------
    Katz, Baptista, Azen & Pike (1978), "Obtaining confidence intervals for the risk ratio", Biometrics 34, adapted to a
    part and its whole.
    """
    k, n, total_k, total_n = np.broadcast_arrays(k, n, total_k, total_n)
    some = np.where(k > 1e-9, k, 0.5)
    whole = np.maximum(total_k, some)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside, outside = np.clip(some / n, 0, 1), np.clip((whole - some) / (total_n - n), 0, 1)
        outside = np.where(total_n - n <= 1e-9, 0.0, outside)
        variance = (1 / some - 1 / whole) ** 2 * n * inside * (1 - inside)
        variance = variance + (total_n - n) * outside * (1 - outside) / whole**2
        lift = (some / n) / (whole / total_n)
        factor = np.exp(normal_quantile(level) * np.sqrt(np.maximum(variance, 0)))
        low, high = np.where(k > 1e-9, lift / factor, 0.0), lift * factor
    undefined = (n <= 0) | (total_k <= 0)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)

"""What kind of change it is: of labels, of scores, or of what a score means."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.exceptions import DfevalsError
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model

__all__ = ["shifts"]

Floats = npt.NDArray[np.float64]
STRATA = 10
COLUMNS = (
    "model",
    "shift",
    "effect",
    "effect_low",
    "effect_high",
    "p_value",
    "strata",
    "n",
    "n_reference",
    "verdict",
    "note",
)


def shifts(bound: Bound, reference: pd.DataFrame, *, level: float, alpha: float) -> pd.DataFrame:
    """Change of the mean label (label shift), of the mean score or prediction, and of the label within equal scores.

    The last, the concept, is the change that no shift of the features explains: the difference of the mean label between
    rows of the same tenth of the score, weighted by the rows here (a stratified difference). For numbers the residual within
    tenths of the prediction takes the label's place.

    Returns
    -------
    DataFrame
        `model, shift, effect, effect_low, effect_high, p_value, strata, n, n_reference, verdict, note`.
    """
    if bound.task not in ("binary", "regression") or bound.roles.y_true not in reference:
        return pd.DataFrame(columns=COLUMNS)
    try:
        other = bound.take(reference)
    except (DfevalsError, KeyError, ValueError):
        return pd.DataFrame(columns=COLUMNS)
    rows = []
    for model in bound.models:
        try:
            now, then = _pair(bound, model), _pair(other, model)
        except (DfevalsError, KeyError):
            continue
        if now is None or then is None or min(len(now[0]), len(then[0])) < 2 * STRATA:
            continue
        for name, found in _compared(then, now):
            rows.append({"model": model.name, "shift": name} | _row(found, level, alpha, len(now[0]), len(then[0])))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _pair(bound: Bound, model: Model) -> tuple[Any, ...] | None:
    """Labels, scores (or predictions), weights and clusters of the rows that have both."""
    name = model.y_score[0] if model.y_score else model.y_pred if bound.task == "regression" else None
    if name is None or bound.roles.y_true is None:
        return None
    score = bound.numbers(name, "y_score").all()
    if bound.task == "binary":
        codes = bound.codes(bound.roles.y_true, "y_true")
        label = np.where(codes < 0, np.nan, codes == 1)
    else:
        label = bound.numbers(bound.roles.y_true, "y_true").all()
    weight = np.ones(len(score)) if bound.weight is None else bound.weight.all()
    if model.key is not None:
        weight = np.where(bound.codes_of_models() == bound.models.index(model), weight, 0.0)
    cluster = np.arange(len(score)) if bound.cluster is None else bound.cluster[0]
    good = np.isfinite(label) & np.isfinite(score) & (weight > 0) & (cluster >= 0)
    return label[good], score[good], weight[good], np.unique(cluster[good], return_inverse=True)[1]


Found = tuple[float, float, int, str]


def _compared(then: tuple[Any, ...], now: tuple[Any, ...]) -> list[tuple[str, Found]]:
    return [
        ("label", _difference(then[0], then, now[0], now)),
        ("score", _difference(then[1], then, now[1], now)),
        ("concept", _within(then, now)),
    ]


def _difference(a: Floats, then: tuple[Any, ...], b: Floats, now: tuple[Any, ...]) -> Found:
    (x, vx), (y, vy) = _mean(a, then[2], then[3]), _mean(b, now[2], now[3])
    return y - x, float(np.sqrt(vx + vy)), 1, ""


def _mean(values: Floats, weights: Floats, clusters: npt.NDArray[Any]) -> tuple[float, float]:
    """Weighted mean and its variance over clusters."""
    total = weights.sum()
    mean = float((weights * values).sum() / total)
    sums = np.bincount(clusters, weights * (values - mean))
    owners = int((np.bincount(clusters) > 0).sum())
    return mean, float((sums**2).sum() / total**2) * owners / max(owners - 1, 1)


def _within(then: tuple[Any, ...], now: tuple[Any, ...]) -> Found:
    """The stratified difference, and how many tenths of the score both sides share."""
    known = np.sort(then[1])
    edges = np.unique(known[(np.arange(1, STRATA) * len(known)) // STRATA])
    a, b = (np.searchsorted(edges, side[1], "right") for side in (then, now))
    total = now[2].sum()
    effect = variance = used = 0.0
    strata = 0
    for k in range(len(edges) + 1):
        old, new = a == k, b == k
        if old.sum() < 2 or new.sum() < 2:
            continue
        share = now[2][new].sum() / total
        before, after = (tuple(part[mask] for part in side) for side, mask in ((then, old), (now, new)))
        difference, error, _, _ = _difference(before[0] - before[1], before, after[0] - after[1], after)
        effect, variance, used, strata = (
            effect + share * difference,
            variance + (share * error) ** 2,
            used + share,
            strata + 1,
        )
    if not used:
        return np.nan, np.nan, 0, "no tenth of the score holds rows of both"
    note = "" if used > 0.9995 else f"{1 - used:.1%} of the rows have scores that the reference hardly has"
    return effect / used, float(np.sqrt(variance)) / used, strata, note


def _row(found: Found, level: float, alpha: float, n: int, m: int) -> dict[str, Any]:
    from scipy import stats

    effect, error, strata, note = found
    reach = stats.norm.ppf((1 + level) / 2) * error
    p = float(2 * stats.norm.sf(abs(effect) / error)) if error > 0 else (1.0 if effect == 0 else 0.0)
    p = np.nan if not np.isfinite(effect) else p
    verdict = "not compared" if np.isnan(p) else "changed" if p < alpha else "no evidence"
    bounds = {"effect": effect, "effect_low": effect - reach, "effect_high": effect + reach, "p_value": p}
    return bounds | {"strata": strata, "n": n, "n_reference": m, "verdict": verdict, "note": note}

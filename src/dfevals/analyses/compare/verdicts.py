"""From tests to answers: corrected p-values, equivalence within a margin, verdicts and warnings of Simpson's paradox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.estimates.tested import Tested, correct_for_looks
from dfevals.exceptions import DataError, did_you_mean
from dfevals.inference.multiple import correct
from dfevals.metrics.registry import Request

__all__ = ["Compared", "decide", "margin_of", "simpson"]

Floats = npt.NDArray[np.float64]
NO_EVIDENCE, EQUIVALENT, TOO_FEW, DIFFERENT = "no evidence", "equivalent", "too few", "different"


@dataclass
class Compared:
    """One metric of one pair of contenders, overall (first) and in every cohort."""

    request: Request
    a: Any
    b: Any
    tested: Tested
    n: Floats
    corrected: Floats | None = None
    verdict: npt.NDArray[np.object_] | None = None


def margin_of(margin: float | Mapping[str, float] | None, request: Request) -> float | None:
    """The margin of a metric.

    Raises
    ------
    DataError
        It is not a positive number.
    """
    found = margin.get(request.label) if isinstance(margin, Mapping) else margin
    if found is None:
        return None
    value = float(found)
    if not value > 0:
        raise DataError(
            f"margin={found!r} must be a positive number: the difference in {request.label!r} that does not matter."
        )
    return value


def check_margins(margin: float | Mapping[str, float] | None, requests: tuple[Request, ...]) -> None:
    """Refuse margins of metrics that are not compared."""
    labels = [r.label for r in requests]
    for name in margin if isinstance(margin, Mapping) else ():
        if name not in labels:
            raise DataError(
                f"margin= names {name!r}, which is not compared. {did_you_mean(name, labels, noun='Metrics')}"
            )


def decide(family: list[Compared], correction: str | None, alpha: float, margin: float | None) -> None:
    """Corrected p-values and verdicts of the pairs compared by one metric.

    Overall rows of all pairs are one family of tests and cohort rows of all pairs another. "Equivalent" needs more than
    a small p: the interval shown lies inside the margin.
    """
    for part in (slice(0, 1), slice(1, None)):
        corrected = correct_for_looks([c.tested for c in family], correction, part)
        equivalent = np.zeros(corrected.shape, bool)
        if margin is not None:
            outside = np.stack([np.where(c.tested.few, np.nan, _outside(c.tested, margin))[part] for c in family])
            shown = np.stack([((c.tested.low > -margin) & (c.tested.high < margin))[part] for c in family])
            equivalent = shown & (correct(outside, correction) < alpha)
        for row, compared in enumerate(family):
            size = len(compared.tested.p_value)
            if compared.corrected is None or compared.verdict is None:
                compared.corrected, compared.verdict = np.full(size, np.nan), np.full(size, "", dtype=object)
            compared.corrected[part] = corrected[row]
            compared.verdict[part] = _verdicts(compared, corrected[row], equivalent[row], part, alpha)


def _outside(tested: Tested, margin: float) -> Floats:
    """p of two one-sided tests: small where the difference lies within ±margin; NaN where it has no interval."""
    from scipy.special import stdtr

    centre = (tested.low + tested.high) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (margin - np.abs(centre)) / tested.se
    df = np.where(tested.df > 0, tested.df, np.nan)
    return np.asarray(stdtr(df, -t))


def _verdicts(compared: Compared, corrected: Floats, equivalent: Any, part: slice, alpha: float) -> Any:
    tested = compared.tested
    gap, few = tested.gap[part], tested.few[part]
    out = np.full(gap.shape, NO_EVIDENCE, dtype=object)
    found = corrected < alpha
    better = compared.request.better
    names = [
        np.broadcast_to(np.asarray(name, dtype=object), tested.gap.shape)[part] for name in (compared.a, compared.b)
    ]
    if better in ("higher", "lower"):
        first = gap > 0 if better == "higher" else gap < 0
        out[found & first], out[found & ~first] = names[0][found & first], names[1][found & ~first]
    elif better in ("zero", "one"):
        target = 0.0 if better == "zero" else 1.0
        first = np.abs(tested.value_a - target)[part] < np.abs(tested.value_b - target)[part]
        out[found & first], out[found & ~first] = names[0][found & first], names[1][found & ~first]
    else:
        out[found] = DIFFERENT
    out[equivalent] = EQUIVALENT
    out[few | np.isnan(tested.p_value[part])] = TOO_FEW
    return out


def simpson(compared: Compared, describe: Any) -> str:
    """A warning where the overall verdict and verdicts of cohorts disagree; "" where they do not."""
    assert compared.verdict is not None
    overall, cohorts = compared.verdict[0], compared.verdict[1:]
    gap = compared.tested.gap
    if not len(cohorts) or np.ndim(compared.a):
        return ""
    names = {compared.a, compared.b}
    known = np.flatnonzero(~np.isnan(gap[1:]))
    label = compared.request.label
    if overall in names and len(known) > 1 and (gap[1:][known] * gap[0] < 0).all():
        return (
            f"Simpson's paradox in {label}: overall {overall} is better, but in every cohort it is the other way round. "
            "The cohorts differ in size between the two; see .mix for how much of the overall change that is."
        )
    against = [i for i, verdict in enumerate(cohorts) if overall in names and verdict in names - {overall}]
    if not against:
        return ""
    shown = ", ".join(describe(i) for i in against[:3]) + (f" and {len(against) - 3} more" if len(against) > 3 else "")
    return f"{label}: {overall} is better overall, but not everywhere: {cohorts[against[0]]} is better in {shown}."

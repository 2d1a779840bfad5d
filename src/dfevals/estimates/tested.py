"""What a test of a difference returns, and how it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.inference.multiple import correct

__all__ = ["FEW_ROWS", "TestOptions", "Tested", "correct_for_looks", "in_range", "joined"]

Floats = npt.NDArray[np.float64]
FEW_ROWS = 10


@dataclass(frozen=True)
class TestOptions:
    """How differences are tested."""

    __test__ = False
    level: float = 0.95
    test: str = "auto"
    n_resamples: int = 1000
    random_state: Any = 0
    by_class: bool = False


@dataclass(frozen=True)
class Tested:
    """The comparison of one metric in every cohort; arrays of shape (cohorts,).

    `se` and `df` describe the difference for tests against a margin; `few` marks cohorts too small for a verdict;
    `ancillary` says that the support does not depend on the value (that of average precision, the positives, does).
    """

    __test__ = False
    value_a: Floats
    value_b: Floats
    low: Floats
    high: Floats
    statistic: Floats
    p_value: Floats
    support: Floats
    test: str
    se: Floats
    df: Floats
    few: npt.NDArray[np.bool_]
    masks: list[tuple[npt.NDArray[np.bool_], str]] = field(default_factory=list)
    difference: Floats | None = None
    support_b: Floats | None = None
    ancillary: bool = True

    def row(self, i: int) -> Tested:
        """One class of a comparison by class."""
        arrays = {name: getattr(self, name)[i] for name in (*_ARRAYS, "few")}
        return replace(self, **arrays, masks=[])

    @property
    def tested(self) -> Floats:
        """p-values that are corrected together.

        Cohorts with too few rows are no tests. Those with too few events for a verdict are, with p = 1: which cohorts
        they are depends on what is tested, so that leaving them out would pick the cohorts in which much happened.
        """
        support = self.support if self.support_b is None else np.minimum(self.support, self.support_b)
        few = np.where((support < FEW_ROWS) & self.ancillary, np.nan, 1.0)
        return np.where(self.few & ~np.isnan(self.p_value), few, self.p_value)

    @property
    def gap(self) -> Floats:
        """First less second."""
        return self.value_a - self.value_b if self.difference is None else self.difference

    def negated(self) -> Tested:
        """The same for the metric with the other sign."""
        return replace(
            self,
            value_a=-self.value_a,
            value_b=-self.value_b,
            low=-self.high,
            high=-self.low,
            statistic=self.statistic if "McNemar" in self.test else -self.statistic,
            difference=None if self.difference is None else -self.difference,
        )


def correct_for_looks(tests: list[Tested], correction: str | None, part: slice) -> Floats:
    """Corrected p-values of a part of the cohorts, (tests, cohorts); NaN where there is too little for a verdict."""
    corrected = correct(np.stack([t.tested[..., part] for t in tests]), correction)
    return np.where(np.stack([t.few[..., part] for t in tests]), np.nan, corrected)


def in_range(found: Tested, limits: tuple[float, float]) -> Tested:
    """The same, with a difference that no two values of a metric of this range can exceed."""
    span = limits[1] - limits[0]
    if not np.isfinite(span):
        return found
    return replace(found, low=np.maximum(found.low, -span), high=np.minimum(found.high, span))


def joined(parts: list[tuple[npt.NDArray[Any], Tested]], size: int) -> Tested:
    """One Tested over all cohorts from those of groups of cohorts and their places."""
    shape = (*parts[0][1].value_a.shape[:-1], size)
    arrays = {name: np.full(shape, np.nan) for name in _ARRAYS}
    few, masks = np.zeros(shape, bool), []
    for at, tested in parts:
        for name, out in arrays.items():
            given = getattr(tested, name)
            if given is None:
                given = tested.gap if name == "difference" else tested.support
            out[..., at] = given
        few[..., at] = tested.few
        for mask, text in tested.masks:
            wide = np.zeros(shape, bool)
            wide[..., at] = mask
            masks.append((wide, text))
    return Tested(**arrays, few=few, masks=masks, test=parts[-1][1].test, ancillary=parts[-1][1].ancillary)


_ARRAYS = (
    *("value_a", "value_b", "low", "high", "statistic", "p_value"),
    *("support", "se", "df", "difference", "support_b"),
)

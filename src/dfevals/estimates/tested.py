"""What a test of a difference returns, and how it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FEW_ROWS", "TestOptions", "Tested"]

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


@dataclass(frozen=True)
class Tested:
    """The comparison of one metric in every cohort; arrays of shape (cohorts,).

    `se` and `df` describe the difference for tests against a margin; `few` marks cohorts too small for a verdict.
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

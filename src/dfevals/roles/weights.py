"""The range of weights: what they may be, and whether they are all equal and so say nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dfevals.columns.numbers import BLOCK, Numbers
from dfevals.exceptions import DataError
from dfevals.roles.declared import Roles

__all__ = ["WeightRange", "weight_range"]

EQUAL = 1e-12  # weights that differ by less are equal
WEIGHTS = (1e-15, 1e50)  # the greatest weight; beyond, variances (which hold fourth powers) would be lost


@dataclass(frozen=True)
class WeightRange:
    """The greatest weight, and the least above 0."""

    greatest: float = 0.0
    least: float = math.inf

    def __or__(self, other: WeightRange) -> WeightRange:
        return WeightRange(max(self.greatest, other.greatest), min(self.least, other.least))

    def equal(self, roles: Roles) -> bool:
        """Whether importance weights are all equal, so that they say nothing.

        Raises
        ------
        DataError
            Weights whose powers leave the range of numbers.
        """
        name = roles.sample_weight
        if self.greatest and not WEIGHTS[0] <= self.greatest <= WEIGHTS[1]:
            raise DataError(
                f"sample_weight column {name!r} holds weights of at most {self.greatest:g}, whose squares and products "
                f"leave the range of numbers. Only ratios matter: divide them, df[{name!r}] / df[{name!r}].max()."
            )
        return roles.weight_kind == "importance" and 0 < self.greatest <= self.least * (1 + EQUAL)


def weight_range(numbers: Numbers, n: int, roles: Roles, first: int = 0) -> WeightRange:
    """The range of `n` weights, of which the first is that of row `first`.

    Raises
    ------
    DataError
        Negative or infinite weights; for frequency weights, fractions.
    """
    found = WeightRange()
    for start in range(0, n, BLOCK):
        block = numbers.block(start, start + BLOCK)
        _check(block, roles, first + start)
        greatest = float(np.fmax.reduce(block, initial=0.0))
        found |= WeightRange(greatest, float(np.fmin.reduce(block[block > 0], initial=np.inf)))
    return found


def _check(block: npt.NDArray[np.float64], roles: Roles, first: int) -> None:
    name = roles.sample_weight
    bad = block < 0
    if bad.any():
        raise DataError(
            f"sample_weight column {name!r} has negative weights, such as {block[bad][0]:g} at row "
            f"{first + int(np.argmax(bad))}. Weights must be 0 or more."
        )
    if np.isinf(block).any():
        raise DataError(f"sample_weight column {name!r} has infinite weights. Weights must be finite.")
    if roles.weight_kind == "frequency" and (np.nan_to_num(block) % 1 != 0).any():
        raise DataError(
            f"sample_weight column {name!r} has fractions, but weight_kind='frequency' counts repeated rows. "
            "Use weight_kind='importance'."
        )

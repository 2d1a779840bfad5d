"""What an interval is, and what the interval of a function of confusion cells reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.tally import CellTally, CellView, ManyCells, MarginView

__all__ = ["ROUNDING", "Bounds", "CellContext"]

Floats = npt.NDArray[np.float64]
ROUNDING = 1e-15


@dataclass(frozen=True)
class Bounds:
    """An interval for every cohort (and class): bounds and the method's name.

    `few` marks intervals on too few events to hold their level, unless the method `holds` it with few events too.
    `clusters` is the effective number of clusters on which they rest.
    """

    low: Floats
    high: Floats
    method: str
    few: npt.NDArray[np.bool_] | None = None
    few_text: str = ""
    notes: tuple[str, ...] = ()
    n_eff: Floats | None = None
    variance: Floats | None = field(default=None, repr=False)
    holds: bool = False
    clusters: Floats | None = None


@dataclass(frozen=True)
class CellContext:
    """What the interval of a function of the cells needs besides its value: the cells and the function itself."""

    tally: CellTally | ManyCells
    view: CellView | MarginView
    function: Callable[[Any], Any]
    whole: bool
    range: tuple[float, float]

    @property
    def plain(self) -> bool:
        """Whether the cells are counts of independent rows."""
        return self.tally.square is None and self.tally.clusters is None

    @property
    def pseudo_row(self) -> Floats:
        """Weight of a pseudo-row: Σw² / Σw, which is 1 without weights."""
        total, square = self.tally.total, self.tally.total_square
        return np.divide(square, total, out=np.ones_like(total), where=total > 0)

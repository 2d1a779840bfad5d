"""Whether a loss of a classifier rests on enough rows of every class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["EVENTS", "FEW_OF_A_CLASS", "rare_classes"]

EVENTS = 5 - 1e-9  # (less rounding) rows of a class below which its losses are not known
FEW_OF_A_CLASS = "too few rows of a class"


def rare_classes(events: npt.NDArray[np.float64], occurs: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Cohorts in which the classes with fewer than five rows have fewer than five together.

    Where nothing happened the loss says nothing about what happens: it is small, and alike for all rows, and a model
    that takes every risk for half of what it is looks better.

    Parameters
    ----------
    events : array (classes, cohorts)
        Effective rows of every class.
    occurs : array (classes,)
        Classes that occur in any cohort; of two classes both count.
    """
    counted = np.ones(len(events), bool) if len(events) == 2 else occurs
    scarce = (events < EVENTS) & counted[:, None]
    few = scarce.any(axis=0) & (np.where(scarce, events, 0).sum(axis=0) < EVENTS)
    return np.asarray(few & (events.sum(axis=0) > 0))

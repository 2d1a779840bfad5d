"""What an engine must do; a new one needs these two methods and one line in the dispatch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.needs import Need
from dfevals.tally.table import ModelTally

__all__ = ["Engine"]


class Engine(Protocol):
    """A source of rows."""

    def collect(self, model: Any, cohorts: Any, needs: Iterable[Need]) -> ModelTally:
        """One pass: the tallies of one model for all needs and cohorts."""
        ...

    def rows(self, mask: npt.NDArray[np.bool_]) -> pd.DataFrame:
        """The rows of a mask."""
        ...

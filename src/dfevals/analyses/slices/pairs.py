"""Joint counts of all pairs of binned columns."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from dfevals.analyses.slices.family import Family, family_of
from dfevals.analyses.slices.search import Run
from dfevals.exceptions import DataError
from dfevals.results.result import Result
from dfevals.results.tidy import as_texts

__all__ = ["PairsResult", "pairs"]


class PairsResult(Result):
    """Every pair of conditions of two columns: `column_a, column_b, condition_a, condition_b, n, support, value, errors`.

    `errors` is the sum of the metric's numbers (of weights times numbers where rows are weighted). Rows of values that are too
    rare for a slice have the condition "(rest)".
    """

    _tab = ""

    def grid(self, a: str, b: str, values: str = "value") -> pd.DataFrame:
        """One pair of columns as a table: the conditions of `a` down, those of `b` across."""
        frame = self._frame
        for first, second, across in ((a, b, False), (b, a, True)):
            part = frame[(frame["column_a"] == first) & (frame["column_b"] == second)]
            if len(part):
                rows, columns = part["condition_a"].unique(), part["condition_b"].unique()
                table = part.pivot(index="condition_a", columns="condition_b", values=values).loc[rows, columns]
                return table.T if across else table
        names = sorted({*frame["column_a"], *frame["column_b"]})
        raise DataError(f"There is no pair of {a!r} and {b!r}. Columns: {', '.join(names)}.")


def pairs(run: Run, described: dict[str, Any]) -> PairsResult:
    """All tables of two columns."""
    family = run.family
    if len(run.features.used) < 2:
        raise DataError("Pairs need two columns that can be searched.")
    if family.depth < 2:
        family = family_of(run.features.used, run.losses, 2, run.asked.min_n, run.asked.min_share)
    parts = [_pair(family, a, b) for a, b in combinations(range(len(family.features)), 2)]
    return PairsResult(pd.concat(parts, ignore_index=True), **described)


def _pair(family: Family, a: int, b: int) -> pd.DataFrame:
    one, two = family.features[a], family.features[b]
    start = family.tables[a, b]
    cells = slice(start, start + one.size * two.size)
    first, second = np.divmod(np.arange(one.size * two.size), two.size)
    rows, support, weight, total = (family.sums[name][cells] for name in ("rows", "support", "weight", "total"))
    texts = [[condition or "(rest)" for condition in f.conditions] for f in (one, two)]
    return pd.DataFrame(
        {
            "column_a": one.name,
            "column_b": two.name,
            "condition_a": as_texts(texts[0], first),
            "condition_b": as_texts(texts[1], second),
            "n": np.rint(rows).astype(np.int64),
            "support": support,
            "value": np.divide(total, weight, out=np.full(len(total), np.nan), where=weight > 0),
            "errors": total,
        }
    )

"""Decisions at many thresholds in many cohorts at once, read from sorted scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.analyses.scores.score_steps import rows_below, sums_below
from dfevals.analyses.thresholds.costs import Costs
from dfevals.analyses.thresholds.objectives import Counts, cell_value
from dfevals.metrics.registry import Request
from dfevals.tally import ScoreTally

__all__ = ["threshold_table"]

Floats = npt.NDArray[np.float64]


def threshold_table(
    tally: ScoreTally, thresholds: Floats, metrics: Sequence[Request], costs: Costs, amount: Floats | None = None
) -> dict[str, Any]:
    """Counts, metrics and mean cost of selecting the rows that score at least each threshold.

    Parameters
    ----------
    tally : ScoreTally
    thresholds : array, shape (thresholds,)
        Ascending.
    metrics : sequence of Request
        Metrics of binary decisions.
    costs : Costs
    amount : array, shape (cohorts, thresholds), optional
        Total cost, where there are columns of amounts.

    Returns
    -------
    dict of arrays, shape (cohorts, thresholds)
        `threshold, tp, fp, fn, tn`, one array per metric, `cost` (mean per row); NaN where undefined.
    """
    below = sums_below(tally, np.column_stack([rows_below(tally, thresholds), tally.offsets[1:]]))
    fn, tn = below.pos[:, :-1], below.neg[:, :-1]
    pos, neg = below.pos[:, -1:], below.neg[:, -1:]
    cells = np.empty((2, 2, *fn.shape))
    cells[0, 0], cells[1, 0] = tn, fn
    np.subtract(neg, tn, out=cells[0, 1])
    np.subtract(pos, fn, out=cells[1, 1])
    columns: dict[str, Any] = {"threshold": np.broadcast_to(thresholds, fn.shape)}
    columns |= {"tp": cells[1, 1], "fp": cells[0, 1], "fn": fn, "tn": tn}
    columns |= {request.label: cell_value(request, cells) for request in metrics}
    counts = Counts(cells[1, 1], cells[0, 1], pos, neg, amount)
    total = costs.total(counts.tp, counts.fp, pos, neg, amount)
    with np.errstate(divide="ignore", invalid="ignore"):
        columns["cost"] = np.asarray(total / (pos + neg))
    return columns

"""The rows on which a model is most wrong (`ev.worst`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.engines.block import Block, validity
from dfevals.exceptions import DataError
from dfevals.metrics.probabilistic import log_loss_rows
from dfevals.results.tidy import left_out
from dfevals.roles.bound import BLOCK, Bound
from dfevals.roles.declared import Model

__all__ = ["losses", "worst"]


def worst(bound: Bound, model: Model, n: int, mask: npt.NDArray[np.bool_] | None = None) -> pd.DataFrame:
    """Rows with the greatest loss, worst first, with a last column `loss`; ties in the order of the frame.

    `attrs["left_out"]` says which rows have no loss.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise DataError(f"n={n!r} must be a whole number of rows, at least 1.")
    dropped: dict[str, int] = {}
    loss = losses(bound, model, dropped)
    if mask is not None:
        loss = np.where(mask, loss, np.nan)
    known = np.flatnonzero(~np.isnan(loss))
    if len(known) > n:  # a partial sort first: only the worst are put in order
        cut = np.partition(loss[known], len(known) - n)[len(known) - n]
        known = known[loss[known] >= cut]
    order = known[np.argsort(-loss[known], kind="stable")][:n]
    found = bound.rows(order).copy()
    name = "loss"
    while name in found.columns:
        name += "_"
    found[name] = loss[order]
    said = left_out(model.name, dropped)
    if said:
        found.attrs["left_out"] = said[0]
    return found


def losses(bound: Bound, model: Model, dropped: dict[str, int] | None = None) -> npt.NDArray[np.float64]:
    """Loss of every row, NaN where the row cannot be judged; such rows are counted by reason in `dropped`."""
    out = np.full(bound.n, np.nan)
    dropped = {} if dropped is None else dropped
    for start in range(0, bound.n, BLOCK):
        stop = min(start + BLOCK, bound.n)
        keep = validity(Block(bound, model, start, stop), dropped)
        values = _loss(Block(bound, model, start, stop, keep))
        if keep is None:
            out[start:stop] = values
        else:
            out[start:stop][keep] = values
    return out


def _loss(rows: Block) -> Any:
    bound, model = rows.bound, rows.model
    if bound.task == "outcomes":
        if len(bound.roles.outcomes) != 1:
            raise DataError("There are several outcomes; sort the frame by the one you mean.")
        outcome = bound.roles.outcomes[0]
        return rows.outcome(outcome.column) * (1 if outcome.better == "lower" else -1)
    if not bound.classifies:
        return np.abs(rows.y_true - rows.y_pred)
    if model.y_score and bound.score_kind(model) == "probability":
        return log_loss_rows(rows)
    if model.y_score and bound.task == "binary":
        return np.where(rows.y_true == 1, -1.0, 1.0) * (rows.raw_score - bound.threshold(model))
    return (rows.y_true != rows.y_pred).astype(float)

"""The number of every row that slices are searched for: a loss, a rate's hit, an outcome, or how much worse one model is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.compare.aligned import Aligned, Contender, ViewRows, align, chosen, contenders, counts_rows
from dfevals.analyses.compare.influence import cell_kind, kind_of, moment_values
from dfevals.analyses.compare.paired import share_of_cells
from dfevals.engines.block import Block, judged
from dfevals.estimates.asked import requested
from dfevals.exceptions import DataError, MetricError, RoleError
from dfevals.metrics.estimands import Mean
from dfevals.metrics.planning import needs_of
from dfevals.metrics.registry import Request
from dfevals.needs import Moments
from dfevals.results.tidy import left_out
from dfevals.roles.bound import BLOCK, Bound
from dfevals.tally import MomentTally

__all__ = ["Losses", "losses_of"]

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
GREATEST = 1e80  # numbers whose third powers can be added up
DEFAULT_METRIC = {"binary": "error_rate", "multiclass": "error_rate", "regression": "mae"}
NEEDED = (
    "an average over rows, such as error_rate, recall, fpr, precision, log_loss, brier, mae, mse, fail_rate or mean"
)


@dataclass(frozen=True)
class Losses:
    """Numbers of the rows that can be judged.

    `value` is 0 where `counted` (None: everywhere) does not hold; `weight` holds importance weights of mean 1 or the rows
    that a row stands for (`frequency`); `worse` is 1 where a greater value is worse, −1 where a smaller one is, 0 where
    neither. `limits` is the range of the numbers, `frame` are the rows, `truth` their labels.
    """

    model: str
    baseline: str
    metric: str
    frame: pd.DataFrame
    value: Floats
    counted: Bools | None
    weight: Floats | None
    frequency: bool
    cluster: npt.NDArray[np.int64] | None
    worse: float
    truth: Array | None
    limits: tuple[float, float]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.value)

    @property
    def subject(self) -> str:
        """What is searched, for titles."""
        return f"{self.metric} of {self.model}{f' less that of {self.baseline}' if self.baseline else ''}"

    @property
    def count(self) -> Floats | None:
        """Rows that each row stands for; None where each is one."""
        return self.weight if self.frequency else None

    @cached_property
    def inside(self) -> Array:
        """Places of the rows that the metric counts."""
        return np.arange(len(self.value)) if self.counted is None else np.flatnonzero(self.counted)

    @cached_property
    def binary(self) -> bool:
        """Whether all numbers are 0 or 1."""
        return bool(((self.value == 0) | (self.value == 1)).all())

    @cached_property
    def harm(self) -> Floats | None:
        """How much of what is bad each row holds, for shares of all errors; None where the metric has no such thing."""
        value, known = self.value, self.inside
        least, greatest = (value[known].min(), value[known].max()) if len(known) else (0.0, 0.0)
        if self.worse > 0 and least >= 0:
            return value
        if self.worse < 0 and least >= 0 and greatest <= 1:
            return np.where(True if self.counted is None else self.counted, 1 - value, 0.0)
        return np.maximum(self.worse * value, 0.0) if self.worse else None

    def take(self, rows: Array) -> Losses:
        """Some of the rows."""

        def cut(values: Any) -> Any:
            return None if values is None else values[rows]

        return replace(
            self,
            frame=self.frame.iloc[rows],
            value=self.value[rows],
            counted=cut(self.counted),
            weight=cut(self.weight),
            cluster=cut(self.cluster),
            truth=cut(self.truth),
        )


def losses_of(bound: Bound, metric: Any, model: str | None, baseline: str | None) -> Losses:
    """Numbers of the rows for one metric of one model, or of the difference between a model and its baseline.

    Raises
    ------
    MetricError
        The metric is no average over rows.
    RoleError
        There is no such model.
    DataError
        No row can be judged, or those of two models cannot be matched.
    """
    if not bound.has_rows:
        raise DataError("Slices are searched in rows, and this evaluation holds counts alone. Ask one of the rows.")
    rows = _one(bound, model) if baseline is None else _pair(bound, model, baseline)
    names = [m.name for m in rows.models]
    request = _request(rows.bounds[0], rows.models, metric)
    view = ViewRows(rows, np.zeros(len(rows.kept), np.intp), 1)
    notes = _left_out(rows)
    if not len(view.codes):
        raise DataError(f"No row of {names[0]!r} can be judged. {' '.join(notes)}".strip())
    parts = [_numbers(request, view, j) for j in range(len(names))]
    sign = -1.0 if request.negated else 1.0
    value, counted = sign * parts[0][0], parts[0][1]
    label = request.label
    if baseline is not None:
        if (parts[1][1] != counted).any():
            raise MetricError(
                f"{label!r} counts other rows for each model, so it has no difference per row. Try error_rate."
            )
        value = value - sign * parts[1][0]
    if np.abs(value).max(initial=0.0) > GREATEST:
        raise DataError(
            f"{label!r} reaches {np.abs(value).max():.3g} in a row, so that its powers leave the range of numbers. Divide the "
            "numbers by their size first."
        )
    frame = rows.frame if len(rows.kept) == rows.n_read else rows.frame.iloc[rows.kept]
    worse = {"lower": 1.0, "higher": -1.0}.get(request.better, 0.0)
    truth = view.y_true() if rows.bounds[0].roles.y_true is not None else None
    return Losses(
        rows.names[0],
        "" if baseline is None else rows.names[1],
        label,
        frame,
        np.where(counted, value, 0.0),
        None if counted.all() else counted,
        view.weight,
        counts_rows(rows.bounds[0]),
        view.cluster,
        worse,
        truth,
        _limits(request, paired=baseline is not None),
        notes,
    )


def _limits(request: Request, *, paired: bool) -> tuple[float, float]:
    """Where the numbers of rows can lie."""
    low, high = request.metric.range
    if paired:
        return low - high, high - low
    return (-high, -low) if request.negated else (low, high)


def _one(bound: Bound, model: str | None) -> Aligned:
    """The rows on which one model, or one release of the only model, can be judged."""
    known = contenders(bound)
    names = [side.name for side in known]
    if bound.roles.release is not None and model is not None and str(model) in names:
        side = known[names.index(str(model))]
        rows = side.rows
        bound = bound if rows is None else bound.at(rows)
        return _judged(bound, Contender(side.name, side.model))
    found = bound.models[0] if model is None else bound.model(model)
    return _judged(bound, Contender(found.name, found))


def _judged(bound: Bound, side: Contender) -> Aligned:
    return Aligned((side.name,), (bound,), (side.model,), None, "", (), {})


def _left_out(rows: Aligned) -> tuple[str, ...]:
    """What is said of rows that cannot be judged, and of the models that are not."""
    lost: list[dict[str, int]] = [{} for _ in rows.models]
    for start in range(0, rows.n_read, BLOCK):
        stop = min(start + BLOCK, rows.n_read)
        judged([Block(*side, start, stop) for side in zip(rows.bounds, rows.models, strict=True)], lost)
    notes = [note for name, own in zip(rows.names, lost, strict=True) for note in left_out(name, own)]
    bound = rows.bounds[0]
    if len(rows.names) == 1 and len(bound.models) > 1 and bound.roles.model is None:
        notes.append(f"The model is {rows.names[0]}; model= names another.")
    return (*rows.unmatched, *notes)


def _pair(bound: Bound, model: str | None, baseline: str) -> Aligned:
    """The rows common to a model and its baseline."""
    known = contenders(bound)
    if model is None:
        others = [side.name for side in known if side.name != str(baseline)]
        if len(others) != 1:
            raise RoleError(
                f"Which model is compared with {baseline!r}? Pass model=: one of {', '.join(map(repr, others))}."
            )
        model = others[0]
    found = align(bound, chosen(known, [model, baseline]))
    if isinstance(found, str):
        raise DataError(f"{model!r} and {baseline!r} cannot be compared row by row: {found}. Pass id='…'.")
    return found


def _request(bound: Bound, models: Any, metric: Any) -> Request:
    if metric is None:
        metric = DEFAULT_METRIC.get(bound.task)
    if metric is None:
        first = bound.roles.outcomes[0]
        judged = first.kind == "pass" or first.pass_at is not None
        metric = f"{first.column}_{'fail_rate' if judged else 'mean'}"
    found = requested(bound, models, metric)
    if len(found) != 1:
        raise MetricError(f"Slices go by one metric; {len(found)} are given: {', '.join(map(str, found))}.")
    return found[0]


def _numbers(request: Request, view: ViewRows, j: int) -> tuple[Floats, Bools]:
    """The number of every row, and whether the metric counts the row."""
    bound = view.bound
    k = len(bound.labels)
    kind = kind_of(request, k, bound.task)
    refusal = MetricError(f"{request.label!r} is no average over rows. Slices need {NEEDED}.")
    if kind == "cells":
        cells = cell_kind(request, bound.task)
        found = share_of_cells(request, cells, k) if cells in ("binary", "micro") else None
        if found is None:
            raise refusal
        truth, said = view.y_true().astype(np.intp), view.y_pred(j)
        place = truth * k + said if len(found[0]) == k else np.where(truth == said, 0, 1)
        return tuple(table.reshape(-1)[place] for table in (found[0].astype(float), found[1]))  # type: ignore[return-value]
    if kind != "moments":
        raise refusal
    need = needs_of(request.metric, k, bound.task)[0][0]
    values = moment_values(request, view, j, k, bound.task)
    empty = MomentTally.of_block(view.codes[:0], 1, [v[:0] for v in values], 2, None)
    if not isinstance(request.metric(empty.view()), Mean):
        raise refusal
    known = np.isfinite(values[0])
    assert isinstance(need, Moments)
    if not known.all() and not need.skip_missing:
        raise DataError(f"{request.label!r} is not defined in {int((~known).sum()):,} rows: {need.undefined}.")
    return np.where(known, values[0], 0.0), known

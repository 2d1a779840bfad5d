"""Criteria of fairness: for each the metric or metrics whose values groups should share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.exceptions import MetricError, did_you_mean
from dfevals.metrics.estimands import Mean, Ratio, Through
from dfevals.metrics.planning import plan
from dfevals.metrics.registry import Metric, Request, find, is_metric
from dfevals.needs import Cells, Moments, RowBlock, RowFunction
from dfevals.tally import CellView, MomentView

__all__ = ["CRITERIA", "Criterion", "costs_of", "criteria_of"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Criterion:
    """What groups should share; of several metrics the one that differs most counts."""

    name: str
    requests: tuple[Request, ...]

    @property
    def has_ratio(self) -> bool:
        """Whether its values are never negative, so that one over another says something."""
        return all(request.metric.range[0] >= 0 for request in self.requests)


def _errors_odds(cells: CellView) -> Through:
    """False negatives per false positive."""
    some = cells.fp != 0
    share = Ratio(np.where(some, cells.fn, 0), np.where(some, cells.fn + cells.fp, 0), "no false positives")
    return share.through(lambda s: s / (1 - s))


def _of_scores(rows: RowBlock) -> Array:
    return rows.score


def _unexplained(rows: RowBlock) -> Array:
    return np.asarray(rows.y_true - rows.score)


def _predicted(rows: RowBlock) -> Array:
    return rows.y_pred


def _residual(rows: RowBlock) -> Array:
    return np.asarray(rows.y_true - rows.y_pred)


def _cost(rows: RowBlock, fp: float, fn: float) -> Array:
    return np.where(rows.y_true == 1, fn, fp) * (rows.y_true != rows.y_pred)


def _mean(moments: MomentView) -> Mean:
    return Mean(moments)


def _mean_of(name: str, function: Any, columns: tuple[str, ...], **more: Any) -> Metric:
    """A metric that is the mean of a number of a row."""
    parameters = tuple(sorted(more.pop("parameters", {}).items()))
    need = Moments((RowFunction(f"fairness.{name}", function, columns, parameters),))
    return Metric(name, _mean, (need,), **{"better": "none", **more})


SCORED, JUDGED = ("y_true", "y_score"), ("y_true", "y_pred")
FALSE_NEGATIVES_PER_FALSE_POSITIVE = Metric(
    "fn_per_fp", _errors_odds, (Cells,), range=(0.0, np.inf), better="none", requires=("pred",)
)
MEAN_SCORE = _mean_of("mean_score", _of_scores, SCORED, tasks=("binary",), requires=("score",))
PROBABILITY = _mean_of("mean_score", _of_scores, SCORED, tasks=("binary",), requires=("probability",), range=(0.0, 1.0))
OBSERVED_LESS_SCORE = _mean_of(
    "observed_less_score", _unexplained, SCORED, tasks=("binary",), requires=("probability",), range=(-1.0, 1.0)
)
MEAN_PREDICTION = _mean_of("mean_prediction", _predicted, JUDGED, tasks=("regression",))
OBSERVED_LESS_PREDICTION = _mean_of("observed_less_prediction", _residual, JUDGED, tasks=("regression",))

CRITERIA: dict[str, dict[str, tuple[Any, ...]]] = {
    "demographic_parity": {"binary": ("selection_rate",), "multiclass": ("selection_rate",)},
    "equal_opportunity": {"binary": ("recall",), "multiclass": ("recall",)},
    "predictive_equality": {"binary": ("fpr",), "multiclass": ("fpr",)},
    "equalized_odds": {"binary": ("recall", "fpr"), "multiclass": ("recall", "fpr")},
    "predictive_parity": {"binary": ("precision",), "multiclass": ("precision",)},
    "treatment_equality": {
        "binary": (FALSE_NEGATIVES_PER_FALSE_POSITIVE,),
        "multiclass": (FALSE_NEGATIVES_PER_FALSE_POSITIVE,),
    },
    "accuracy_parity": {"binary": ("accuracy",), "multiclass": ("accuracy",)},
    "calibration": {"binary": (OBSERVED_LESS_SCORE,), "regression": (OBSERVED_LESS_PREDICTION,)},
    "score_parity": {"binary": (PROBABILITY,), "regression": (MEAN_PREDICTION,)},
    "error_cost_parity": {"binary": ("error_rate",), "multiclass": ("error_rate",), "regression": ("mae",)},
}
"""For each criterion the metrics by task; `mae` and `error_rate` are costs of 1."""


def criteria_of(
    asked: Any, task: str, provided: set[str], cost: Mapping[str, float] | None = None
) -> tuple[Criterion, ...]:
    """The criteria asked for, or all that the task and the models have; names of metrics are criteria too.

    Raises
    ------
    MetricError
        Unknown, or not for this task or these models.
    """
    if task not in ("binary", "multiclass", "regression"):
        raise MetricError(
            f"Fairness is about predictions, and this evaluation is {task}. For outcomes compare groups by "
            'ev.metrics("pass_rate", by=…, relative_to="complement").'
        )
    table = {name: by_task[task] for name, by_task in CRITERIA.items() if task in by_task}
    if task == "binary" and "probability" not in provided:
        table["score_parity"] = (MEAN_SCORE,)
    if cost is not None:
        table["error_cost_parity"] = (_costing(cost, task),)
    if asked is None:
        found = {name: items for name, items in table.items() if _possible(items, provided)}
        return tuple(_criterion(name, items, task, provided) for name, items in found.items())
    names = [asked] if isinstance(asked, str) or not isinstance(asked, list | tuple) else asked
    return tuple(_named(name, table, task, provided) for name in names)


def _possible(items: tuple[Any, ...], provided: set[str]) -> bool:
    return all(set(find(item).metric.requires) <= provided for item in items)


def _named(name: Any, table: Mapping[str, tuple[Any, ...]], task: str, provided: set[str]) -> Criterion:
    if isinstance(name, str) and name in table:
        return _criterion(name, table[name], task, provided)
    if isinstance(name, str) and name in CRITERIA:
        raise MetricError(f"{name!r} is not defined for {task}. Criteria: {', '.join(table)}.")
    if not is_metric(name):
        near = did_you_mean(str(name), list(table), noun="Criteria")
        raise MetricError(f"There is no criterion or metric {name!r}. {near}")
    return _criterion(str(find(name)), (name,), task, provided)


def _criterion(name: str, items: tuple[Any, ...], task: str, provided: set[str]) -> Criterion:
    return Criterion(name, plan(list(items), task, provided))


def costs_of(cost: Mapping[str, float]) -> dict[str, float]:
    """Costs of false positives and false negatives.

    Raises
    ------
    MetricError
        Another name, or no number of 0 or more.
    """
    prices = {name: cost.get(name) for name in ("fp", "fn")}
    numbers = {name: float(price) for name, price in prices.items() if isinstance(price, int | float)}
    if len(cost) != 2 or len(numbers) != 2 or not all(0 <= price < np.inf for price in numbers.values()):
        raise MetricError(f"cost={dict(cost)!r} must be {{'fp': …, 'fn': …}}, numbers of 0 or more, in a binary task.")
    return numbers


def _costing(cost: Mapping[str, float], task: str) -> Metric:
    """Mean cost of a row of which false positives and false negatives cost so much."""
    prices = costs_of(cost if task == "binary" else {})
    most = max(prices.values()) or 1.0
    more: dict[str, Any] = {"tasks": ("binary",), "requires": ("pred",), "range": (0.0, most), "better": "lower"}
    return _mean_of("mean_cost", _cost, JUDGED, parameters=prices, **more)

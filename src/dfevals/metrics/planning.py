"""From metrics as asked for to the needs of the pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

from dfevals.exceptions import MetricError, did_you_mean
from dfevals.metrics.operations import OUTCOME, SUCCESS
from dfevals.metrics.registry import Metric, Request, find, resolve, unknown
from dfevals.needs import Extremes, Moments, Need, RowFunction, Rows, Scores, Units

__all__ = ["DEFAULTS", "bound_to", "needs_of", "pairs_of", "plan"]

DEFAULTS = {
    "binary": (
        "accuracy",
        "balanced_accuracy",
        "precision",
        "recall",
        "f1",
        "roc_auc",
        "average_precision",
        "log_loss",
        "brier",
    ),
    "multiclass": ("accuracy", "balanced_accuracy", "f1", "mcc", "roc_auc_ovr", "log_loss", "brier"),
    "regression": ("mae", "rmse", "r2", "mean_error", "median_ae"),
    "outcomes": ("mean", "pass_rate", "fail_rate", "evaluation_error_rate"),
}


def plan(
    items: Any, task: str, provided: Iterable[str], outcomes: Sequence[Any] = (), *, undecided: str = ""
) -> tuple[Request, ...]:
    """Requests for the metrics asked for (or the default set), each bound to its outcome.

    Parameters
    ----------
    items : names, metrics, callables, or None for the default set
    task : str
    provided : iterable of str
        What every model has: "pred", "score", "probability", "interval". Default metrics that need more are left out.
    outcomes : sequence of Outcome
        Declared outcome columns.
    undecided : str
        Why models with scores do not have "pred", and the fix.
    """
    given = set(provided)
    if items is not None:
        items = [items] if isinstance(items, str) or not isinstance(items, Iterable) else items
        requests: tuple[Request, ...] = tuple(
            r for item in items for r in _outcome_requests(item, outcomes) or resolve([item], task)
        )
        if not requests:
            raise MetricError("The list of metrics is empty.")
        for request in requests:
            _check_provided(request, given, undecided)
        return tuple({request.label: request for request in requests}.values())
    default = [find(name) for name in DEFAULTS[task]] if task != "outcomes" else []
    chosen = [request for request in default if set(request.metric.requires) <= given]
    if not chosen and "interval" in given:
        chosen = [find(name) for name in ("interval_coverage", "interval_width")]
    for outcome in outcomes:
        names = ["pass_rate"] if outcome.kind == "pass" or outcome.pass_at is not None else []
        names = [*names, "mean"] if outcome.kind == "score" else names
        for name in [*names, "evaluation_error_rate"]:
            label = name if len(outcomes) == 1 and task == "outcomes" else f"{outcome.column}_{name}"
            chosen.append(bound_to(replace(find(name), label=label), outcome, outcomes))
    if not chosen:
        raise MetricError("There is nothing to measure: no predictions, scores or outcomes are declared.")
    return tuple(chosen)


_OF_OUTCOMES = ("pass_rate", "fail_rate", "mean", "evaluation_error_rate")


def _outcome_requests(item: Any, outcomes: Sequence[Any]) -> list[Request]:
    """Requests on outcome columns: `fail_rate` for the only (or every) outcome, `toxicity_mean` for one of them."""
    if isinstance(item, str):
        for outcome in sorted(outcomes, key=lambda o: -len(o.column)):
            if item.startswith(f"{outcome.column}_"):
                try:
                    request = find(item[len(outcome.column) + 1 :])
                except MetricError:
                    continue
                if "outcomes" in request.metric.tasks:
                    return [bound_to(replace(request, label=item), outcome, outcomes)]
    try:
        request = find(item)
    except MetricError:
        if outcomes and isinstance(item, str) and "(" not in item:
            raise unknown(item, [f"{o.column}_{name}" for o in outcomes for name in _OF_OUTCOMES]) from None
        return []
    if "outcomes" not in request.metric.tasks:
        return []
    if not outcomes:
        raise MetricError(
            f"{request.label!r} is a metric of outcomes, and none are declared. Pass outcomes=['column']."
        )
    if len(outcomes) == 1:
        return [bound_to(request, outcomes[0], outcomes)]
    usable = [
        o
        for o in outcomes
        if not (request.metric.base in ("pass_rate", "fail_rate") and o.kind == "score" and o.pass_at is None)
        and not (request.metric.base == "per_success" and o.kind == "pass")
    ]
    if not usable:
        raise MetricError(
            f"{request.label!r} needs verdicts, but every outcome is a score. Say from where one passes: Outcome(column, pass_at=0.5)."
        )
    return [bound_to(replace(request, label=f"{o.column}_{request.label}"), o, outcomes) for o in usable]


def bound_to(request: Request, outcome: Any, outcomes: Sequence[Any]) -> Request:
    """A template of an outcome metric for one column; a number of the outcome has the outcome's direction."""
    record, column = request.metric, outcome.column
    names = {OUTCOME: column}
    if any(SUCCESS in need.columns for need in record.needs if isinstance(need, Moments)):
        names[SUCCESS] = _success_column(request, outcome, outcomes)
    needs = tuple(_filled(need, names) for need in record.needs)
    function = record.function
    if any(isinstance(need, Rows) for need in record.needs):

        def function(rows: Any, *, _of: Any = record.function, **parameters: Any) -> Any:
            renamed = replace(
                rows, columns={OUTCOME if name == column else name: v for name, v in rows.columns.items()}
            )
            return _of(renamed, **parameters)

    if outcome.range is not None and record.base in ("mean", "unit_mean"):
        record = replace(record, range=outcome.range)
    if outcome.kind == "pass" and record.base == "unit_mean":
        record = replace(record, range=(0.0, 1.0))
    better = record.better
    if outcome.better is not None and record.base in OF_THE_VALUE:
        better = outcome.better
    return replace(request, metric=replace(record, needs=needs, function=function, better=better), outcome=column)


OF_THE_VALUE = ("mean", "unit_mean", "min", "max", "p50", "p90", "p95", "p99", "quantile")
"""Metrics that lie on the scale of the outcome, so that what is better for a row is better for them."""


def _success_column(request: Request, outcome: Any, outcomes: Sequence[Any]) -> str:
    """The outcome whose verdicts say what a success is: the one named, or the only one beside the amount."""
    judged = [o.column for o in outcomes if o.kind == "pass" or o.pass_at is not None]
    named = dict(request.metric.parameters).get("of")
    if named is not None:
        if named not in judged:
            hint = did_you_mean(str(named), judged, noun="Outcomes with verdicts")
            raise MetricError(f"{request.label!r}: there is no outcome {named!r} that passes or fails. {hint}")
        return str(named)
    others = [name for name in judged if name != outcome.column] or judged
    if len(others) == 1:
        return others[0]
    found = f"there are several ({', '.join(map(repr, others))})" if others else "there is none"
    raise MetricError(
        f"{request.label!r} counts what passed, and {found}. Name the outcome with verdicts: "
        f"\"{outcome.column}_per_success(of='{others[0] if others else 'passed'}')\"."
    )


def _filled(need: Any, names: Mapping[str, str]) -> Any:
    def column(name: Any) -> Any:
        return names.get(name, name)

    def filled(function: RowFunction) -> RowFunction:
        parameters = tuple((key, column(value)) for key, value in function.parameters)
        return RowFunction(function.name, function.function, tuple(map(column, function.columns)), parameters)

    if isinstance(need, Moments):
        return replace(need, functions=tuple(filled(f) for f in need.functions))
    if isinstance(need, Extremes):
        return replace(need, function=filled(need.function))
    if isinstance(need, Units):
        return Units(filled(need.function))
    return Rows(tuple(column(name) for name in need.names))


def _check_provided(request: Request, given: set[str], undecided: str) -> None:
    wanted = {
        "pred": "predictions: pass y_pred=, or y_score= to cut at the threshold",
        "score": "scores: pass y_score=",
        "probability": "probabilities, but the scores lie outside [0, 1] or there are none: pass y_score= with probabilities",
        "order": "the order of the classes, which text does not tell: pass labels=[…] from lowest to highest, or make the "
        "labels an ordered categorical",
        "interval": "a predicted interval: pass y_lower= and y_upper=",
    }
    for need in request.metric.requires:
        if need == "pred" and need not in given and undecided:
            raise MetricError(f"{request.label!r} needs decisions. {undecided}")
        if need not in given:
            raise MetricError(f"{request.label!r} needs {wanted[need]}.")


def check_order(requests: Iterable[Request]) -> None:
    """Refuse metrics of ordered classes where the order is not known."""
    for request in requests:
        _check_provided(request, {*request.metric.requires} - {"order"}, "")


def pairs_of(n_classes: int) -> list[tuple[int, int]]:
    """Ordered pairs of classes for one against one."""
    return list(permutations(range(n_classes), 2))


def needs_of(record: Metric, n_classes: int, task: str) -> tuple[tuple[Need, ...], ...]:
    """Groups of needs, one group per estimand: several for metrics that are averaged over classes or pairs."""
    if Scores in record.needs:
        if task == "binary":
            return ((Scores(),),)
        if record.pairs:
            return tuple((Scores(i, j),) for i, j in pairs_of(n_classes))
        return tuple((Scores(k),) for k in range(n_classes))
    return (tuple(need() if isinstance(need, type) else need for need in record.needs),)

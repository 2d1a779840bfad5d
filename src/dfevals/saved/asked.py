"""What a tally was collected for, as JSON and back: metrics by their names, needs by their fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, NoReturn

from dfevals.exceptions import DataError, MetricError
from dfevals.metrics.planning import bound_to, needs_of
from dfevals.metrics.registry import Request, find
from dfevals.needs import Need, RowFunction, Scores
from dfevals.roles.declared import Outcome
from dfevals.saved.parts import need as must
from dfevals.saved.plain import from_json, to_json

__all__ = ["read_need", "read_request", "wanted", "write_need", "write_request"]

NEEDS: dict[str, type] = {kind.__name__: kind for kind in Need.__args__}
LONGEST = 400  # characters of the name of a metric
GREATEST = 100_000  # number among the parameters of a metric


def write_request(request: Request, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """A metric as it was asked for.

    Raises
    ------
    DataError
        A function that has no name by which it could be found again.
    """
    out = {
        "metric": request.metric.name,
        "label": request.label,
        "average": request.average,
        "negated": request.negated,
        "outcome": request.outcome,
    }
    try:
        found = read_request(out, outcomes)
    except (DataError, MetricError):
        found = None
    if found is None or found.metric.needs != request.metric.needs or not _is_same(found, request):
        raise DataError(
            f"The metric {request.label!r} is a function that a file cannot hold. Give it a name, @dfevals.metric(name="
            f"{request.label!r}), here and where the tally is loaded; or collect without it."
        )
    return out


def _is_same(found: Request, request: Request) -> bool:
    """Whether the name leads to the same function; those of outcomes are made anew by every call."""
    return request.outcome is not None or found.metric.function is request.metric.function


def read_request(entry: Any, outcomes: Sequence[Outcome]) -> Request:
    """The metric of an entry, from the registry.

    Raises
    ------
    DataError
        There is none of this name here.
    """
    name, label = entry["metric"], entry["label"]
    must(isinstance(name, str) and isinstance(label, str) and len(name) <= LONGEST, "a metric", "has no name")
    must(
        all(float(n) <= GREATEST for n in re.findall(r"\d+(?:\.\d*)?(?:[eE]\d+)?", name)),
        f"the metric {name!r}",
        "has a parameter beyond all use",
    )
    try:
        found = find(name)
    except MetricError as error:
        raise DataError(
            f"The tally holds the metric {label!r}, which is not known here: {error} If it is your own, register it "
            "by @dfevals.metric before loading."
        ) from None
    request = replace(found, label=label, average=entry["average"], negated=bool(entry["negated"]))
    must(request.average in (None, "macro", "micro", "weighted"), f"the metric {name!r}", "has an unknown average")
    if entry["outcome"] is None:
        return request
    column = next((o for o in outcomes if o.column == entry["outcome"]), None)
    must(column is not None, f"the metric {name!r}", "is of an outcome that is not declared")
    return bound_to(request, column, outcomes)


def wanted(request: Request, n_classes: int, task: str, n_parts: int) -> list[Need]:
    """What a metric needs of a tally that holds `n_parts` parts."""
    scores = Scores in request.metric.needs and task != "binary"
    several = n_classes * (n_classes - 1 if request.metric.pairs else 1)
    must(not scores or several <= n_parts, f"the metric {request.label!r}", "needs more than there is")
    return [need for group in needs_of(request.metric, n_classes, task) for need in group]


def write_need(need: Need) -> dict[str, Any]:
    """The fields of a need."""
    values = {part.name: getattr(need, part.name) for part in fields(need)}
    return {"kind": type(need).__name__, **{name: _written(value) for name, value in values.items()}}


def _written(value: Any) -> Any:
    if isinstance(value, RowFunction):
        return {"function": [value.name, to_json(value.columns), to_json(value.parameters)]}
    if isinstance(value, tuple) and any(isinstance(item, RowFunction) for item in value):
        return [_written(item) for item in value]
    return to_json(value)


def read_need(entry: Any) -> Need:
    """The need of its fields; its row functions are names, because there are no rows for them."""
    values = dict(entry)
    kind = NEEDS.get(values.pop("kind"))
    must(kind is not None, "a need", f"is of the unknown kind {entry['kind']!r:.60}")
    assert kind is not None
    must(set(values) == {part.name for part in fields(kind)}, "a need", "has other fields")
    found: Need = kind(**{name: _read(value) for name, value in values.items()})
    hash(found)
    return found


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_read(item) for item in value)
    if isinstance(value, dict) and "function" in value:
        name, columns, parameters = value["function"]
        must(isinstance(name, str), "a need", "names no function")
        return RowFunction(name, _no_rows(name), from_json(columns), from_json(parameters))
    return from_json(value)


def _no_rows(name: str) -> Callable[..., NoReturn]:
    def function(*_: Any, **__: Any) -> NoReturn:
        raise DataError(f"{name!r} reads rows, and a tally that was loaded holds none.")

    return function

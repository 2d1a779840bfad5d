"""What all questions share: the rows, cohorts kept by their definition, chosen models, and intervals left out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from dfevals.cohorts import Cohorts
from dfevals.metrics.registry import is_metric
from dfevals.results.provenance import Provenance
from dfevals.results.result import Result
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model

__all__ = ["Asked", "bare", "either_order", "usual"]

R = TypeVar("R", bound=Result)
P = ParamSpec("P")
V = TypeVar("V")
USUAL = 0.95


def usual(level: float | None) -> float:
    """The level to work with where intervals are left out."""
    return USUAL if level is None else level


def bare(result: R, level: float | None) -> R:
    """The result, without its intervals where `level` is None."""
    return result if level is not None else result.without_intervals()


def either_order(method: Callable[P, V]) -> Callable[P, V]:
    """Metrics come before `by`; some questions once took them the other way round, and still understand that by place."""
    names = list(inspect.signature(method).parameters)
    at = next(place for place, name in enumerate(names) if name in ("metrics", "metric"))

    @wraps(method)
    def ordered(*args: Any, **keywords: Any) -> Any:
        if len(args) > at:
            metrics, by = args[at], (*args[at + 1 :], keywords.get("by"))[0]
            if names[at] in keywords:
                args, keywords = args[:at], {"by": metrics, **keywords}
            elif args[0]._turned(metrics, by):
                args, keywords = args[:at], {**keywords, names[at]: by, "by": metrics}
        return method(*args, **keywords)

    return ordered


class Asked:
    """Rows with roles, as the questions see them."""

    _bound: Bound
    _cohorts: dict[Hashable, Cohorts]

    def _provenance(self, by: Any, min_n: int | None = None) -> Provenance:
        raise NotImplementedError

    def _cohorts_of(self, by: Any, min_n: int | None = None) -> Cohorts:
        """Cohorts of a definition, kept for hashable definitions."""
        key: Hashable = (tuple(by) if isinstance(by, list) else by, min_n)
        try:
            hash(key)
        except TypeError:
            return self._bound.cohorts(by, min_n)
        if key not in self._cohorts:
            if len(self._cohorts) >= 8:
                self._cohorts.pop(next(iter(self._cohorts)))
            self._cohorts[key] = self._bound.cohorts(by, min_n)
        return self._cohorts[key]

    def _one(self, model: str | None) -> Model:
        return self._bound.models[0] if model is None else self._bound.model(model)

    def _some(self, models: Any) -> tuple[Model, ...]:
        if models is None:
            return self._bound.models
        names = [models] if isinstance(models, str) else list(models)
        return tuple(self._bound.model(name) for name in names)

    def _turned(self, metrics: Any, by: Any) -> bool:
        """Whether what was given as metrics are cohorts, and what was given as cohorts is nothing or metrics."""
        if metrics is None or is_metric(metrics) or not (by is None or is_metric(by)):
            return False
        known = set(self._bound.head.columns) - {outcome.column for outcome in self._bound.roles.outcomes}
        names = metrics if isinstance(metrics, list | tuple) else [metrics]
        return all(name in known if isinstance(name, str) else not callable(name) for name in names)

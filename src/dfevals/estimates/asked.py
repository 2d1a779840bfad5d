"""What a question asks of the pass: groups of cohorts, what every model gives, and the union of needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.cohorts import Cohorts
from dfevals.engines.held import TallyBound
from dfevals.estimates.estimate import Options, row_values
from dfevals.metrics.planning import needs_of, plan
from dfevals.metrics.registry import Request
from dfevals.needs import Classes, Moments, Need
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model

__all__ = ["Viewed", "needs", "provided", "requested", "undecided", "views_of"]


@dataclass(frozen=True)
class Viewed:
    """One group of disjoint cohorts: their indices in the result (0 is overall) and the atoms' places among them."""

    cohorts: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64] | None


def views_of(cohorts: Cohorts) -> list[Viewed]:
    """The groups of cohorts to evaluate one after another; overall comes last, so that rows can be merged in place."""
    overall = Viewed(np.zeros(1, np.int64), np.zeros(cohorts.n_atoms, np.int64) if cohorts.n_atoms != 1 else None)
    if cohorts.views is None:
        return [Viewed(np.arange(1, cohorts.n_cohorts + 1), None), overall]
    return [*(Viewed(np.asarray(v.cohorts) + 1, np.asarray(v.positions, np.int64)) for v in cohorts.views), overall]


def provided(bound: Bound, models: Iterable[Model]) -> set[str]:
    """What every model gives: "pred", "score", "probability", "interval"; "order" where classes have one."""
    found: list[set[str]] = []
    for model in models:
        mine = set()
        if bound.decides(model):
            mine.add("pred")
        if model.y_score:
            mine.add("score")
            if bound.score_kind(model) == "probability":
                mine.add("probability")
        if model.y_lower is not None and model.y_upper is not None:
            mine.add("interval")
        found.append(mine)
    return set.intersection(*found) | ({"order"} if bound.ordered else set()) if found else set()


def requested(bound: Bound, models: Iterable[Model], metrics: Any) -> tuple[Request, ...]:
    """The metrics asked for, or the default ones that all models can have.

    Raises
    ------
    MetricError
        An unknown metric, or one that the models cannot have.
    """
    chosen = tuple(models)
    if metrics is None and isinstance(bound, TallyBound):
        metrics = [request.label for request in bound.tally.requests]
    doubts = " ".join(filter(None, map(bound.doubt, chosen)))
    return plan(metrics, bound.task, provided(bound, chosen), bound.roles.outcomes, undecided=doubts)


def undecided(bound: Bound, models: Iterable[Model]) -> list[str]:
    """What to know about models whose decisions are left out."""
    return [f"Decisions are left out. {doubt}" for doubt in map(bound.doubt, models) if doubt]


def needs(requests: Iterable[Request], bound: Bound, options: Options) -> list[Need]:
    """Union of what the metrics need, and the events on which losses of a classifier rest."""
    found: list[Need] = []
    for request in requests:
        for group in needs_of(request.metric, len(bound.labels), bound.task):
            found += group
            if options.interval == "bootstrap" and options.ci is not None:
                found += [row_values(need) for need in group if isinstance(need, Moments)]
    if bound.classifies and any(isinstance(need, Moments) for need in found):
        found.append(Classes())
    return list(dict.fromkeys(found))

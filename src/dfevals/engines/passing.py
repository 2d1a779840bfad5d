"""The seam between questions and what answers them: a pass over the rows, or a tally that was collected before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dfevals.cohorts import Cohorts
from dfevals.engines import frame
from dfevals.engines.held import TallyBound, collect_held, collect_held_together
from dfevals.needs import Need
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model
from dfevals.tally import ModelTally

__all__ = ["collect", "collect_joint"]


def collect(bound: Bound, model: Model, cohorts: Cohorts, needs: Iterable[Need]) -> ModelTally:
    """Tallies of one model for all needs, per atom of the cohorts."""
    if isinstance(bound, TallyBound):
        return collect_held(bound, model, cohorts, needs)
    return frame.collect(bound, model, cohorts, needs)


def collect_joint(
    bounds: Sequence[Bound], models: Sequence[Model], cohorts: Cohorts, needs: Iterable[Need]
) -> ModelTally:
    """Tallies of several models on the rows that all of them are judged on."""
    if isinstance(bounds[0], TallyBound):
        return collect_held_together(bounds[0], models, cohorts, needs)
    return frame.collect_joint(bounds, models, cohorts, needs)

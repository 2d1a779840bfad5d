"""The seam between questions and what answers them: a frame, a source read batch by batch, or a tally collected before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dfevals.cohorts import Cohorts
from dfevals.engines import frame
from dfevals.engines.held import TallyBound, collect_held, collect_held_together
from dfevals.engines.streamed import collect_streamed
from dfevals.needs import Need
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model
from dfevals.roles.streamed import StreamBound
from dfevals.tally import ModelTally

__all__ = ["collect", "collect_joint"]


def collect(bound: Bound, model: Model, cohorts: Cohorts, needs: Iterable[Need]) -> ModelTally:
    """Tallies of one model for all needs, per atom of the cohorts."""
    if isinstance(bound, TallyBound):
        return collect_held(bound, model, cohorts, needs)
    if isinstance(bound, StreamBound):
        return collect_streamed(bound, (model,), cohorts, needs)
    return frame.collect(bound, model, cohorts, needs)


def collect_joint(
    bounds: Sequence[Bound], models: Sequence[Model], cohorts: Cohorts, needs: Iterable[Need]
) -> ModelTally:
    """Tallies of several models on the rows that all of them are judged on."""
    first = bounds[0]
    if isinstance(first, TallyBound):
        return collect_held_together(first, models, cohorts, needs)
    if isinstance(first, StreamBound):
        return collect_streamed(first, models, cohorts, needs)
    return frame.collect_joint(bounds, models, cohorts, needs)

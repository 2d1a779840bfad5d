"""Two tallies of different rows as one, so that a model of one can be compared with a model of the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.exceptions import DataError
from dfevals.roles.meaning import Meaning
from dfevals.tally import Tally
from dfevals.tally.union import unite

__all__ = ["beside"]

Ints = npt.NDArray[np.int64]


def beside(one: Tally, other: Tally, a: str | None = None, b: str | None = None) -> tuple[Tally, str, str]:
    """One tally with a model of each, and the names of the two; a model of the other keeps its name if it is free.

    Raises
    ------
    DataError
        The tallies are of different tasks, labels, cohorts or weights, or it is not clear which models are meant.
    """
    for what, mine, theirs in (
        ("tasks", one.task, other.task),
        ("labels", one.labels, other.labels),
        ("cohort columns", one.cohorts.names, other.cohorts.names),
        ("kinds of weights", one.context.get("weight_kind"), other.context.get("weight_kind")),
        ("dependent rows", bool(one.context.get("dependence")), bool(other.context.get("dependence"))),
    ):
        if mine != theirs:
            raise DataError(f"Tallies of different {what} cannot be compared: {mine!r} and {theirs!r}.")
    mine, theirs = (
        _chosen(one, a, "this tally"),
        _chosen(other, a if b is None and a in other.models else b, "baseline="),
    )
    name = theirs if theirs != mine else f"{theirs} (baseline)"
    cohorts, place, place_other = unite(replace(one.cohorts, folded=False), replace(other.cohorts, folded=False))
    models = {
        mine: one.models[mine].regroup(place, cohorts.n_atoms),
        name: other.models[theirs].regroup(place_other, cohorts.n_atoms),
    }
    requests = tuple(r for r in one.requests if str(r) in {str(q) for q in other.requests})
    if not requests:
        raise DataError("The two tallies have no metric in common. Collect both with the same list.")
    context = {
        **one.context,
        "models": {mine: _about(one, mine), name: _about(other, theirs)},
        "rows": one.context.get("rows", 0) + other.context.get("rows", 0),
        "incomplete": {},
    }
    return (
        Tally(cohorts, models, one.task, one.labels, requests, context, {}, _meaning(one, other, mine, theirs, name)),
        mine,
        name,
    )


def _chosen(tally: Tally, name: str | None, what: str) -> str:
    if name is None and len(tally.models) == 1:
        return next(iter(tally.models))
    if name in tally.models:
        return str(name)
    raise DataError(f"Which model of {what} is meant? Its models: {', '.join(map(repr, tally.models))}.")


def _about(tally: Tally, name: str) -> Any:
    return tally.context.get("models", {}).get(name, {})


def _meaning(one: Tally, other: Tally, mine: str, theirs: str, name: str) -> Meaning:
    assert one.meaning is not None
    if other.meaning is None:
        raise DataError(
            "The other tally does not say which columns played which role. Collect it again: ev.collect(…)."
        )
    models = (one.meaning.model(mine), replace(other.meaning.model(theirs), name=name))
    return replace(one.meaning, models=models)

"""What two tallies must have in common before their numbers add up, and what is joined of the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dfevals.exceptions import DataError

if TYPE_CHECKING:
    from dfevals.tally.table import Tally

__all__ = ["check_alike", "joined_context"]

MEANT = (
    "cohorts",
    "labels",
    "pos_label",
    "task",
    "score_kind",
    "threshold",
)  # roles that are compared by what they mean


def check_alike(a: Tally, b: Tally) -> None:
    """Raise unless the tallies are of one question.

    Raises
    ------
    DataError
        They are not; the message names the difference.
    """
    for what, mine, theirs in _compared(a, b):
        if mine != theirs:
            raise DataError(f"Tallies of different {what} cannot be added: {mine!r} and {theirs!r}.")


def _compared(a: Tally, b: Tally) -> Iterator[tuple[str, Any, Any]]:
    yield "tasks", a.task, b.task
    yield "models", sorted(a.models), sorted(b.models)
    yield "cohort columns", a.cohorts.names, b.cohorts.names
    yield "metrics", [str(r) for r in a.requests], [str(r) for r in b.requests]
    yield "weights", a.context.get("weight_kind"), b.context.get("weight_kind")
    yield "positive labels", a.context.get("pos_label"), b.context.get("pos_label")
    if a.meaning is not None and b.meaning is not None:
        roles = [{k: v for k, v in t.meaning.roles.declared().items() if k not in MEANT} for t in (a, b)]  # type: ignore[union-attr]
        differ = [name for name in {**roles[0], **roles[1]} if roles[0].get(name) != roles[1].get(name)]
        yield "roles", {name: roles[0].get(name) for name in differ}, {name: roles[1].get(name) for name in differ}
    yield from _of_models(a, b)
    for one, other in zip(a.cohorts.axes, b.cohorts.axes, strict=False):
        if one.cut is None and other.cut is None:  # cohorts by edges or values kept are compared by these
            yield "cohorts", one.definition, other.definition


def _of_models(a: Tally, b: Tally) -> Iterator[tuple[str, Any, Any]]:
    """Kinds of score and thresholds of every model that has rows in both."""
    for name, part in a.models.items():
        if part.n.any() and b.models[name].n.any():
            yield f"score kinds (model {name!r})", part.score_kind, b.models[name].score_kind
            cuts = [t.context.get("models", {}).get(name, {}).get("threshold") for t in (a, b)]
            yield f"thresholds (model {name!r})", cuts[0], cuts[1]


def joined_context(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of the rows of both: counts are added, notes united; the rest is the same in both."""
    out = {**b, **a}
    for key in ("rows", "incomplete", "models", "notes"):
        if key in a and key in b:
            out[key] = _joined(a[key], b[key])
    return out


def _joined(a: Any, b: Any) -> Any:
    if isinstance(a, Mapping):
        return {key: _joined(a[key], b[key]) if key in a and key in b else {**b, **a}[key] for key in {**a, **b}}
    if isinstance(a, tuple):
        return tuple(dict.fromkeys((*a, *b)))
    if isinstance(a, bool):
        return a and b
    return a + b if isinstance(a, int) else a if a not in (None, "") else b

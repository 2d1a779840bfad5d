"""What the roles say of columns that a file holds as written text: numbers, text, names, cohorts, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dfevals.cohorts.definitions import Bins, Column, Each, Quantiles
from dfevals.columns.sources import Kind
from dfevals.roles.declared import Roles, specs

__all__ = ["columns_named", "written_kinds"]


def written_kinds(roles: Roles) -> Callable[[Any], Kind]:
    """The kind of a column by its name.

    Examples
    --------
    >>> kind = written_kinds(Roles.build(y_true="y", y_score="p_{label}", cohorts=["zip"]))
    >>> kind("p_yes"), kind("zip"), kind("y")
    ('number', 'cohort', 'any')
    """
    numbers = set(_numbers(roles))
    patterns = [name.split("{label}", 1) for name in numbers if isinstance(name, str) and "{label}" in name]
    cohorts = set(_plain_cohorts(roles.cohorts))
    labels = {roles.y_true, *columns_named(roles.y_pred)} if _text_labels(roles) else set()

    def kind(name: Any) -> Kind:
        if name in numbers or any(str(name).startswith(a) and str(name).endswith(b) for a, b in patterns):
            return "number"
        if name in labels:
            return "text"
        if name in (roles.release, roles.model):
            return "name"
        return "cohort" if name in cohorts else "any"

    return kind


def _numbers(roles: Roles) -> Iterator[Any]:
    """Columns (and patterns of columns) that only numbers can be."""
    yield from ("y_score", "sample_weight")  # inferred by these names
    for value in (roles.y_score, roles.y_lower, roles.y_upper, roles.sample_weight):
        yield from columns_named(value)
    if roles.task == "regression" or roles.y_lower is not None or roles.y_upper is not None:
        yield from (roles.y_true, *columns_named(roles.y_pred))
    yield from (o.column for o in roles.outcomes if o.kind == "score" or o.pass_at is not None)
    yield from (item.column for item in roles.cohorts if isinstance(item, Bins | Quantiles))


def columns_named(value: Any) -> Iterator[Any]:
    """Columns of a role that may have several models, and several columns for each."""
    for spec in specs(value):
        yield from spec if isinstance(spec, tuple) else (spec,)


def _text_labels(roles: Roles) -> bool:
    return any(isinstance(label, str) for label in (roles.pos_label, *(roles.labels or ())))


def _plain_cohorts(item: Any) -> Iterator[Any]:
    if isinstance(item, list | tuple):
        for part in item:
            yield from _plain_cohorts(part)
    elif isinstance(item, Each):
        yield from _plain_cohorts(item.groups)
    elif isinstance(item, Column):
        yield item.column
    elif isinstance(item, str | int):
        yield item

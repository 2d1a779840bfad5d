"""What a tally keeps of several models on the rows that they share, so that comparisons need no rows."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from dfevals.analyses.compare.aligned import Aligned, align, contenders
from dfevals.analyses.compare.gaps import joint_needs
from dfevals.cohorts import Cohorts
from dfevals.exceptions import DataError
from dfevals.metrics.registry import Request
from dfevals.needs import Joint
from dfevals.roles.bound import Bound
from dfevals.tally import ModelTally

__all__ = ["together"]


def together(bound: Bound, cohorts: Cohorts, requests: Iterable[Request]) -> dict[tuple[str, ...], ModelTally]:
    """Tallies of all contenders on the rows that they share; of pairs as well, where a pair shares more rows.

    None where rows cannot be matched: then they are compared as different rows.
    """
    rows = _rows(bound)
    if rows is None:
        return {}
    decided = bound.classifies and all(map(bound.decides, bound.models))
    wanted = [need for request in requests for need in joint_needs(request, bound)] + [Joint()] * decided
    groups = {rows.names: rows.collect(cohorts, wanted)}
    if len(rows.names) > 2 and groups[rows.names].left:
        for i, j in combinations(range(len(rows.names)), 2):
            pair = rows.pair(i, j)
            groups[pair.names] = pair.collect(cohorts, wanted)
    return groups


def _rows(bound: Bound) -> Aligned | None:
    """All contenders row by row, where they can be paired."""
    sides = contenders(bound)
    if len(sides) < 2:
        return None
    try:
        rows = align(bound, sides)
    except DataError:  # ids repeat, or labels differ: a comparison of the rows says so
        return None
    return None if isinstance(rows, str) else rows

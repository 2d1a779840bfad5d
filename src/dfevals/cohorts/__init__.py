"""Cohorts: what `by=` may say, from a column name to named expressions, and its resolution on a frame."""

from dfevals.cohorts.by import (
    RESERVED,
    Cohorts,
    View,
    bins,
    each,
    encode,
    period,
    quantiles,
    regroup,
    resolve,
    top,
)

__all__ = [
    "RESERVED",
    "Cohorts",
    "View",
    "bins",
    "each",
    "encode",
    "period",
    "quantiles",
    "regroup",
    "resolve",
    "top",
]

"""Every error that dfevals raises on purpose: one tree, and messages that say what, why and the fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "CohortError",
    "DataError",
    "DfevalsError",
    "ExpressionError",
    "MetricError",
    "ReleaseBlocked",
    "RoleError",
    "check_choice",
    "did_you_mean",
]


class DfevalsError(Exception):
    """Base of all errors raised on purpose by dfevals."""


class RoleError(DfevalsError, ValueError):
    """A column role is missing, misspelt or contradicts the data."""


class DataError(DfevalsError, ValueError):
    """The values of a column cannot be used for what was asked."""


class CohortError(DfevalsError, ValueError):
    """A cohort definition (`by=`, `cohorts=`) cannot be used."""


class ExpressionError(CohortError):
    """A cohort expression is not valid; the message points at the place."""


class MetricError(DfevalsError, ValueError):
    """A metric is unknown, has wrong parameters, or does not fit the task."""


class ReleaseBlocked(DfevalsError):
    """A release gate did not pass."""


def did_you_mean(name: object, options: Iterable[object], *, noun: str = "", limit: int = 12) -> str:
    """Sentence that names the nearest right spellings of `name` and lists the options.

    Parameters
    ----------
    name : object
        What was given.
    options : iterable
        What would have been right.
    noun : str
        What the options are called ("Columns"); empty leaves the list out.
    limit : int
        How many options are listed at most.

    Returns
    -------
    str
        Empty when nothing is near and no list was asked for.

    Examples
    --------
    >>> did_you_mean("p_gmb", ["p_gbm", "age"], noun="Columns")
    "Did you mean 'p_gbm'? Columns: 'p_gbm', 'age'."
    """
    texts = [str(option) for option in options]
    lowered = {text.lower(): text for text in reversed(texts)}
    near = difflib.get_close_matches(str(name).lower(), lowered, n=2, cutoff=0.6)
    parts = []
    if near:
        parts.append("Did you mean " + " or ".join(repr(lowered[text]) for text in near) + "?")
    if noun:
        shown = ", ".join(map(repr, texts[:limit])) + (f", … ({len(texts)} in all)" if len(texts) > limit else "")
        parts.append(f"{noun}: {shown}." if texts else f"There are no {noun.lower()}.")
    return " ".join(parts)


def check_choice(name: str, value: object, options: Iterable[object], error: type[DfevalsError] = DfevalsError) -> None:
    """Raise `error` unless `value` is one of `options`.

    Examples
    --------
    >>> check_choice("weight_kind", "importance", ("importance", "frequency"))
    """
    options = list(options)
    if value not in options:
        raise error(f"{name}={value!r} is not known. {did_you_mean(value, options, noun='Choices')}")

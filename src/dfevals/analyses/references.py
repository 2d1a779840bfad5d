"""Other rows that a question stands beside those it is asked of: a frame, an evaluation or a tally."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pandas as pd

from dfevals.engines.held import TallyBound
from dfevals.exceptions import DataError
from dfevals.roles.bound import Bound, bind
from dfevals.roles.meaning import Meaning
from dfevals.tally import Tally

__all__ = ["alike", "bound_of"]


def bound_of(other: Any, mine: Bound) -> Bound:
    """The binding of other rows; a frame has the roles of these.

    Raises
    ------
    DataError
        It is none of the three.
    """
    if isinstance(other, Tally):
        if other.meaning is None:
            raise DataError("This tally does not say which columns played which role. Collect it again: ev.collect(…).")
        return TallyBound(**{part.name: getattr(other.meaning, part.name) for part in fields(Meaning)}, held=other)
    found = getattr(other, "_bound", None)
    if isinstance(found, Bound):
        return found
    if isinstance(other, pd.DataFrame):
        return bind(other, mine.roles)
    raise DataError(
        f"{type(other).__name__} is no rows: pass a DataFrame with the same columns, an evaluation or a tally."
    )


def alike(mine: Bound, other: Bound) -> None:
    """Refuse rows of another task or with another positive label, whose numbers mean something else.

    Raises
    ------
    DataError
        They differ.
    """
    pairs: list[tuple[str, Any, Any]] = [("task", mine.task, other.task)]
    if mine.task == "binary":
        pairs.append(("positive label", mine.pos_label, other.pos_label))
    elif mine.task == "multiclass":
        pairs.append(("labels", list(mine.labels), list(other.labels)))
    for what, a, b in pairs:
        if a != b:
            raise DataError(
                f"The {what} of the reference is {b!r}, here it is {a!r}, so their numbers are not the same thing. Say it for both: "
                f"{'task=' if what == 'task' else 'labels=[…], pos_label='} when you make the evaluations."
            )

"""Explorers: look at cohorts, thresholds, errors and rows by hand, in the notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dfevals.evaluation import Evaluation
    from dfevals.explorers.explorer import Explorer

__all__ = ["explore"]


def explore(evaluation: Evaluation, **state: Any) -> Explorer:
    """The explorer of an evaluation.

    Parameters
    ----------
    evaluation : Evaluation
        What is explored.
    **state
        Any part of an explorer's `state`, such as `by`, `metric`, `model`, `threshold`, `view`, `selection`.

    Returns
    -------
    Explorer

    Raises
    ------
    StateError
        A key or a value that no explorer has.
    """
    from dfevals.explorers.explorer import Explorer

    return Explorer(evaluation, state)

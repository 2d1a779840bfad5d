"""Explorers: look at cohorts, thresholds, errors and rows by hand, in the notebook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dfevals.evaluation import Evaluation
    from dfevals.explorers.explorer import Explorer

__all__ = ["explore", "focus", "notebook", "report"]


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


def focus(evaluation: Evaluation, shown: Mapping[str, Any], state: Mapping[str, Any]) -> Explorer:
    """The explorer of a result's rows, opened where the result is.

    Parameters
    ----------
    evaluation : Evaluation
        The rows.
    shown : mapping
        What the result shows: `by`, `view`, `model`, `metric` and so on; what does not fit is left out.
    state : mapping
        What the caller asks for instead; what does not fit is an error.

    Returns
    -------
    Explorer
    """
    from dfevals.explorers.explorer import Explorer
    from dfevals.explorers.shown import fitting
    from dfevals.explorers.view import View

    start = fitting(View(evaluation), shown)
    both = [key for key in ("cost", "table") if key in start and isinstance(state.get(key), Mapping)]
    return Explorer(evaluation, {**start, **state, **{key: {**start[key], **state[key]} for key in both}})


def report(*given: Any) -> str | Path:
    """The report as a page; see `Evaluation.report`."""
    from dfevals.explorers.reporting.page import page

    return page(*given)


def notebook(*given: Any) -> Path:
    """The report as a notebook; see `Evaluation.to_notebook`."""
    from dfevals.explorers.reporting.notebook import notebook as written

    return written(*given)

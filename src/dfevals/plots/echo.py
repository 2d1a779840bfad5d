"""Axes as the last value of a cell: the figure is shown, and no line of text with their name above it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

__all__ = ["Panels", "unechoed"]

P = ParamSpec("P")
R = TypeVar("R")


def _nothing() -> None:
    """What IPython shows for axes: their figure is shown at the end of the cell by itself."""


class Panels(np.ndarray):
    """An array of Axes that a notebook does not write out."""

    def _ipython_display_(self) -> None:
        """Nothing; see `unechoed`."""


def unechoed(draw: Callable[P, R]) -> Callable[P, R]:
    """A function that draws, whose Axes (or array of Axes) stay what they are, but are not written out by a notebook.

    IPython asks a value for `_ipython_display_` before its repr: Axes bear it as an attribute of their own, because their
    class must stay matplotlib's. Printing and plain Python show them as ever.
    """

    @wraps(draw)
    def drawn(*args: P.args, **keywords: P.kwargs) -> R:
        found = draw(*args, **keywords)
        if isinstance(found, np.ndarray):
            return found.view(Panels)  # type: ignore[return-value]
        if hasattr(found, "get_figure") and not hasattr(found, "_ipython_display_"):
            found._ipython_display_ = _nothing  # type: ignore[attr-defined]
        return found

    return drawn

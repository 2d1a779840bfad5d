"""The same row answered by another model, or by another release, in a long frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.explorers.state import State
from dfevals.explorers.view import View
from dfevals.words import visible

__all__ = ["partner_of"]


def partner_of(view: View, state: State, at: int) -> tuple[int | None, str]:
    """Place of the other model's (or release's) row with the same id, and what is to be said about it.

    Where several rows have the id, one that agrees in release, repeat, fold and the columns of the cohorts is taken.
    """
    roles = view.bound.roles
    other = _other(view, state, at)
    if other is None:
        return None, ""
    wanted, title = other
    if roles.id is None:
        return None, f"Name the role id to see what {title} answered to the same row."
    ids = _codes(view, roles.id)
    if ids is None or ids[at] < 0:
        return None, "This row has no id, so that no other answer can be found."
    found = np.flatnonzero((ids == ids[at]) & wanted)
    if not len(found):
        return None, f"{title} has no row with this id."
    several = len(found) > 1
    for name in _context_of(view, state):
        codes = _codes(view, name)
        if codes is not None and len(found) > 1:
            same = found[codes[found] == codes[at]]
            found = same if len(same) else found
    note = f"{title} has {len(found):,} rows with this id; the first is shown." if several and len(found) > 1 else ""
    return int(found[0]), note


def _other(view: View, state: State, at: int) -> tuple[npt.NDArray[np.bool_], str] | None:
    """Rows of the other model, or of the next release, and its name."""
    roles = view.bound.roles
    if roles.model is not None:
        if state["against"] is None:
            return None
        key = view.bound.model(state["against"]).key
        if key is None:
            return None
        mask = view.keep(
            ("rows of", key), lambda: (view.bound.frame[roles.model] == key).to_numpy(bool, na_value=False)
        )
        return mask, str(state["against"])
    if roles.release is None:
        return None
    codes = _codes(view, roles.release)
    if codes is None or codes[at] < 0 or codes.max() < 1:
        return None
    second = (int(codes[at]) + 1) % (int(codes.max()) + 1)
    first = int(np.flatnonzero(codes == second)[0])
    return codes == second, visible(view.bound.frame[roles.release].iat[first])


def _context_of(view: View, state: State) -> list[Any]:
    """Columns that tell rows of one id apart: roles, then the columns of the cohorts."""
    roles = view.bound.roles
    names = [name for name in (roles.release, roles.repeat, roles.fold) if name is not None and roles.model is not None]
    names += [name for name in (roles.repeat, roles.fold) if name is not None and roles.model is None]
    by = state["by"] if isinstance(state["by"], list) else []
    places = [view.columns[name] for name in by if isinstance(name, str) and name in view.columns]
    return [*names, *(view.bound.frame.columns[place] for place in places)]


def _codes(view: View, name: Any) -> npt.NDArray[np.intp] | None:
    """Codes of a column, −1 where missing; None where its cells cannot be told apart."""

    def make() -> npt.NDArray[np.intp] | None:
        try:
            return pd.factorize(view.bound.frame[name])[0]
        except TypeError:
            return None

    return view.keep(("codes of", name), make)

"""Whether the frame that an explorer was made from has changed since."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dfevals.explorers.view import View

__all__ = ["has_changed"]

MOST_COLUMNS = 200
COPY_ON_WRITE = int(pd.__version__.split(".")[0]) >= 3


def has_changed(view: View) -> bool:
    """Whether the source frame is still there and differs from the snapshot; looks at memory, not at values.

    With copy-on-write a column that was written to no longer shares memory with the snapshot. Without it the snapshot is a
    copy, so that the values of the role columns are compared.
    """
    source = view.evaluation._source()
    frame = view.bound.frame
    if source is None or source is frame:
        return False
    if len(source) != len(frame) or not source.columns.equals(frame.columns):
        return True
    if not COPY_ON_WRITE:
        return any(not source[name].equals(frame[name]) for name in view.bound.columns)
    return any(not _shared(source.iloc[:, i], frame.iloc[:, i]) for i in range(min(frame.shape[1], MOST_COLUMNS)))


def _shared(a: pd.Series, b: pd.Series) -> bool:
    if a.array is b.array or not len(a):
        return True
    one, two = (
        getattr(x.array, "_ndarray", getattr(x.array, "_codes", getattr(x.array, "_data", None))) for x in (a, b)
    )
    if isinstance(one, np.ndarray) and isinstance(two, np.ndarray):
        return bool(np.shares_memory(one, two))
    return one is two or a.equals(b)

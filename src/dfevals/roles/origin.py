"""Where the rows of a frame come from, as a reader of logs says it: kept in `df.attrs` beside the roles."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

__all__ = ["Origin"]

KEY = "dfevals_log"


@dataclass(frozen=True)
class Origin:
    """What is to be known of rows that were read from logs.

    Attributes
    ----------
    notes : tuple of str
        What was left out, tried again or read in a way that is to be known; shown on the card.
    task : str, optional
        The column that names the task: rows of different tasks are no pairs.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [1]})
    >>> Origin(("2 rows left out.",), "task").keep(frame)
    >>> Origin.of(frame).notes
    ('2 rows left out.',)
    """

    notes: tuple[str, ...] = ()
    task: str | None = None

    @classmethod
    def of(cls, held: Any) -> Origin:
        """What is kept with a frame; nothing where it was not read from logs, or there is no frame."""
        try:
            kept = json.loads(getattr(held, "attrs", {}).get(KEY, "{}"))
            return cls(tuple(map(str, kept.get("notes", ()))), kept.get("task"))
        except (TypeError, ValueError, AttributeError):
            return cls()

    def keep(self, frame: pd.DataFrame) -> None:
        """Keep it with a frame, as text, so that it also survives Parquet."""
        frame.attrs[KEY] = json.dumps(asdict(self), ensure_ascii=False)

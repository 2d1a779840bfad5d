"""The formats that can be read: one record each, from which recognition, the table and the documentation follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from dfevals.logs.inspect_ai import is_inspect, read_inspect
from dfevals.logs.lm_eval import is_lm_eval, read_lm_eval
from dfevals.logs.opening import Source
from dfevals.logs.runs import Run

__all__ = ["FORMATS", "Format", "formats"]


@dataclass(frozen=True)
class Format:
    """How the logs of one tool are recognised and read.

    Attributes
    ----------
    name : str
        What `format=` takes.
    tool : str
    versions : str
        Of the tool with whose files the reader was tested; "documented" where only its documentation was at hand.
    files : str
        What its files are called and hold.
    rows : str
        What a row is.
    recognises : callable
        Whether a file is of the format.
    read : callable
        Runs of some files of the format.
    """

    name: str
    tool: str
    versions: str
    files: str
    rows: str
    recognises: Callable[[Source], bool]
    read: Callable[[Sequence[Source]], Iterable[Run]]


FORMATS = {
    entry.name: entry
    for entry in (
        Format(
            "lm-eval",
            "lm-evaluation-harness",
            "0.4.13",
            "samples_<task>_<time>.jsonl, results_<time>.json",
            "document × filter",
            is_lm_eval,
            read_lm_eval,
        ),
        Format(
            "inspect",
            "Inspect AI",
            "0.3.285 (log version 2)",
            "<time>_<task>_<id>.eval or .json",
            "sample × epoch",
            is_inspect,
            read_inspect,
        ),
    )
}


def formats() -> pd.DataFrame:
    """The formats of logs that `read_log` reads.

    Returns
    -------
    DataFrame
        Columns `format, tool, versions` (with whose files the reader was tested), `files, rows`.

    Examples
    --------
    >>> import dfevals
    >>> dfevals.formats().set_index("format").loc["inspect", "rows"]
    'sample × epoch'
    """
    names = ("tool", "versions", "files", "rows")
    return pd.DataFrame(
        {"format": list(FORMATS), **{name: [getattr(entry, name) for entry in FORMATS.values()] for name in names}}
    )

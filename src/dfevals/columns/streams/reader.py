"""Reads a source for a question: as pandas frames batch by batch, one column of all rows, or rows by place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.columns.streams.forms import Forms, joined
from dfevals.columns.streams.source import Chunk, Source, changed
from dfevals.exceptions import DataError

__all__ = ["Reader"]

READ = 1 << 31  # bytes of columns up to which a question that needs the rows at once reads them
Places = npt.NDArray[np.int64]


class Reader:
    """A source, the types that its columns have as a whole, and a few rows that show them.

    Parameters
    ----------
    source : Source
    n_rows : int
    forms : Forms
    head : DataFrame
        All columns of a few rows.
    """

    def __init__(self, source: Source, n_rows: int, forms: Forms, head: pd.DataFrame) -> None:
        self.source, self.n_rows, self.forms, self.head = source, n_rows, forms, head

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self.source.schema.names)

    def chunks(self, columns: Iterable[str], what: str = "") -> Iterator[Chunk]:
        """Batches as Arrow tables; `what` names the work on a progress bar, which appears after a second.

        Raises
        ------
        DataError
            There are more or fewer rows than before.
        """
        from tqdm.auto import tqdm

        n = 0
        with tqdm(
            total=self.n_rows, desc=what or "reading", unit="row", unit_scale=True, delay=1, leave=False, disable=None
        ) as bar:
            for chunk in self.source.chunks(list(columns)):
                n += chunk.table.num_rows
                if n > self.n_rows:
                    break
                yield chunk
                bar.update(chunk.table.num_rows)
        if n != self.n_rows:
            raise changed(self.source, n, self.n_rows)

    def frames(self, columns: Iterable[str], what: str = "") -> Iterator[tuple[Chunk, pd.DataFrame]]:
        """Batches as frames, each column in the type that it has as a whole; texts are categories of the batch."""
        names = list(columns)
        self._know(names)
        for chunk in self.chunks(names, what):
            yield chunk, self.forms.frame(chunk.table)

    def _know(self, names: Iterable[Any]) -> None:
        """Look at columns whose types as a whole are not known yet."""
        for name in self.forms.unknown(names):
            ends = self.source.ends(name)
            if ends is not None and not self.forms.is_categorical(name):
                self.forms.know(name, ends)
        unknown = self.forms.unknown(names)
        for chunk in self.chunks(unknown) if unknown else ():
            self.forms.note(chunk)
        self.forms.close(unknown)

    def series(self, name: str) -> pd.Series:
        """One column of all rows; texts as categories."""
        self._check_size(1)
        parts = [frame[name] for _, frame in self.frames([name])]
        return joined(parts, self.head[name].iloc[:0], alike=self.forms.categories(name) is not None)

    def frame(self) -> pd.DataFrame:
        """All columns of all rows."""
        self._check_size(len(self.names))
        self._know(self.names)
        return self._whole(self.forms.frame(chunk.table, texts=True) for chunk in self.chunks(self.names))

    def at(self, places: Places, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Rows by place, in the order asked for."""
        names = self.names if columns is None else list(columns)
        self._check_size(len(names), len(places))
        self._know(names)
        rising = np.unique(places)
        parts = []
        for chunk in self.source.chunks(names, rising):
            low, high = np.searchsorted(rising, (chunk.start, chunk.start + chunk.table.num_rows))
            if high > low:
                parts.append(self.forms.frame(chunk.table.take(rising[low:high] - chunk.start), texts=True))
        found = self._whole(parts)[names].set_axis(pd.Index(rising))
        return found.iloc[np.searchsorted(rising, places)]

    def _whole(self, parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
        kept = list(parts)
        return pd.concat(kept, ignore_index=True) if kept else self.head.iloc[:0]

    def _check_size(self, columns: int, rows: int | None = None) -> None:
        rows = self.n_rows if rows is None else rows
        if rows * columns * 8 > READ:
            raise DataError(
                f"This question needs rows at once, and {rows:,} rows of {columns} column{'s' * (columns != 1)} are about "
                f"{rows * columns * 8 / 2**30:.1f} GiB, more than the {READ / 2**30:.0f} GiB that are read for it. Ask it of "
                "fewer rows or columns: filter or sample the source before dfevals.evaluate(...), or drop columns that "
                "play no role."
            )

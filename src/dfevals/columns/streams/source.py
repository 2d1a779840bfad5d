"""What a source of batches is, and those that hand over Arrow by themselves: Arrow, Polars, DuckDB, and anything alike."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from dfevals.exceptions import DataError, DfevalsError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BATCH", "Chunk", "Ends", "Iterated", "Source", "changed", "combined", "failing", "gathered"]

BATCH = 1 << 19  # rows of a batch: few enough for flat memory, many enough for numpy
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Chunk:
    """Some rows of a source: where they come from, the place of the first among all rows, and the columns asked for.

    `part` is the number of the file.
    """

    where: str
    start: int
    table: Any  # of pyarrow
    part: int = 0


@dataclass(frozen=True)
class Ends:
    """The least and the greatest of a column's numbers, how many there are, and how many are missing."""

    low: float
    high: float
    n: int
    missing: int


class Source(Protocol):
    """Rows that are read batch by batch, always in the same order."""

    kind: str
    n_rows: int | None

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        ...

    def chunks(
        self, columns: Sequence[str] | None = None, wanted: Places | None = None, size: int | None = None
    ) -> Iterator[Chunk]:
        """Batches of some columns (None: of all) of about `size` rows.

        Those without any of the `wanted` (rising) rows may be left out.
        """
        ...

    def ends(self, name: str) -> Ends | None:
        """Ends of a column of numbers, NaN left out, where they are known without reading it."""
        ...

    def check(self, columns: Iterable[str]) -> None:
        """Refuse columns that not every part of the source holds, or that parts hold as different kinds of values."""
        ...


def changed(source: Source, now: int, before: int | None = None) -> DataError:
    """What to say of a source that gives other rows than at an earlier reading."""
    first = "more rows" if before is None else f"{before:,} rows"
    return DataError(
        f"The {source.kind} gave {first} at first and {'more' if before and now > before else f'{now:,}'} now: it changes, or "
        "it can be read only once. Keep its rows first, for instance in a Parquet file."
    )


@contextlib.contextmanager
def failing(what: str) -> Iterator[None]:
    """Answers what breaks within by naming the part of the source that was read."""
    try:
        yield
    except (MemoryError, KeyboardInterrupt):
        raise
    except DfevalsError:
        raise
    except Exception as error:  # an engine or a damaged file fails in any way
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"Cannot read {what}: {reason.rstrip('.')}.") from error


def gathered(parts: Iterable[Any], size: int | None = None) -> Iterator[pa.Table]:
    """Record batches or tables as tables of about `size` rows (by default `BATCH`)."""
    import pyarrow as pa

    size = BATCH if size is None else size
    held: list[Any] = []
    rows = 0
    for part in parts:
        table = pa.Table.from_batches([part]) if isinstance(part, pa.RecordBatch) else part
        for start in range(0, max(table.num_rows, 1), size):
            piece = table.slice(start, size)
            if not piece.num_rows:
                continue
            if rows and rows + piece.num_rows > size:
                yield pa.concat_tables(held)
                held, rows = [], 0
            held.append(piece)
            rows += piece.num_rows
    if held:
        yield pa.concat_tables(held)


def combined(chunks: Iterable[Chunk], size: int) -> Iterator[Chunk]:
    """Small chunks that follow each other as one; not those of categoricals, whose categories are those of their file."""
    held: list[Chunk] = []
    for chunk in chunks:
        rows = sum(one.table.num_rows for one in held)
        if held and not (rows + chunk.table.num_rows <= size and _follows(held[-1], chunk)):
            yield _one(held)
            held = []
        held.append(chunk)
    if held:
        yield _one(held)


def _follows(a: Chunk, b: Chunk) -> bool:
    import pyarrow as pa

    alike = a.table.schema.equals(b.table.schema) and a.start + a.table.num_rows == b.start
    codes = (kind for kind in a.table.schema.types if pa.types.is_dictionary(kind))
    return alike and (a.part == b.part or all(kind.index_type == pa.int32() for kind in codes))


def _one(chunks: list[Chunk]) -> Chunk:
    import pyarrow as pa

    first, last = chunks[0], chunks[-1]
    if len(chunks) == 1:
        return first
    where = f"{first.where} to {last.where}"
    return Chunk(where, first.start, pa.concat_tables([chunk.table for chunk in chunks]), first.part)


class Iterated:
    """A source that an engine runs anew for every reading.

    Parameters
    ----------
    kind : str
        What it is, in words.
    schema : pyarrow.Schema
    run : callable
        Record batches or tables of the columns that are given, of at most so many rows if it can.
    n_rows : int, optional
        Where that is known without reading.

    Attributes
    ----------
    kept : pyarrow.Table or None
        All rows, where they had to be kept because the stream cannot be read again, or are few.
    """

    def __init__(
        self, kind: str, schema: pa.Schema, run: Callable[[list[str], int], Iterable[Any]], n_rows: int | None = None
    ) -> None:
        self.kind, self.n_rows, self._run = kind, n_rows, run
        self.schema = schema
        self.kept: pa.Table | None = None

    def __getstate__(self) -> Any:
        raise DataError(
            f"Rows of the {self.kind} live in this process, so an evaluation of them cannot be sent to another one. Write "
            "them to Parquet and evaluate the path."
        )

    def chunks(
        self, columns: Sequence[str] | None = None, wanted: Places | None = None, size: int | None = None
    ) -> Iterator[Chunk]:
        """Batches of some columns, in the order of the rows."""
        size = BATCH if size is None else size
        names = self.schema.names if columns is None else list(columns)
        start = 0
        with failing(f"the {self.kind}"):
            tables = gathered(self._run(names, size), size)
        while True:
            with failing(f"the {self.kind} from row {start:,} on"):
                table = next(tables, None)
            if table is None:
                return
            yield Chunk(f"rows {start:,} to {start + table.num_rows - 1:,}", start, table)
            start += table.num_rows

    def ends(self, name: str) -> Ends | None:
        """Not known."""
        return None

    def check(self, columns: Iterable[str]) -> None:
        """All batches have one schema."""

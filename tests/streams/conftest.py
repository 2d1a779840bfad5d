"""Sources of a few hundred rows, read batch by batch as if they were long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from dfevals.columns.streams import opening, parquet, source

ROWS = 97  # of a batch


class Stream:
    """Something that only hands over a stream of Arrow, as frames of many libraries do."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of few rows, and no source too short for them."""
    monkeypatch.setattr(opening, "LONG", 0)
    for module in (source, parquet):
        monkeypatch.setattr(module, "BATCH", ROWS)


def pieces(table: pa.Table) -> list[pa.Table]:
    """Parts of a table of very different sizes, one of one row and one of none."""
    n = table.num_rows
    cuts = [0, 1, n // 3, n // 3, n // 2, n]
    return [table.slice(a, b - a) for a, b in zip(cuts[:-1], cuts[1:], strict=True)]


def in_pieces(table: pa.Table) -> pa.Table:
    """The same table in parts whose texts have dictionaries of their own."""
    parts = []
    for piece in pieces(table):
        columns = [
            column.dictionary_encode()
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
            else column
            for column in piece.columns
        ]
        parts.append(pa.table(columns, names=table.column_names))
    return pa.concat_tables(parts)


def _files(table: pa.Table, folder: Path) -> str:
    folder.mkdir()
    for i, piece in enumerate(pieces(table)):
        pq.write_table(piece, folder / f"part-{i}.parquet", row_group_size=60)
    return str(folder)


def _file(table: pa.Table, folder: Path) -> Path:
    folder.mkdir()
    pq.write_table(table, folder / "one.parquet", row_group_size=70)
    return folder / "one.parquet"


def _polars(table: pa.Table) -> Any:
    import polars as pl

    return pl.from_arrow(table)


def _duckdb(table: pa.Table) -> Any:
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("rows", table)
    return connection.sql("SELECT * FROM rows")


def _views(table: pa.Table) -> pa.Table:
    columns = [c.cast(pa.string_view()) if pa.types.is_string(c.type) else c for c in table.columns]
    return pa.table(columns, names=table.column_names)


SOURCES: dict[str, Callable[[pa.Table, Path], Any]] = {
    "arrow table": lambda table, folder: table,
    "dictionaries that differ": lambda table, folder: in_pieces(table),
    "string views": lambda table, folder: _views(table),
    "arrow reader": lambda table, folder: table.to_reader(50),
    "arrow dataset": lambda table, folder: pyarrow.dataset.dataset(_files(table, folder / "dataset"), format="parquet"),
    "arrow stream": lambda table, folder: Stream(table),
    "parquet file": lambda table, folder: _file(table, folder / "file"),
    "parquet folder": lambda table, folder: _files(table, folder / "parts"),
    "parquet url": lambda table, folder: "file://" + _files(table, folder / "url"),
    "polars": lambda table, folder: _polars(table),
    "polars lazy": lambda table, folder: _polars(table).lazy(),
    "polars scan": lambda table, folder: _scan(table, folder),
    "duckdb": lambda table, folder: _duckdb(table),
}


def _scan(table: pa.Table, folder: Path) -> Any:
    import polars as pl

    return pl.scan_parquet(_files(table, folder / "scan") + "/*.parquet")

"""Rows of Arrow tables, and of Parquet and Feather files, without loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals.columns.plain_values import EXACT, column_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["of_arrow", "read_feather", "read_parquet", "streams"]


def streams(source: Any) -> bool:
    """Whether a source hands over its rows by Arrow's stream interface (some answer any attribute, so its class is asked)."""
    return hasattr(type(source), "__arrow_c_stream__")


def of_arrow(table: pa.Table) -> pd.DataFrame:
    """A frame of a table, with the index and attributes that pandas left in it.

    Whole numbers stay exact beside missing values, and columns that pandas cannot take as they are (a dictionary that
    names a value twice, a union) come as plain values.
    """
    import pyarrow as pa

    try:
        frame: pd.DataFrame = table.to_pandas(date_as_object=False)
    except (pa.ArrowException, ValueError, TypeError):
        frame = pd.concat([_column(table.select([i])) for i in range(table.num_columns)], axis=1)
    for name in frame.columns[~frame.columns.duplicated(keep=False)]:
        exact = _exact(table, name, frame[name].dtype)
        if exact is not None:
            frame[name] = exact.set_axis(frame.index)
    return frame


def _column(table: pa.Table) -> pd.DataFrame:
    """A table of one column; of plain values where pandas has no such type."""
    import pyarrow as pa

    try:
        found: pd.DataFrame = table.replace_schema_metadata(None).to_pandas(date_as_object=False)
    except (pa.ArrowException, ValueError, TypeError):
        return column_of(table.column(0).to_pylist()).to_frame(table.column_names[0])
    return found


def _exact(table: pa.Table, name: Any, dtype: Any) -> pd.Series | None:
    """Whole numbers that a frame holds as floats or decimals; None where nothing is lost."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not isinstance(dtype, np.dtype) or dtype.kind not in "fO" or name not in table.column_names:
        return None
    column = table.column(name)
    if pa.types.is_decimal(column.type) and column.type.scale <= 0:
        return column_of([None if value is None else int(value) for value in column.to_pylist()])
    if not pa.types.is_integer(column.type) or not column.null_count:
        return None
    ends = pc.min_max(column).as_py()
    return column_of(column.to_pylist()) if max(abs(v or 0) for v in ends.values()) > EXACT else None


def read_parquet(path: str) -> pd.DataFrame:
    """Rows of one Parquet file."""
    try:
        import pyarrow.parquet
    except ImportError:
        return pd.read_parquet(path)
    try:
        return of_arrow(pyarrow.parquet.read_table(path, partitioning=None))
    except NotImplementedError as error:  # integers of 128 bits: pyarrow reads not even the schema
        return _by_polars(path, error)


def _by_polars(path: str, error: Exception) -> pd.DataFrame:
    from dfevals.columns.sources.reading import to_frame

    try:
        import polars
    except ImportError:
        raise ValueError(
            f"{error}. Write that column with 64 bits or as text, or install Polars, which reads it"
        ) from None
    return to_frame(polars.read_parquet(path, hive_partitioning=False))


def read_feather(path: str) -> pd.DataFrame:
    """Rows of one Feather (Arrow IPC) file."""
    import pyarrow.feather

    return of_arrow(pyarrow.feather.read_table(path))

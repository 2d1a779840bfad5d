"""Which sources are read batch by batch: recognised by type or module, without importing what they come from."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dfevals.columns.sources.written import Kind
from dfevals.columns.streams.parquet import Parquet
from dfevals.columns.streams.source import Iterated, Source, failing
from dfevals.exceptions import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["attributes_of", "is_long", "opened"]

LONG = 1 << 20  # sources of fewer rows are read whole, as a pandas frame

HELD = 1 << 31  # bytes up to which a stream that can be read only once is kept in memory


def opened(source: Any, kind_of: Callable[[Any], Kind] = lambda name: "any") -> Source | None:
    """The source of batches that something is; None where it is none (a pandas frame, CSV files, records).

    Parameters
    ----------
    source
        What `dfevals.evaluate` was given.
    kind_of : callable
        What the roles say of a column that only the names of folders hold.

    Raises
    ------
    DataError
        A stream that was read before, a plan that fails, files that cannot be read.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return None
    if isinstance(source, str | Path | list | tuple):
        try:
            found = Parquet.of(source)
        except DataError:
            if "://" in str(source):
                raise
            return None  # what is wrong is said by the reader of files
        return None if found is None else found.typed_by(kind_of)
    module, name = type(source).__module__.split(".")[0], type(source).__name__
    kinds = {kind.__name__ for kind in type(source).__mro__}
    if module == "pandas" or not (hasattr(type(source), "__arrow_c_stream__") or kinds & OTHERS.get(module, set())):
        return None
    make = MAKERS.get(module, _of_stream)
    with failing(f"the {_kind(module, name)}"):
        return make(source)


OTHERS = {"polars": {"LazyFrame"}, "pyarrow": {"Dataset"}}  # that hand over Arrow in ways of their own


def _kind(module: str, name: str) -> str:
    names = {"pyarrow": "Arrow", "polars": "Polars", "duckdb": "DuckDB", "_duckdb": "DuckDB"}
    return f"{names.get(module, module)} {name.removeprefix('DuckDB').removeprefix('Py')}"


def is_long(source: Source) -> bool:
    """Whether a source is read batch by batch for every question, not whole at first."""
    if isinstance(source, Parquet) and source.remote:
        return True
    if source.n_rows is not None:
        return source.n_rows >= LONG
    import pyarrow as pa

    parts = []
    for chunk in source.chunks():
        parts.append(chunk.table)
        if chunk.start + chunk.table.num_rows >= LONG:
            return True
    assert isinstance(source, Iterated)
    source.kept = pa.concat_tables(parts) if parts else source.schema.empty_table()
    return False


def attributes_of(source: Source) -> pd.DataFrame:
    """A frame without rows, with the attributes of the pandas frame that the data was written from."""
    found = pd.DataFrame()
    with contextlib.suppress(ValueError, AttributeError):
        found.attrs.update(json.loads((source.schema.metadata or {}).get(b"pandas", b"{}")).get("attributes", {}))
    return found


def _of_arrow(source: Any) -> Source | None:
    import pyarrow as pa

    if isinstance(source, pa.RecordBatchReader):
        kept = _held(source)
        found = _table(kept, "Arrow RecordBatchReader, read once and kept")
        found.kept = kept
        return found
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    if isinstance(source, pa.Table):
        return _table(source, "Arrow Table")
    if hasattr(type(source), "count_rows"):  # a dataset
        return Iterated(
            _kind("pyarrow", type(source).__name__),
            source.schema,
            lambda names, size: source.to_batches(columns=names, batch_size=size),
            source.count_rows(),
        )
    return None


def _table(table: pa.Table, kind: str) -> Iterated:
    return Iterated(kind, table.schema, lambda names, size: table.select(names).to_batches(size), table.num_rows)


def _held(reader: pa.RecordBatchReader) -> pa.Table:
    """All that a stream gives, which can be read only once."""
    import pyarrow as pa

    batches, size = [], 0
    for batch in reader:
        batches.append(batch)
        size += batch.nbytes
        if size > HELD:
            raise DataError(
                f"A RecordBatchReader can be read only once, and it gives more than {HELD / 2**30:.0f} GiB, too much to "
                "keep: questions read the rows several times. Write it to a Parquet file and pass the path."
            )
    if not batches:
        raise DataError(
            "This RecordBatchReader gives no rows. It can be read only once: if it was read before, make a new one, or "
            "pass the table, reader.read_all()."
        )
    return pa.Table.from_batches(batches)


def _of_polars(source: Any) -> Source | None:
    if type(source).__name__ == "LazyFrame":
        return _of_lazy(source)
    names = [name for name, kind in source.schema.items() if _has_place(kind)]
    schema = source.select(names).head(0).to_arrow().schema

    def run(columns: list[str], size: int) -> Iterator[Any]:
        return (part.to_arrow() for part in source.select(columns).iter_slices(size))

    return Iterated("Polars DataFrame", schema, run, source.height) if len(names) == source.width else None


def _has_place(kind: Any) -> bool:
    """Whether a type of Polars has its like in Arrow."""
    return not any(word in str(kind) for word in ("Int128", "Object"))


def _of_lazy(source: Any) -> Source | None:
    import polars as pl

    kinds = source.collect_schema()
    if not all(map(_has_place, kinds.values())):
        return None
    schema = pl.DataFrame(schema=kinds).to_arrow().schema

    def run(columns: list[str], size: int) -> Iterator[Any]:
        plan = source.select(columns)
        if hasattr(plan, "collect_batches"):
            parts: Iterable[Any] = plan.collect_batches(chunk_size=size, maintain_order=True)
        else:
            parts = plan.collect(engine="streaming").iter_slices(size)
        return (part.to_arrow() for part in parts)

    return Iterated("Polars LazyFrame", schema, run, int(source.select(pl.len()).collect().item()))


def _of_duckdb(source: Any) -> Source | None:
    if not type(source).__name__.endswith("Relation"):
        return None

    def batches(relation: Any, size: int) -> Any:
        read = getattr(relation, "to_arrow_reader", None) if _has(relation, "to_arrow_reader") else None
        return (read or relation.fetch_arrow_reader)(size)

    def run(columns: list[str], size: int) -> Any:
        quoted = ['"' + name.replace('"', '""') + '"' for name in columns]
        return batches(source.project(", ".join(quoted)), size)

    n_rows = source.aggregate("count(*)").fetchall()[0][0]
    return Iterated("DuckDB Relation", batches(source.limit(0), 1).schema, run, int(n_rows))


def _has(source: Any, name: str) -> bool:
    """Whether the class has a method (relations answer any attribute with a column)."""
    return hasattr(type(source), name)


def _of_stream(source: Any) -> Source | None:
    """Anything that hands over a stream of Arrow: a plan or table that is run anew for every reading."""
    import pyarrow as pa

    def run(columns: list[str], size: int) -> Iterator[Any]:
        return (batch.select(columns) for batch in pa.RecordBatchReader.from_stream(source))

    if not hasattr(pa.RecordBatchReader, "from_stream"):  # older versions of Arrow
        return None
    kind = _kind(type(source).__module__.split(".")[0], type(source).__name__)
    return Iterated(kind, pa.RecordBatchReader.from_stream(source).schema, run)


MAKERS = {"pyarrow": _of_arrow, "polars": _of_polars, "duckdb": _of_duckdb, "_duckdb": _of_duckdb}

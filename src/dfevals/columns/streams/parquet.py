"""Parquet files, folders and URLs as sources of batches, a few row groups at a time."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import pandas as pd

from dfevals.columns.sources.reading import NO_PARTITION, hidden
from dfevals.columns.sources.written import Kind, typed
from dfevals.columns.streams.source import BATCH, Chunk, Ends, Places, combined, failing, gathered
from dfevals.exceptions import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["Parquet"]


@dataclass(frozen=True)
class File:
    """One file: its path, the folders `name=value` above it, and what its footer says."""

    path: str
    folders: tuple[str, ...]
    system: Any
    schema: pa.Schema
    footer: pq.FileMetaData

    @cached_property
    def groups(self) -> tuple[int, ...]:
        """Rows of every row group."""
        return tuple(self.footer.row_group(i).num_rows for i in range(self.footer.num_row_groups))

    @property
    def n_rows(self) -> int:
        return sum(self.groups)

    def opened(self, texts: Sequence[str] = ()) -> pq.ParquetFile:
        """The file, with these columns of text as codes into a dictionary."""
        return _parquet_file(self.path, self.system, texts)


class Parquet:
    """Rows of Parquet files; columns that only folders name come last.

    Parameters
    ----------
    files : sequence of File
    kind_of : callable
        What the roles say of a column that only folders name, as written there.
    """

    def __init__(self, files: Sequence[File], kind_of: Callable[[Any], Kind] = lambda name: "any") -> None:
        self.files = tuple(files)
        self._folders = _folders(self.files, kind_of)
        self.kind = f"Parquet, {len(files):,} file{'s' * (len(files) != 1)}"
        self.remote = any(file.system is not None for file in files)
        self.n_rows: int | None = sum(file.n_rows for file in self.files)

    @classmethod
    def of(cls, source: Any) -> Parquet | None:
        """The source of a path, pattern, folder, URL, or a list of these; None where they are not all Parquet files."""
        paths = list(source) if isinstance(source, list | tuple) else [source]
        if not paths or not all(isinstance(path, str | Path) for path in paths):
            return None
        found = [file for path in paths for file in _listed(str(path))]
        if not found or not all(path.lower().endswith(".parquet") for path, _, _ in found):
            return None
        try:
            return cls([_file(*place) for place in found])
        except NotImplementedError:  # integers of 128 bits: pyarrow reads not even the schema
            return None

    def typed_by(self, kind_of: Callable[[Any], Kind]) -> Parquet:
        """The same files, when roles say how the names of folders are read."""
        return Parquet(self.files, kind_of)

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of all files, each of the widest type that files have it in."""
        import pyarrow as pa

        fields: dict[str, pa.Field] = {}
        for file in self.files:
            for field in file.schema:
                known = fields.get(field.name)
                fields[field.name] = field if known is None else _wider(known, field)
        for name, values in self._folders.items():
            fields[name] = pa.field(name, _arrow(values).type)
        return pa.schema(list(fields.values()), metadata=self.files[0].schema.metadata)

    def check(self, columns: Iterable[str]) -> None:
        """Refuse columns that not every file holds, or that files hold as different kinds of values.

        Raises
        ------
        DataError
            With the two files that differ.
        """
        for name in columns:
            if name in self._folders or name not in self.schema.names:
                continue
            first: tuple[str, Any] | None = None
            for file in self.files:
                if file.schema.get_field_index(name) < 0:
                    has = next(f.path for f in self.files if f.schema.get_field_index(name) >= 0)
                    raise DataError(
                        f"Column {name!r} is not in {file.path!r}, but in {has!r}. "
                        f"{did_you_mean(name, file.schema.names, noun='Columns there')} "
                        "Write it to every file, or leave the others out."
                    )
                kind = file.schema.field(name).type
                if _class(kind) == "null":
                    continue
                if first is not None and _class(first[1]) != _class(kind):
                    raise DataError(
                        f"Column {name!r} holds {_class(first[1])} ({first[1]}) in {first[0]!r} and {_class(kind)} "
                        f"({kind}) in {file.path!r}. Write it as one type in all files."
                    )
                first = first or (file.path, kind)

    def ends(self, name: str) -> Ends | None:
        """Ends by the statistics of the row groups, where all have them."""
        if name in self._folders or _class(self.schema.field(name).type) != "numbers":
            return None
        low, high, n, missing = np.inf, -np.inf, 0, 0
        for found in (part for file in self.files for part in _statistics(file, name)):
            if found is None or not found.has_null_count:
                return None
            if found.has_min_max:
                low, high = min(low, found.min), max(high, found.max)
            elif found.num_values:
                return None
            n, missing = n + found.num_values, missing + found.null_count
        return Ends(low, high, n, missing)

    def chunks(
        self, columns: Sequence[str] | None = None, wanted: Places | None = None, size: int | None = None
    ) -> Iterator[Chunk]:
        """Batches of some columns, file by file; small row groups are read together."""
        names = list(self.schema.names if columns is None else columns)
        if columns is not None:
            self.check(names)
        yield from combined(self._parts(names, wanted, size or BATCH), size or BATCH)

    def _parts(self, names: list[str], wanted: Places | None, size: int) -> Iterator[Chunk]:
        start = 0
        for at, file in enumerate(self.files):
            stop = start + file.n_rows
            if wanted is None or _any_within(wanted, start, stop):
                yield from self._of_file(at, names, start, wanted, size)
            start = stop

    def _of_file(self, at: int, names: list[str], start: int, wanted: Places | None, size: int) -> Iterator[Chunk]:
        file = self.files[at]
        inside = [name for name in names if file.schema.get_field_index(name) >= 0]
        with failing(f"{file.path!r} as PARQUET"):
            opened = file.opened([n for n in inside if _class(file.schema.field(n).type) == "text"])
        for group, n in enumerate(file.groups):
            if wanted is None or _any_within(wanted, start, start + n):
                place, where = start, f"row group {group} of {file.path!r}"
                parts = gathered(opened.iter_batches(size, [group], inside) if inside else _no_columns(n), size)
                while True:
                    with failing(where):
                        table = next(parts, None)
                        table = None if table is None else self._whole(at, table, names)
                    if table is None:
                        break
                    yield Chunk(where, place, table, at)
                    place += table.num_rows
                if place != start + n:
                    raise DataError(f"Cannot read {where}: it gives {place - start:,} rows of the {n:,} it says.")
            start += n

    def _whole(self, at: int, table: pa.Table, names: list[str]) -> pa.Table:
        """A batch with all columns, in the types of all files."""
        import pyarrow as pa

        columns = []
        for name in names:
            kind = self.schema.field(name).type
            if name in self._folders:
                values = _arrow(self._folders[name].iloc[[at]])
                codes = pa.array(np.zeros(table.num_rows, np.int32))
                columns.append(pa.DictionaryArray.from_arrays(codes, values) if _class(kind) == "text" else
                               values.take(codes))  # fmt: skip
            elif name not in table.column_names:
                columns.append(pa.nulls(table.num_rows, kind))
            else:
                column = table.column(name)
                same = _class(kind) == "text" or column.type == kind
                columns.append(column if same else column.cast(kind))
        return pa.table(dict(zip(names, columns, strict=True)))


def _folders(files: Sequence[File], kind_of: Callable[[Any], Kind]) -> dict[str, pd.Series]:
    """Columns that only folders name: the value of every file."""
    rows = [dict(folder.split("=", 1) for folder in file.folders) for file in files]
    inside = {field.name for file in files for field in file.schema}
    found = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        if unquote(name) not in inside:
            values = [None if row.get(name, "") in NO_PARTITION else unquote(row[name]) for row in rows]
            found[unquote(name)] = typed(pd.Series(values, dtype=str), kind_of(unquote(name)))
    return found


def _statistics(file: File, name: str) -> Iterator[Any]:
    """Statistics of a column in every row group; None where there are none."""
    if file.schema.get_field_index(name) < 0:
        yield None
        return
    for i in range(file.footer.num_row_groups):
        group = file.footer.row_group(i)
        columns = (group.column(j) for j in range(group.num_columns))
        column = next((c for c in columns if c.path_in_schema == name), None)
        yield column.statistics if column is not None and column.is_stats_set else None


def _no_columns(n: int) -> Iterator[pa.Table]:
    """Rows of which only the number matters."""
    import pyarrow as pa

    for start in range(0, n, BATCH):
        yield pa.table({"rows": pa.nulls(min(BATCH, n - start))})


def _any_within(wanted: Places, start: int, stop: int) -> bool:
    return bool(np.searchsorted(wanted, start) < np.searchsorted(wanted, stop))


def _arrow(values: pd.Series) -> pa.Array:
    import pyarrow as pa

    return pa.array(values, from_pandas=True)


def _class(kind: pa.DataType) -> str:
    """What values of a type are: kinds that no file may mix."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return _class(kind.value_type)
    if types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view":
        return "text"
    if types.is_integer(kind) or types.is_floating(kind):
        return "numbers"
    if types.is_null(kind):
        return "null"
    if types.is_timestamp(kind):
        return "times with a zone" if kind.tz else "times"
    return "truth values" if types.is_boolean(kind) else str(kind)


def _wider(a: pa.Field, b: pa.Field) -> pa.Field:
    """A field that holds the values of both; the first where that cannot be."""
    import pyarrow as pa

    if a.type == b.type or _class(a.type) == _class(b.type) == "text":
        return b if pa.types.is_dictionary(a.type) else a  # categories here and text there are text
    try:
        return pa.unify_schemas([pa.schema([a]), pa.schema([b])], promote_options="permissive").field(0)
    except (pa.ArrowException, TypeError):
        return a


def _listed(text: str) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """Files that a path means: path, folders below it, and the file system of a URL."""
    if "://" in text:
        yield from _remote(text)
        return
    paths = sorted(glob.glob(text)) if any(c in text for c in "*?[") and not Path(text).exists() else [text]
    for path in paths:
        if Path(path).is_dir():
            inside = sorted(p for p in Path(path).rglob("*") if p.is_file() and not hidden(p.relative_to(path)))
            yield from ((str(p), _pairs(p.relative_to(path).parent.parts), None) for p in inside)
        else:
            yield path, (), None


def _pairs(folders: Iterable[str]) -> tuple[str, ...]:
    return tuple(folder for folder in folders if "=" in folder)


def _remote(url: str) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """Files of a URL, by Arrow's file systems or else by fsspec's."""
    from fnmatch import fnmatchcase

    import pyarrow as pa
    from pyarrow import fs

    before = url[: min((url.index(c) for c in "*?[" if c in url), default=len(url))].rsplit("/", 1)[0]
    base = before if any(c in url for c in "*?[") else url
    with failing(repr(url)):
        try:
            system, path = fs.FileSystem.from_uri(base)
        except (pa.ArrowInvalid, ValueError):
            system, path = _by_fsspec(base)
        info = system.get_file_info(path)
    if info.type == fs.FileType.NotFound:
        raise DataError(f"There is no file or folder {url!r}.")
    if info.is_file:
        yield info.path, (), system
        return
    pattern = url.split("://", 1)[1].split("/")[-1] if base != url else "*"
    found = system.get_file_info(fs.FileSelector(path, recursive=base == url))
    for item in sorted((i for i in found if i.is_file), key=lambda i: i.path):
        below = Path(item.path).relative_to(path)
        if not hidden(below) and fnmatchcase(below.name, pattern):
            yield item.path, _pairs(below.parent.parts), system


def _by_fsspec(url: str) -> tuple[Any, str]:
    from pyarrow import fs

    try:
        import fsspec
    except ImportError:
        raise DataError(f"Cannot read {url!r}: Arrow does not know this kind of address. Install fsspec.") from None
    system, path = fsspec.core.url_to_fs(url)
    return fs.PyFileSystem(fs.FSSpecHandler(system)), path


def _file(path: str, folders: tuple[str, ...], system: Any) -> File:
    if system is None and not Path(path).exists():
        near = [p.name for p in Path(path).parent.iterdir()] if Path(path).parent.is_dir() else []
        raise DataError(f"There is no file {path!r}. {did_you_mean(Path(path).name, near)}".rstrip())
    try:
        with failing(f"{path!r} as PARQUET"):
            file = _parquet_file(path, system, ())
            return File(path, folders, system, file.schema_arrow, file.metadata)
    except DataError as error:
        if isinstance(error.__cause__, NotImplementedError):
            raise error.__cause__ from None
        raise


def _parquet_file(path: str, system: Any, texts: Sequence[str]) -> pq.ParquetFile:
    import pyarrow.parquet as pq

    where = path if system is None else system.open_input_file(path)
    return pq.ParquetFile(where, read_dictionary=list(texts))

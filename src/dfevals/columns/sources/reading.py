"""Sources of rows: what `dfevals.evaluate` accepts besides a pandas DataFrame."""

from __future__ import annotations

import glob
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pandas as pd

from dfevals.columns.plain_values import column_of, frame_of_columns, frame_of_records
from dfevals.columns.sources.arrow_rows import of_arrow, read_feather, read_parquet, streams
from dfevals.columns.sources.json_rows import read_json
from dfevals.columns.sources.written import Kind, typed
from dfevals.exceptions import DataError, did_you_mean

__all__ = ["NO_PARTITION", "FileOfRows", "files_of", "hidden", "to_frame"]

READERS: dict[str, Callable[[str], Any]] = {
    ".csv": partial(pd.read_csv, dtype=str),
    ".json": read_json,
    ".jsonl": read_json,
    ".ndjson": read_json,
    ".parquet": read_parquet,
    ".feather": read_feather,
}
COMPRESSED = (".gz", ".bz2", ".xz", ".zip", ".zst")
NEEDS_ARROW = (".parquet", ".feather")
NO_PARTITION = ("__HIVE_DEFAULT_PARTITION__", "")  # how folders name a missing value
KindOf = Callable[[Any], Kind]


@dataclass(frozen=True)
class Rows:
    """Rows read, with the columns that are still text as written."""

    frame: pd.DataFrame
    written: frozenset[Any] = frozenset()

    def typed(self, kind_of: KindOf, less: frozenset[Any] = frozenset()) -> pd.DataFrame:
        """Written columns (but those in `less`) as numbers where all of their writings are."""
        chosen = self.written - less
        return self.frame.assign(**{name: typed(self.frame[name], kind_of(name)) for name in chosen})


def to_frame(source: Any, kind_of: KindOf = lambda name: "any") -> pd.DataFrame:
    """Rows of a source as a pandas DataFrame.

    Parameters
    ----------
    source : DataFrame, path, list of paths, frame or table of another library, records
    kind_of : callable, optional
        What the roles say of a column that a file holds as written text, by its name.

    Raises
    ------
    DataError
        Nothing that holds rows, an unknown file type, no file of that name, or a file that cannot be read.
    """
    if isinstance(source, pd.DataFrame):
        return _with_plain_texts(source)
    if isinstance(source, str | Path):
        return _read(str(source), kind_of).typed(kind_of)
    if isinstance(source, list | tuple) and source and all(isinstance(item, str | Path) for item in source):
        return _joined([_read(str(path), kind_of) for path in source], kind_of).typed(kind_of)
    if isinstance(source, dict | list):
        return _of_records(source)
    found = _of_object(source)
    if found is None:
        raise DataError(
            f"Cannot read rows from {type(source).__name__}. Pass a DataFrame, or a path to CSV, JSON or Parquet."
        )
    return found


def _with_plain_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with Arrow's string views, of which pandas does not know the kind, as strings."""
    types = [getattr(dtype, "pyarrow_dtype", None) for dtype in frame.dtypes]
    views = [i for i, found in enumerate(types) if str(found) == "string_view"]
    if not views:
        return frame
    import pyarrow as pa

    frame = frame.copy(deep=False)
    for i in views:
        texts = pa.array(frame.iloc[:, i].array).to_pylist()  # old versions of Arrow cannot cast views
        frame.isetitem(i, pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(texts, pa.large_string())])))
    return frame


def _of_object(source: Any) -> pd.DataFrame | None:
    """A frame of another library's frame, table, stream or relation."""
    if type(source).__name__ == "DuckDBPyConnection":
        return _of_connection(source)
    if streams(source):
        try:
            return _of_stream(source)
        except ImportError:  # no pyarrow
            pass
    for convert in ("to_pandas", "toPandas", "compute", "df"):  # Polars and Arrow, Spark, Dask, DuckDB
        method = getattr(source, convert, None)
        if callable(method):
            try:
                frame = method()
            except ImportError:  # Polars wants pyarrow for this
                frame = _columnwise(source)
            if isinstance(frame, pd.DataFrame):
                return frame
    for whole in ("read_all", "collect", "to_table"):  # an Arrow stream, a lazy Polars frame, an Arrow dataset
        method = getattr(source, whole, None)
        if callable(method):
            return to_frame(method())
    return None


def _of_stream(source: Any) -> pd.DataFrame:
    """Rows by Arrow's stream interface; columns of Polars that have no place in Arrow by their values."""
    import pyarrow as pa

    kinds = {name: str(kind) for name, kind in source.schema.items()} if hasattr(source, "get_columns") else {}
    apart = [name for name, kind in kinds.items() if "Int128" in kind or "Object" in kind]
    try:
        if kinds:  # Polars' own way out: its stream has views of text, which old versions of Arrow do not know
            table = source.drop(apart).to_arrow()
        elif type(source).__name__ == "DuckDBPyRelation":  # its stream does not take what Arrow passes in DuckDB 1
            table = source.to_arrow_table()
        else:
            table = pa.table(source)
        frame = of_arrow(table)
    except (pa.ArrowException, NotImplementedError) as error:
        raise DataError(f"Cannot read rows from {type(source).__name__}: {error}.") from error
    if not apart:
        return frame
    values = {name: column_of(source[name].to_list()) for name in apart}
    return pd.DataFrame({name: values.get(name, frame.get(name)) for name in kinds})


def _of_connection(connection: Any) -> pd.DataFrame:
    """The open result of a DuckDB connection, as `connection.execute("SELECT …")` returns it."""
    columns = [column[0] for column in connection.description or ()]
    if columns and columns not in (["Count"], ["Success"]):  # what statements that give no rows answer
        fetch = getattr(connection, "to_arrow_table", None) or connection.fetch_arrow_table  # before DuckDB 1.4
        try:
            with warnings.catch_warnings(action="ignore", category=UserWarning):  # DuckDB 2: a relation saves a copy
                return of_arrow(fetch())
        except ImportError:
            return pd.DataFrame(connection.df())
        except Exception as error:  # DuckDB's own error, of a result that was read before
            raise DataError(f"{_NO_RESULT} {' '.join(str(error).split())}") from error
    tables = [row[0] for row in connection.cursor().execute("SHOW TABLES").fetchall()]
    raise DataError(_NO_RESULT + (f" Tables: {', '.join(map(repr, tables))}." if tables else ""))


_NO_RESULT = (
    "This DuckDB connection has no open result, so which rows are meant? Pass connection.table('name') or "
    "connection.sql('SELECT …')."
)


def _of_records(source: dict[Any, Any] | list[Any]) -> pd.DataFrame:
    if isinstance(source, list) and any(isinstance(item, pd.DataFrame) for item in source):
        raise DataError(
            "Cannot read rows from a list of frames. Join them first: pd.concat(frames, ignore_index=True)."
        )
    try:
        if isinstance(source, list) and source and all(isinstance(item, Mapping) for item in source):
            return frame_of_records(source)
        if isinstance(source, dict) and source and all(isinstance(values, list) for values in source.values()):
            sizes = {len(values) for values in source.values()}
            if len(sizes) == 1:
                return frame_of_columns(source, sizes.pop())
        return pd.DataFrame(source)
    except (ValueError, TypeError) as error:
        raise DataError(f"Cannot make rows of this {type(source).__name__}: {error}.") from error


def _columnwise(source: Any) -> Any:
    """A frame from the columns of anything that has `columns` and gives arrays of values."""
    names = getattr(source, "columns", None)
    return None if names is None else pd.DataFrame({name: source[name].to_numpy() for name in names})


@dataclass(frozen=True)
class FileOfRows:
    """One file of a source, and the folders `name=value` that it lies in."""

    path: Path
    folders: tuple[str, ...] = ()

    @property
    def stamp(self) -> str:
        """What changes when the file does: its size and the time of its last change."""
        try:
            found = self.path.stat()
        except OSError as error:
            raise DataError(f"There is no file {str(self.path)!r}: {error.strerror or error}.") from error
        return f"{found.st_size} {found.st_mtime_ns}"

    def frame(self, kind_of: KindOf) -> pd.DataFrame:
        """The rows of the file."""
        return _partition(_file(str(self.path)), self.folders).typed(kind_of)


def files_of(source: Any) -> list[FileOfRows]:
    """The files of a path, a pattern, a folder or a list of these, in order.

    Raises
    ------
    DataError
        There is none, or the source is no path.
    """
    named = source if isinstance(source, list | tuple) else [source]
    if not named or not all(isinstance(item, str | Path) for item in named):
        raise DataError(
            f"store= keeps tallies of files: pass paths, a pattern or a folder, not {type(source).__name__}."
        )
    found = [file for item in named for path in _paths(str(item)) for file in _files_in(Path(path))]
    return list({file.path.absolute(): file for file in found}.values())


def _files_in(path: Path) -> list[FileOfRows]:
    if not path.is_dir():
        return [FileOfRows(path)]
    files = sorted(p for p in path.rglob("*") if p.is_file() and not hidden(p.relative_to(path)))
    return [FileOfRows(p, p.relative_to(path).parent.parts) for p in files if _ending(p) in READERS]


def _paths(text: str) -> list[str]:
    """The paths of a pattern, or the path itself."""
    paths = sorted(glob.glob(text)) if any(c in text for c in "*?[") and not Path(text).exists() else [text]
    if not paths or not Path(paths[0]).exists():
        parent = Path(text).parent
        near = [p.name for p in parent.iterdir()] if parent.is_dir() else []
        raise DataError(f"There is no file {text!r}. {did_you_mean(Path(text).name, near)}".rstrip())
    return paths


def _read(text: str, kind_of: KindOf) -> Rows:
    paths = _paths(text)
    return _joined([_directory(path, kind_of) if Path(path).is_dir() else _file(path) for path in paths], kind_of)


def _joined(parts: Sequence[Rows], kind_of: KindOf) -> Rows:
    """Rows below each other; columns that all parts hold as written text are judged as a whole, later."""
    if len(parts) == 1:
        return parts[0]
    still = frozenset.intersection(*(part.written for part in parts))
    return Rows(pd.concat([part.typed(kind_of, less=still) for part in parts], ignore_index=True), still)


def _directory(path: str, kind_of: KindOf) -> Rows:
    """The files of a directory, which must be of one kind; they may be partitioned into `name=value` directories."""
    files = sorted(p for p in Path(path).rglob("*") if p.is_file() and not hidden(p.relative_to(path)))
    kinds = sorted({_ending(p) for p in files})
    if len(kinds) != 1 or kinds[0] not in READERS:
        found = f"holds {', '.join(kind or 'names without ending' for kind in kinds)}" if kinds else "holds no files"
        raise DataError(
            f"Cannot read the directory {path!r}: it {found}. A directory must hold files of one kind "
            f"({', '.join(READERS)}); name some of them by a pattern such as {str(Path(path) / '*.csv')!r}."
        )
    return _joined([_partition(_file(str(p)), p.relative_to(path).parent.parts) for p in files], kind_of)


def hidden(path: Path) -> bool:
    """Whether Spark and others left a file beside the data; the log of a Delta table is shown, since it changes what counts."""
    marked = (part.startswith((".", "_")) and part != "_delta_log" for part in path.parts)
    return any(marked)


def _partition(rows: Rows, folders: Sequence[str]) -> Rows:
    """Rows with the columns that the names of their folders hold, `name=value`, as text as written."""
    pairs = [folder.partition("=") for folder in folders if "=" in folder]
    columns = {unquote(name): None if value in NO_PARTITION else unquote(value) for name, _, value in pairs}
    new = {name: value for name, value in columns.items() if name not in rows.frame.columns}
    texts = {name: pd.Series(value, index=rows.frame.index, dtype=str) for name, value in new.items()}
    return Rows(rows.frame.assign(**texts), rows.written | frozenset(new))


def _file(path: str) -> Rows:
    ending = _ending(Path(path))
    reader = READERS.get(ending)
    if reader is None:
        raise DataError(f"Cannot read {path!r}. Known endings: {', '.join(READERS)} (also compressed).")
    frame = _parsed(reader, path, ending)
    return Rows(frame, frozenset(frame.columns) if ending == ".csv" else frozenset())


def _ending(path: Path) -> str:
    """Kind of a file by its name, without that of a compression."""
    suffixes = [s.lower() for s in path.suffixes if s.lower() not in COMPRESSED]
    return suffixes[-1] if suffixes else ""


def _parsed(reader: Callable[[str], Any], path: str, ending: str) -> pd.DataFrame:
    try:
        frame: pd.DataFrame = reader(path)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file breaks its parser in any way
        if isinstance(error, ImportError) and ending in NEEDS_ARROW:
            raise DataError(f"Cannot read {path!r}: {ending} files need pyarrow (pip install pyarrow).") from error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"Cannot read {path!r} as {ending[1:].upper()}: {reason.rstrip('.')}.") from error
    return frame

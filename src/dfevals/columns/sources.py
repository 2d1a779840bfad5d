"""Sources of rows: what `dfevals.evaluate` accepts besides a pandas DataFrame."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from dfevals.exceptions import DataError, did_you_mean

__all__ = ["to_frame"]

READERS: dict[str, Any] = {
    ".csv": pd.read_csv,
    ".json": pd.read_json,
    ".jsonl": partial(pd.read_json, lines=True),
    ".ndjson": partial(pd.read_json, lines=True),
    ".parquet": pd.read_parquet,
    ".feather": pd.read_feather,
}
COMPRESSED = (".gz", ".bz2", ".xz", ".zip", ".zst")
NEEDS_ARROW = (".parquet", ".feather")


def to_frame(source: Any) -> pd.DataFrame:
    """Rows of a source as a pandas DataFrame.

    Raises
    ------
    DataError
        Nothing that holds rows, an unknown file type, no file of that name, or a file that cannot be read.
    """
    if isinstance(source, pd.DataFrame):
        return source
    if isinstance(source, str | Path):
        return _read(str(source))
    if isinstance(source, list | tuple) and source and all(isinstance(item, str | Path) for item in source):
        return _joined([_read(str(path)) for path in source])
    for convert in ("to_pandas", "toPandas", "compute", "df"):  # Polars and Arrow, Spark, Dask, DuckDB
        method = getattr(source, convert, None)
        if callable(method):
            try:
                frame = method()
            except ImportError:  # Polars wants pyarrow for this
                frame = _columnwise(source)
            if isinstance(frame, pd.DataFrame):
                return frame
    for whole in ("collect", "to_table"):  # a lazy Polars frame, an Arrow dataset
        method = getattr(source, whole, None)
        if callable(method):
            return to_frame(method())
    if isinstance(source, dict | list):
        try:
            return pd.DataFrame(source)
        except (ValueError, TypeError) as error:
            raise DataError(f"Cannot make rows of this {type(source).__name__}: {error}.") from error
    raise DataError(
        f"Cannot read rows from {type(source).__name__}. Pass a DataFrame, or a path to CSV, JSON or Parquet."
    )


def _columnwise(source: Any) -> Any:
    """A frame from the columns of anything that has `columns` and gives arrays of values."""
    names = getattr(source, "columns", None)
    return None if names is None else pd.DataFrame({name: source[name].to_numpy() for name in names})


def _read(text: str) -> pd.DataFrame:
    paths = sorted(glob.glob(text)) if any(c in text for c in "*?[") and not Path(text).exists() else [text]
    if not paths or not Path(paths[0]).exists():
        parent = Path(text).parent
        near = [p.name for p in parent.iterdir()] if parent.is_dir() else []
        raise DataError(f"There is no file {text!r}. {did_you_mean(Path(text).name, near)}".rstrip())
    return _joined([_directory(path) if Path(path).is_dir() else _file(path) for path in paths])


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _directory(path: str) -> pd.DataFrame:
    """The files of a directory, which must be of one kind; Parquet may be partitioned into `name=value` directories."""
    hidden = (".", "_")  # what Spark and others leave beside the data
    files = sorted(p for p in Path(path).rglob("*") if p.is_file() and not p.name.startswith(hidden))
    kinds = sorted({_ending(p) for p in files})
    if len(kinds) != 1 or kinds[0] not in READERS:
        found = f"holds {', '.join(kind or 'names without ending' for kind in kinds)}" if kinds else "holds no files"
        raise DataError(
            f"Cannot read the directory {path!r}: it {found}. A directory must hold files of one kind "
            f"({', '.join(READERS)}); name some of them by a pattern such as {str(Path(path) / '*.csv')!r}."
        )
    if kinds == [".parquet"]:
        return _parsed(pd.read_parquet, path, ".parquet")
    return _joined([_file(str(p)) for p in files])


def _file(path: str) -> pd.DataFrame:
    ending = _ending(Path(path))
    reader = READERS.get(ending)
    if reader is None:
        raise DataError(f"Cannot read {path!r}. Known endings: {', '.join(READERS)} (also compressed).")
    return _parsed(reader, path, ending)


def _ending(path: Path) -> str:
    """Kind of a file by its name, without that of a compression."""
    suffixes = [s.lower() for s in path.suffixes if s.lower() not in COMPRESSED]
    return suffixes[-1] if suffixes else ""


def _parsed(reader: Any, path: str, ending: str) -> pd.DataFrame:
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

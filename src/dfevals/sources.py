"""Sources of rows: what `dfevals.evaluate` accepts besides a pandas DataFrame."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

import pandas as pd

from dfevals.exceptions import DataError, did_you_mean

__all__ = ["to_frame"]

READERS: dict[str, Any] = {
    ".csv": pd.read_csv,
    ".json": pd.read_json,
    ".parquet": pd.read_parquet,
    ".feather": pd.read_feather,
}


def to_frame(source: Any) -> pd.DataFrame:
    """Rows of a source as a pandas DataFrame.

    Raises
    ------
    DataError
        Nothing that holds rows, an unknown file type, or no file of that name.
    """
    if isinstance(source, pd.DataFrame):
        return source
    if isinstance(source, str | Path):
        return _read(str(source))
    for convert in ("to_pandas", "toPandas", "compute", "df"):  # Polars and Arrow, Spark, Dask, DuckDB
        method = getattr(source, convert, None)
        if callable(method):
            try:
                frame = method()
            except ImportError:  # Polars wants pyarrow for this
                frame = _columnwise(source)
            if isinstance(frame, pd.DataFrame):
                return frame
    collect = getattr(source, "collect", None)  # a lazy Polars frame
    if callable(collect):
        return to_frame(collect())
    if isinstance(source, dict | list):
        return pd.DataFrame(source)
    raise DataError(
        f"Cannot read rows from {type(source).__name__}. Pass a DataFrame, or a path to CSV, JSON or Parquet."
    )


def _columnwise(source: Any) -> Any:
    """A frame from the columns of anything that has `columns` and gives arrays of values."""
    names = getattr(source, "columns", None)
    return None if names is None else pd.DataFrame({name: source[name].to_numpy() for name in names})


def _read(text: str) -> pd.DataFrame:
    paths = sorted(glob.glob(text)) if any(c in text for c in "*?[") else [text]
    if not paths or not Path(paths[0]).exists():
        parent = Path(text).parent
        near = [p.name for p in parent.iterdir()] if parent.is_dir() else []
        raise DataError(f"There is no file {text!r}. {did_you_mean(Path(text).name, near)}".rstrip())
    frames = []
    for path in paths:
        suffixes = [s for s in Path(path).suffixes if s not in (".gz", ".bz2", ".xz", ".zip", ".zst")]
        reader = READERS.get(suffixes[-1].lower() if suffixes else "")
        if reader is None:
            raise DataError(f"Cannot read {path!r}. Known endings: {', '.join(READERS)} (also compressed).")
        frames.append(reader(path))
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)

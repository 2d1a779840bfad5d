"""Read a shipped dataset: compressed CSV plus its description, with pandas alone."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any

import pandas as pd

from dfevals.datasets.description import Column, Dataset
from dfevals.exceptions import DataError, DfevalsError, did_you_mean

__all__ = ["dataset_names", "load", "read_description", "read_frame"]

_DATA = files("dfevals.datasets") / "data"
_SUFFIX = ".csv.gz"
# pandas 3.1 reads floats exactly by itself and deprecates the argument
_PANDAS = tuple(int(part) for part in pd.__version__.split(".")[:2])
_EXACT_FLOATS: dict[str, Any] = {} if _PANDAS >= (3, 1) else {"float_precision": "round_trip"}


@functools.cache
def dataset_names() -> tuple[str, ...]:
    """Names of all shipped datasets, sorted."""
    return tuple(sorted(entry.name[: -len(_SUFFIX)] for entry in _DATA.iterdir() if entry.name.endswith(_SUFFIX)))


def read_description(name: str) -> Dataset:
    """Description of the dataset `name`; a `DfevalsError` names the nearest right name."""
    if name not in dataset_names():
        hint = did_you_mean(name, dataset_names(), noun="Datasets", limit=40)
        raise DfevalsError(f"There is no dataset {name!r}. {hint}")
    return Dataset.from_record(json.loads((_DATA / f"{name}.json").read_text(encoding="utf-8")))


def load(name: str, *, columns: Iterable[str] | None = None) -> pd.DataFrame:
    """Load a shipped dataset: real rows with the real outputs of real models.

    Parameters
    ----------
    name : str
        Name of the dataset; `dfevals.datasets.list()` shows all.
    columns : iterable of str, optional
        Read only these columns, in this order. All by default.

    Returns
    -------
    DataFrame
        A fresh frame at every call, with a `RangeIndex`. Text columns have pandas' default type for text.

    Raises
    ------
    DfevalsError
        There is no dataset of this name.
    DataError
        The dataset lacks one of `columns`.

    Examples
    --------
    >>> import dfevals
    >>> df = dfevals.datasets.load("adult")
    >>> len(df)
    48842
    >>> dfevals.datasets.load("adult", columns=["income", "p_gbm"]).columns.tolist()
    ['income', 'p_gbm']
    """
    dataset = read_description(name)
    wanted = _wanted(dataset, columns)
    return read_frame(dataset, (_DATA / f"{name}{_SUFFIX}").read_bytes(), wanted)


def read_frame(dataset: Dataset, packed: bytes, wanted: Sequence[str]) -> pd.DataFrame:
    """Frame of the columns `wanted` of a data file, with the types that the description states."""
    described = {column.name: column for column in dataset.columns}
    times = [name for name in wanted if described[name].dtype.startswith("datetime64")]
    frame: pd.DataFrame = pd.read_csv(
        io.BytesIO(packed),
        compression="gzip",
        dtype={name: _parsed_as(described[name]) for name in wanted},
        usecols=[*wanted],
        keep_default_na=False,
        na_values=[""],
        **_EXACT_FLOATS,
    )
    for name in times:
        frame[name] = pd.to_datetime(frame[name], format="ISO8601").astype("datetime64[ns]")
    return frame[[*wanted]]


def _parsed_as(column: Column) -> Any:
    if column.dtype == "category":
        return pd.CategoricalDtype(pd.Index(column.categories))
    return "str" if column.dtype.startswith("datetime64") else column.dtype


def _wanted(dataset: Dataset, columns: Iterable[str] | None) -> list[str]:
    known = [column.name for column in dataset.columns]
    if columns is None:
        return known
    wanted = [columns] if isinstance(columns, str) else [*columns]
    for column in wanted:
        if column not in known:
            hint = did_you_mean(column, known, noun="Columns", limit=40)
            raise DataError(f"Dataset {dataset.name!r} has no column {column!r}. {hint}")
    return wanted

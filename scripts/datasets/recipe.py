"""What a recipe is, and how a frame and its description are written so that the same input gives the same bytes."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from dfevals.datasets.description import Dataset
from dfevals.datasets.loading import read_frame

Figures = Callable[[pd.DataFrame], dict[str, dict[str, float]]]


@dataclass(frozen=True)
class Recipe:
    """How one dataset is built and described; `meanings` names every column in order."""

    name: str
    title: str
    task: str
    used_for: str
    build: Callable[[Path], pd.DataFrame]
    meanings: Mapping[str, str]
    origin: str
    licence: str
    citation: str
    scores: str
    note: str = ""
    roles: Mapping[str, Any] = field(default_factory=dict)
    call: str = ""
    figures: Figures = lambda frame: {}


def read_parquet(path: Path) -> pd.DataFrame:
    """Frame of a Parquet file, with pandas' own column types."""
    import polars

    return pd.DataFrame(polars.read_parquet(path).to_dict(as_series=False))


def categorise(frame: pd.DataFrame, *columns: str, **ordered: list[str]) -> pd.DataFrame:
    """Make `columns` categories in sorted order, and the keywords categories in the order given."""
    frame = frame.copy()
    for column in columns:
        frame[column] = pd.Categorical(frame[column], categories=sorted(frame[column].dropna().unique()))
    for column, categories in ordered.items():
        unknown = set(frame[column].dropna().unique()) ^ set(categories)
        if unknown:
            raise ValueError(f"{column}: the categories listed and those found differ: {sorted(unknown)}")
        frame[column] = pd.Categorical(frame[column], categories=categories)
    return frame


def texts(frame: pd.DataFrame) -> list[str]:
    """Names of the columns that hold text."""
    return [str(column) for column in frame if not pd.api.types.is_numeric_dtype(frame[column])]


def write(recipe: Recipe, frame: pd.DataFrame, target: Path) -> int:
    """Write `<name>.csv.gz` and `<name>.json`, check that they read back the same, and return their size in bytes."""
    if list(frame.columns) != list(recipe.meanings):
        differing = set(frame.columns) ^ set(recipe.meanings)
        raise ValueError(f"{recipe.name}: columns and meanings differ in names or order: {sorted(differing)}")
    columns = [_column(frame[name], meaning) for name, meaning in recipe.meanings.items()]
    table = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=table, mode="wb", compresslevel=9, mtime=0) as packed:
        text = frame.to_csv(index=False, lineterminator="\n")
        packed.write(text.encode("utf-8"))
    description = {
        "name": recipe.name,
        "title": recipe.title,
        "task": recipe.task,
        "used_for": recipe.used_for,
        "rows": len(frame),
        "origin": recipe.origin,
        "licence": recipe.licence,
        "citation": recipe.citation,
        "scores": recipe.scores,
        "figures": recipe.figures(frame),
        "roles": dict(recipe.roles),
        "call": recipe.call or _call(recipe.roles),
        "note": recipe.note,
        "script": "scripts/make_datasets.py",
        "columns": columns,
    }
    record = json.dumps(description, indent=1, ensure_ascii=False) + "\n"
    (target / f"{recipe.name}.csv.gz").write_bytes(table.getvalue())
    (target / f"{recipe.name}.json").write_text(record, encoding="utf-8")
    loaded = read_frame(Dataset.from_record(description), table.getvalue(), list(recipe.meanings))
    pd.testing.assert_frame_equal(loaded, frame, check_exact=True, check_column_type=False)
    return len(table.getvalue()) + len(record.encode("utf-8"))


def write_origins(recipes: list[Recipe], target: Path) -> None:
    """Write the origin and licence of every dataset beside the data, for people who open the folder."""
    lines = [
        "# Origins and licences",
        "",
        "Every dataset keeps the licence of its origin. Files: `<name>.csv.gz` (the data; an empty field is a missing",
        "value) and `<name>.json` (its description). Made by `scripts/make_datasets.py`.",
        "",
    ]
    for recipe in sorted(recipes, key=lambda entry: entry.name):
        lines += [
            f"## {recipe.name}: {recipe.title}",
            "",
            f"- Origin: {recipe.origin}",
            f"- Licence: {recipe.licence}",
            f"- Cite: {recipe.citation}",
            f"- Scores: {recipe.scores}",
            *([f"- Changes and notes: {recipe.note}"] if recipe.note else []),
            "",
        ]
    (target / "README.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _column(values: pd.Series, meaning: str) -> dict[str, Any]:
    record: dict[str, Any] = {"name": values.name, "dtype": _dtype(values), "meaning": meaning}
    if record["dtype"] == "category":
        record["categories"] = list(values.cat.categories)
    elif record["dtype"] == "str" and (values == "").any():
        raise ValueError(f"{values.name}: an empty text could not be told from a missing value")
    return record


def _dtype(values: pd.Series) -> str:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return "category"
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return "datetime64[ns]"
    if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        return "str"
    if str(values.dtype) not in ("int64", "float64", "bool", "boolean"):
        raise ValueError(f"{values.name}: dtype {values.dtype} is not provided for")
    return str(values.dtype)


def _call(roles: Mapping[str, Any]) -> str:
    return "df.evals(" + ", ".join(f"{role}={value!r}" for role, value in roles.items()) + ")"

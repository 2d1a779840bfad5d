"""Broken, changing and disagreeing sources: a dfevals error that names the part, never a number of some of the rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import dfevals
from dfevals.columns.streams import opening
from dfevals.exceptions import DataError, DfevalsError
from streams.conftest import Stream

ROLES = {"y_true": "y", "y_score": "p"}


def rows(n: int = 120, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"y": rng.integers(0, 2, n), "p": rng.random(n), "g": rng.choice(["a", "b"], n)})


def folder(tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> str:
    """Three files, of which the second is changed."""
    for i in range(3):
        frame = rows(seed=i)
        (change(frame) if i == 1 else frame).to_parquet(tmp_path / f"day-{i}.parquet", row_group_size=50)
    return str(tmp_path)


CHANGES: dict[str, Any] = {
    "a score that is text": lambda frame: frame.assign(p=frame["p"].astype(str)),
    "a label that is text": lambda frame: frame.assign(y=frame["y"].map({0: "no", 1: "yes"})),
    "a column missing": lambda frame: frame.drop(columns="p"),
}


@pytest.mark.parametrize("long", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_files_that_disagree_are_named(
    change: str, long: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder(tmp_path, CHANGES[change])
    monkeypatch.setattr(opening, "LONG", 0 if long else 10**9)
    with pytest.raises(DataError, match=r"day-1\.parquet"):
        dfevals.evaluate(path, **ROLES)


@pytest.mark.usefixtures("streamed")
def test_a_cohort_column_missing_in_one_file(tmp_path: Path) -> None:
    ev = dfevals.evaluate(folder(tmp_path, lambda frame: frame.drop(columns="g")), **ROLES)
    assert ev.metrics("accuracy").frame["n"].tolist() == [360]
    with pytest.raises(DataError, match=r"'g' is not in .*day-1\.parquet"):
        ev.metrics("accuracy", by="g")


@pytest.mark.usefixtures("streamed")
def test_types_that_agree_in_kind_are_one_column(tmp_path: Path) -> None:
    path = folder(tmp_path, lambda frame: frame.assign(y=frame["y"].astype("int8"), p=frame["p"].astype("float32")))
    assert dfevals.evaluate(path, **ROLES).metrics("accuracy").frame["n"].tolist() == [360]


@pytest.mark.usefixtures("streamed")
def test_a_column_of_nothing_in_one_file(tmp_path: Path) -> None:
    path = folder(tmp_path, lambda frame: frame.assign(g=None))
    found = dfevals.evaluate(path, **ROLES).metrics("accuracy", by="g").frame
    assert found.set_index("g")["n"].to_dict()["<NA>"] == 120


@pytest.mark.usefixtures("streamed")
def test_a_corrupt_row_group_is_named(tmp_path: Path) -> None:
    path = Path(folder(tmp_path, lambda frame: frame))
    place = pq.ParquetFile(path / "day-1.parquet").metadata.row_group(1).column(1)
    file = path / "day-1.parquet"
    held = bytearray(file.read_bytes())
    start = place.data_page_offset
    held[start : start + place.total_compressed_size] = b"\xff" * place.total_compressed_size
    file.write_bytes(bytes(held))
    with pytest.raises(DataError, match=r"row group 1 of .*day-1\.parquet"):
        dfevals.evaluate(str(path), **ROLES)


@pytest.mark.usefixtures("streamed")
def test_files_without_rows_and_with_one_row(tmp_path: Path) -> None:
    frame = rows()
    frame.iloc[:1].to_parquet(tmp_path / "0.parquet")
    frame.iloc[:0].to_parquet(tmp_path / "1.parquet")
    frame.iloc[1:].to_parquet(tmp_path / "2.parquet")
    found, whole = dfevals.evaluate(str(tmp_path), **ROLES), frame.evals(**ROLES)
    pd.testing.assert_frame_equal(found.metrics(by="g").frame, whole.metrics(by="g").frame, rtol=1e-12)


@pytest.mark.usefixtures("streamed")
def test_folders_that_name_values(tmp_path: Path) -> None:
    for day, frame in (("01234", rows(seed=1)), ("1234", rows(seed=2)), ("__HIVE_DEFAULT_PARTITION__", rows(seed=3))):
        (tmp_path / f"zip={day}").mkdir()
        frame.to_parquet(tmp_path / f"zip={day}" / "part.parquet")
    found = dfevals.evaluate(str(tmp_path), **ROLES).metrics("accuracy", by="zip").frame
    assert found["zip"].tolist() == ["(overall)", "01234", "1234", "<NA>"]
    assert found["n"].tolist() == [360, 120, 120, 120]


def test_a_reader_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = pa.Table.from_pandas(rows()).to_reader()
    ev = dfevals.evaluate(reader, **ROLES)
    assert len(ev) == 120
    assert ev.metrics("accuracy").frame["n"].item() == ev.metrics("accuracy", by=None).frame["n"].item() == 120
    with pytest.raises(DataError, match="can be read only once"):
        dfevals.evaluate(reader, **ROLES)
    monkeypatch.setattr(opening, "HELD", 100)
    with pytest.raises(DataError, match="can be read only once, and it gives more than"):
        dfevals.evaluate(pa.Table.from_pandas(rows()).to_reader(), **ROLES)


class Fleeting(Stream):
    """A stream that gives its rows only to the first who ask."""

    def __init__(self, table: pa.Table, times: int) -> None:
        super().__init__(table)
        self.asked, self.times = 0, times

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        self.asked += 1
        table = self._table if self.asked <= self.times else self._table.slice(0, 0)
        return table.__arrow_c_stream__(requested_schema)


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize("times", [3, 4, 5])  # its schema is asked for, then its length, then its first rows
def test_a_stream_that_changes_is_never_silently_partial(times: int) -> None:
    with pytest.raises(DataError, match="can be read only once"):
        dfevals.evaluate(Fleeting(pa.Table.from_pandas(rows()), times), **ROLES).metrics("accuracy", by="g")


@pytest.mark.usefixtures("streamed")
def test_a_plan_that_fails() -> None:
    import polars as pl

    lazy = pl.from_pandas(rows()).lazy().with_columns(p=pl.col("g").cast(pl.Float64))
    with pytest.raises(DataError, match="Polars LazyFrame"):
        dfevals.evaluate(lazy, **ROLES)


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize(
    ("column", "value", "role"), [("p", 7.5, {"score_kind": "probability"}), ("w", -1.0, {"sample_weight": "w"})]
)
def test_bad_values_are_said_as_of_a_frame(column: str, value: float, role: dict[str, Any]) -> None:
    frame = rows().assign(w=1.5)
    frame.loc[110, column] = value
    asked = {**ROLES, **role}
    with pytest.raises(DfevalsError, match="row 110"):
        frame.evals(**asked).metrics(["brier", "accuracy"])
    with pytest.raises(DfevalsError, match="row 110"):
        dfevals.evaluate(pa.Table.from_pandas(frame), **asked).metrics(["brier", "accuracy"])


@pytest.mark.usefixtures("streamed")
def test_a_question_that_needs_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from dfevals.columns.streams import reader

    ev = dfevals.evaluate(pa.Table.from_pandas(rows()), **ROLES)
    monkeypatch.setattr(reader, "READ", 500)
    assert ev.metrics("accuracy").frame["n"].item() == 120
    with pytest.raises(DataError, match="needs rows at once, and 120 rows"):
        ev.frame  # noqa: B018


def test_urls_are_read_however_few_rows(tmp_path: Path) -> None:
    frame = rows()
    frame.to_parquet(tmp_path / "x.parquet")
    for url in (f"file://{tmp_path}/x.parquet", f"file://{tmp_path}", f"file://{tmp_path}/*.parquet"):
        assert dfevals.evaluate(url, **ROLES).metrics("accuracy").frame["n"].item() == 120
    with pytest.raises(DataError, match="There is no file or folder"):
        dfevals.evaluate(f"file://{tmp_path}/no.parquet", **ROLES)

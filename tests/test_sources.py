"""What `dfevals.evaluate` reads, and what it says of a file that cannot be read."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.dataset
import pytest

import dfevals
from dfevals.exceptions import DataError

ROLES: dict[str, Any] = {"y_true": "y", "y_score": "p", "pos_label": 1}
FRAME = pd.DataFrame({"y": [0, 1, 1, 0] * 10, "p": [0.1, 0.9, 0.4, 0.6] * 10, "g": list("ab") * 20})
UNREADABLE = {
    "empty.csv": b"",
    "ragged.csv": b"a,b\n1,2\n1,2,3\n",
    "binary.csv": bytes(range(256)) * 4,
    "broken.json": b'{"a": [1,',
    "number.json": b"3",
    "broken.jsonl": b'{"a": 1}\n{',
    "broken.parquet": b"PAR1 and nothing else",
    "empty.parquet": b"",
    "broken.feather": b"no arrow",
    "plain.csv.gz": b"not compressed",
    "cut.csv.gz": gzip.compress(b"a,b\n" * 1000)[:20],
    "plain.csv.zip": b"not compressed",
}


def rows(source: Any) -> pd.DataFrame:
    return dfevals.evaluate(source, **ROLES).frame


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A directory of two Parquet files, and what Spark leaves beside them."""
    folder = tmp_path / "parts"
    folder.mkdir()
    FRAME[:20].to_parquet(folder / "part-0.parquet")
    FRAME[20:].reset_index(drop=True).to_parquet(folder / "part-1.parquet")
    (folder / "_SUCCESS").write_text("")
    return folder


@pytest.mark.parametrize("name", ["x.jsonl", "x.ndjson", "x.jsonl.gz"])
def test_lines_of_json(tmp_path: Path, name: str) -> None:
    FRAME.to_json(tmp_path / name, orient="records", lines=True)
    pd.testing.assert_frame_equal(rows(tmp_path / name), FRAME)


def test_a_list_of_paths_is_read_file_by_file(tmp_path: Path, parts: Path) -> None:
    FRAME.to_csv(tmp_path / "more.csv", index=False)
    found = rows([tmp_path / "more.csv", str(parts / "part-1.parquet")])
    pd.testing.assert_frame_equal(found, pd.concat([FRAME, FRAME[20:]], ignore_index=True))


def test_a_missing_path_of_a_list_is_named(parts: Path) -> None:
    with pytest.raises(DataError, match="part-O"):
        rows([parts / "part-1.parquet", parts / "part-O.parquet"])


def test_a_directory_of_parquet_files(parts: Path) -> None:
    pd.testing.assert_frame_equal(rows(parts), FRAME)


def test_a_partitioned_directory_keeps_the_column_of_its_names(tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "split", partition_cols=["g"])
    assert rows(tmp_path / "split").groupby("g", observed=True).size().to_dict() == {"a": 20, "b": 20}


def test_a_directory_of_csv_files(tmp_path: Path) -> None:
    for i in range(2):
        FRAME[20 * i : 20 * i + 20].to_csv(tmp_path / f"{i}.csv", index=False)
    pd.testing.assert_frame_equal(rows(tmp_path), FRAME)


def test_a_directory_of_several_kinds_or_none_is_refused(tmp_path: Path, parts: Path) -> None:
    FRAME.to_csv(parts / "x.csv", index=False)
    with pytest.raises(DataError, match=r"holds \.csv, \.parquet"):
        rows(parts)
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match="holds no files"):
        rows(tmp_path / "bare")


def test_arrow_datasets_and_scanners(parts: Path) -> None:
    dataset = pyarrow.dataset.dataset(parts, format="parquet", exclude_invalid_files=True)
    pd.testing.assert_frame_equal(rows(dataset), FRAME)
    pd.testing.assert_frame_equal(rows(dataset.scanner()), FRAME)


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_read_is_a_data_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(UNREADABLE[name])
    with pytest.raises(DataError, match=f"Cannot read '.*{name}' as "):
        rows(tmp_path / name)


def test_parquet_without_arrow_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dfevals.columns.sources import reading

    def missing(path: str) -> None:
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setitem(reading.READERS, ".parquet", missing)
    (tmp_path / "x.parquet").write_bytes(b"")
    with pytest.raises(DataError, match="pip install pyarrow"):
        rows(tmp_path / "x.parquet")


def test_columns_of_unequal_length_are_a_data_error() -> None:
    with pytest.raises(DataError, match="same length"):
        rows({"y": [0, 1], "p": [0.5]})

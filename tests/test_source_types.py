"""What a file says is what comes out: texts stay texts, integers and doubles keep every digit, odd columns stand apart."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

import dfevals
from dfevals import Gate
from dfevals.columns.sources import to_frame
from dfevals.columns.sources.written import typed
from dfevals.exceptions import DataError

BIG = 2**53 + 1  # the first whole number that float64 cannot hold
RELEASES = pd.DataFrame(
    {
        "release": ["1.1"] * 100 + ["1.10"] * 100,
        "y": [1] * 200,
        "guess": [1] * 90 + [0] * 10 + [1] * 40 + [0] * 60,
    }
)


def lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")
    return path


WRITERS: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "x.csv": lambda frame, path: frame.to_csv(path, index=False),
    "x.csv.gz": lambda frame, path: frame.to_csv(path, index=False),
    "x.jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "x.json": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "records.json": lambda frame, path: frame.to_json(path, orient="records"),
    "split.json": lambda frame, path: frame.to_json(path, orient="split"),
    "columns.json": lambda frame, path: frame.to_json(path),
    "x.parquet": lambda frame, path: frame.to_parquet(path),
    "x.feather": lambda frame, path: frame.to_feather(path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_releases_that_look_like_one_number_stay_two(tmp_path: Path, name: str) -> None:
    WRITERS[name](RELEASES, tmp_path / name)
    ev = dfevals.evaluate(tmp_path / name, y_true="y", y_pred="guess", pos_label=1, release="release")
    rows = ev.metrics("accuracy", by="release").frame.set_index("release")["value"]
    assert rows.loc[["1.1", "1.10"]].tolist() == pytest.approx([0.9, 0.4])
    assert ev.gate([Gate("accuracy", ">=", 0.6)], by="release").answer == "fail"


@pytest.mark.parametrize("name", WRITERS)
def test_doubles_and_integers_keep_every_digit(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.random(500), rng.normal(size=200) * 10.0 ** rng.integers(-200, 200, 200), [0.1 + 0.2]])
    frame = pd.DataFrame({"x": x, "id": BIG + np.arange(len(x))})
    if name.endswith((".jsonl", ".json")):  # pandas' own writer rounds to 15 digits
        lines(tmp_path / name, frame.to_dict("records"))
    else:
        WRITERS[name](frame, tmp_path / name)
    pd.testing.assert_frame_equal(to_frame(tmp_path / name), frame, check_exact=True)


TEXTS = {
    "zip": ["01234", "98765"],
    "sku": ["1e3", "2e5"],
    "day": ["2024-01-31", "2024-02-01"],
    "long": ["12345678901234567890", "12345678901234567891"],
    "answer": ["42", "seven"],
    "phone": ["+4930", "+4940"],
}


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.csv"])
def test_texts_stay_texts(tmp_path: Path, name: str) -> None:
    frame = pd.DataFrame(TEXTS)
    if name == "x.csv":
        frame.to_csv(tmp_path / name, index=False)
    else:
        lines(tmp_path / name, frame.to_dict("records"))
    pd.testing.assert_frame_equal(to_frame(tmp_path / name), frame)


def test_json_says_the_types(tmp_path: Path) -> None:
    records = [
        {
            "answer": "42",
            "created_at": 1700000000,
            "timestamp": 3,
            "y_time": 5,
            "date": "2024-01-01",
            "ok": True,
            "n": BIG,
        },
        {"answer": "7", "created_at": 1700000001, "timestamp": 4, "y_time": 6, "date": "2024-01-02", "ok": False},
    ]
    frame = to_frame(lines(tmp_path / "x.jsonl", records))
    assert frame["answer"].tolist() == ["42", "7"]
    assert frame[["created_at", "timestamp", "y_time"]].dtypes.eq("int64").all()
    assert frame["date"].tolist() == ["2024-01-01", "2024-01-02"]
    assert frame["ok"].dtype == bool
    assert frame["n"].tolist() == [BIG, pd.NA]


@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
def test_a_file_of_one_line(tmp_path: Path, name: str) -> None:
    frame = to_frame(lines(tmp_path / name, [{"release": "1.10", "y": 1}]))
    assert frame.to_dict("records") == [{"release": "1.10", "y": 1}]


def test_nested_json_stays_nested_and_half_characters_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(
        '{"calls": [{"name": "f"}], "text": "a\\ud800"}\n\n{"text": "b\u2028c"}\n', "utf-8"
    )
    frame = to_frame(tmp_path / "x.jsonl")
    assert frame["calls"].tolist() == [[{"name": "f"}], None]
    assert frame["text"].tolist() == ["a\ufffd", "b\u2028c"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1}\n{"a": \n', "line 2"),
        ('{"a": 1}\n[2]\n', "line 2 holds a list"),
        ('{"meta": 1, "rows": [{"a": 1}]}', r"\['rows'\]"),
        ('{"a": [1], "b": [1, 2]}', "same length"),
        ("[" * 100_000, "JSON"),
    ],
)
def test_other_json_is_refused_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError, match=message):
        to_frame(tmp_path / "x.json")


NUMBERS: dict[str, tuple[list[str | None], list[float]]] = {
    "integers": (["1", "-2", "0"], [1, -2, 0]),
    "shortest decimals": (["0.5", "12", "-1.25", "3.0"], [0.5, 12, -1.25, 3]),
    "prices": (["12.50", "7.00"], [12.5, 7]),
    "scientific": (["1e-05", "1.0E7", "0.1"], [1e-5, 1e7, 0.1]),
    "infinite": (["inf", "-inf", "1"], [np.inf, -np.inf, 1]),
    "zeros": (["0.0", "-0.0"], [0, 0]),
    "blanks": ([" 1", " 2"], [1, 2]),
    "missing": (["1", None], [1, np.nan]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_canonical_writings_are_numbers(name: str) -> None:
    texts, numbers = NUMBERS[name]
    assert typed(pd.Series(texts)).tolist() == pytest.approx(numbers, nan_ok=True)


@pytest.mark.parametrize(
    "texts",
    [["01"], ["1e3"], ["1.1", "1.10"], ["1.10", "1.2"], ["1", "1.0"], ["1_000"], ["+1"], ["1,5"], ["0x1"], ["١"]],
)
def test_other_writings_are_text(texts: list[str]) -> None:
    assert typed(pd.Series(texts)).tolist() == texts


def test_long_digits_are_read_in_linear_time() -> None:
    digits = "1" * 2_000_000
    for text in (digits, digits + "x", "0." + digits + "x", digits + ".x", "1e" + digits + "x", "." + digits + "e"):
        assert typed(pd.Series([text], dtype=object)).tolist() == [text]
    assert typed(pd.Series([digits, "1"]), "number").tolist() == [np.inf, 1]
    assert typed(pd.Series(["12345678901234567890123", "1"]), "number").tolist() == [12345678901234567890123.0, 1]


def test_a_role_says_what_a_written_column_is(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "y": ["1", "2", "1", "2"] * 10,
            "p": ["1e-1", "0.90", ".2", "0.8000"] * 10,
            "plan": ["1.10", "1.20"] * 20,
            "w": ["1.0", "1.00"] * 20,
        }
    )
    frame.to_csv(tmp_path / "x.csv", index=False)
    ev = dfevals.evaluate(
        tmp_path / "x.csv", y_true="y", y_score="p", pos_label="2", sample_weight="w", cohorts=["plan"]
    )
    assert ev.metrics("roc_auc").frame["value"].item() == 1
    assert ev.metrics("accuracy", by="plan").frame["plan"].tolist() == ["(overall)", "1.10", "1.20"]
    assert to_frame(tmp_path / "x.csv")["plan"].dtype == float


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
def test_answers_that_look_like_numbers_are_evaluated_as_text(tmp_path: Path, name: str) -> None:
    from dfevals.evaluators import ExactMatch, Length

    frame = pd.DataFrame({"answer": ["42", "7"], "expected": ["42", "8"], "ok": [True, False]})
    if name == "x.csv":
        frame.to_csv(tmp_path / name, index=False)
    else:
        lines(tmp_path / name, frame.to_dict("records"))
    rows = dfevals.evaluate(tmp_path / name, outcomes="ok").frame
    done = rows.evals.annotate([ExactMatch(response="answer", reference="expected"), Length(response="answer")])
    assert done["exact_match"].tolist() == [1.0, 0.0]
    assert done["exact_match_error"].isna().all()
    assert done["length_error"].isna().all()


def test_text_labels_that_are_declared_stay_text(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("y,guess\n" + "1,1\n2,1\n" * 20)
    ev = dfevals.evaluate(tmp_path / "x.csv", y_true="y", y_pred="guess", pos_label="1")
    assert ev.metrics("accuracy").frame["value"].item() == 0.5
    assert dfevals.evaluate(tmp_path / "x.csv", y_true="y", y_pred="guess", pos_label=1).frame["y"].dtype == "int64"


def test_long_integers_stay_apart_as_labels_cohorts_and_conditions() -> None:
    for dtype in ("int64", "Int64", object):
        key = pd.Series([BIG - 1] * 30 + [BIG] * 50).astype(dtype)
        frame = pd.DataFrame({"key": key, "guess": key, "y": [0, 1] * 40})
        assert (
            frame.evals(y_true="key", y_pred="guess", task="multiclass").metrics("accuracy").frame["value"].item() == 1
        )
        by = frame.evals(y_true="y", y_pred="y").metrics("accuracy", by="key").frame
        assert by["n"].tolist() == [80, 30, 50]
        assert len(frame.evals(y_true="y", y_pred="y").where(f"key == {BIG}").frame) == 50


def test_files_are_judged_together(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("v,n\n1,1\n2,1\n")
    (tmp_path / "b.csv").write_text("v,n\n1.1,1\n1.10,2\n")
    frame = to_frame(str(tmp_path / "*.csv"))
    assert frame["v"].tolist() == ["1", "2", "1.1", "1.10"]
    assert frame["n"].tolist() == [1, 1, 1, 2]


def hive(folder: Path, values: list[str], kind: str = "parquet") -> Path:
    for i, value in enumerate(values):
        part = folder / f"zip={value}"
        part.mkdir(parents=True)
        frame = pd.DataFrame({"x": [i]})
        frame.to_parquet(part / "0.parquet") if kind == "parquet" else frame.to_csv(part / "0.csv", index=False)
    return folder


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_folders_of_partitions(tmp_path: Path, kind: str) -> None:
    frame = to_frame(hive(tmp_path / "a", ["01234", "1234", "__HIVE_DEFAULT_PARTITION__", "a%2Fb"], kind)).sort_values(
        "x"
    )
    assert [None if pd.isna(v) else v for v in frame["zip"]] == ["01234", "1234", None, "a/b"]
    assert to_frame(hive(tmp_path / "b", ["3", "10"], kind)).sort_values("x")["zip"].tolist() == [3, 10]


def test_leftovers_of_a_job_are_no_rows(tmp_path: Path) -> None:
    hive(tmp_path, ["1"])
    (tmp_path / "_temporary" / "0").mkdir(parents=True)
    pd.DataFrame({"x": [9]}).to_parquet(tmp_path / "_temporary" / "0" / "part.parquet")
    assert to_frame(tmp_path)["x"].tolist() == [0]


def odd_dictionary(values: list[Any]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), pa.array(values))


ODD = {
    "a value twice": (odd_dictionary(["a", "a"]), ["a", "a"]),
    "a missing value": (odd_dictionary(["a", None]), ["a", None]),
    "decimal": (pa.array([Decimal(1), None], pa.decimal128(38, 0)), [1, None]),
    "big": (pa.array([BIG, None]), [BIG, None]),
    "unsigned": (pa.array([2**64 - 1, None], pa.uint64()), [2**64 - 1, None]),
    **({"view": (pa.array(["a", None], pa.string_view()), ["a", None])} if hasattr(pa, "string_view") else {}),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_columns_of_arrow(name: str) -> None:
    column, values = ODD[name]
    table = pa.table({"x": column, "y": [1, 2]})
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    for source in (table, reader, table.to_batches()[0]):
        frame = to_frame(source)
        assert [None if pd.isna(v) else v for v in frame["x"]] == values
        assert frame["y"].tolist() == [1, 2]


def test_integers_of_128_bits() -> None:
    frame = pl.DataFrame({"y": [0, 1], "wide": pl.Series([2**70, None], dtype=pl.Int128), "big": [BIG, None]})
    for source in (frame, frame.lazy()):
        found = to_frame(source)
        assert found["wide"].tolist() == [2**70, None]
        assert found["big"].tolist() == [BIG, pd.NA]


@pytest.fixture
def wide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Parquet file that pyarrow refuses as it does one with integers of 128 bits, which not every Polars writes."""

    def refuse(*_: Any, **__: Any) -> None:
        raise NotImplementedError("Integers with more than 64 bits not implemented")

    pl.DataFrame({"y": [0, 1], "big": [BIG, None]}).write_parquet(tmp_path / "x.parquet")
    monkeypatch.setattr(pyarrow.parquet, "read_table", refuse)
    return tmp_path / "x.parquet"


def test_parquet_that_arrow_cannot_read_is_read_by_polars(wide: Path) -> None:
    assert to_frame(wide)["big"].tolist() == [BIG, pd.NA]


def test_parquet_that_arrow_cannot_read_names_the_way(wide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(DataError, match="64 bits or as text, or install Polars"):
        to_frame(wide)


def test_objects_of_polars_keep_their_values() -> None:
    held = [{1}, None]
    frame = to_frame(pl.DataFrame({"y": [1, None], "o": pl.Series(held, dtype=pl.Object)}))
    assert frame["o"].tolist() == held
    assert list(frame.columns) == ["y", "o"]


@pytest.mark.parametrize(
    "source",
    [pd.Series([1]), pl.Series([1]), pa.array([1]), [pd.DataFrame({"a": [1]})], b"x.csv", 3, None, np.zeros((2, 2))],
)
def test_what_holds_no_rows_is_refused_by_name(source: Any) -> None:
    with pytest.raises(DataError, match=type(source).__name__ if not isinstance(source, list) else "pd.concat"):
        to_frame(source)


def test_duckdb_relations_and_open_results() -> None:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE scores AS SELECT 1 AS y, {BIG}::BIGINT AS id UNION ALL SELECT 0, NULL")
    query = "SELECT y, id, sum(y) OVER () AS total FROM scores ORDER BY y DESC"
    for rows in (connection.sql, connection.execute):
        frame = to_frame(rows(query))
        assert frame["y"].tolist() == [1, 0]
        assert frame["id"].tolist() == [BIG, pd.NA]
        assert frame["total"].tolist() == [1, 1]


def test_a_duckdb_connection_without_result_names_its_tables() -> None:
    connection = duckdb.connect()
    with pytest.raises(DataError, match=r"connection\.table"):
        to_frame(connection)
    connection.execute("CREATE TABLE scores AS SELECT 1 AS y")
    with pytest.raises(DataError, match="'scores'"):
        to_frame(connection)
    result = connection.execute("SELECT * FROM scores")
    to_frame(result)
    with pytest.raises(DataError, match="no open result"):
        to_frame(result)


def test_records_keep_their_digits() -> None:
    assert to_frame([{"id": BIG}, {"id": None}])["id"].tolist() == [BIG, pd.NA]
    assert to_frame({"id": [BIG, None]})["id"].tolist() == [BIG, pd.NA]

"""`df.evals` and `dfevals.evaluate`: the same Evaluation for every source of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.exceptions import DataError

ROLES = {"y_true": "y", "y_score": "p", "pos_label": "yes"}


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    y = rng.choice(["no", "yes"], 90)
    return pd.DataFrame({"y": y, "p": (rng.random(90) + (y == "yes")) / 2, "g": rng.choice(["a", "b"], 90)})


def _expected(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.evals(**ROLES).metrics(by="g").frame


def _same(source: Any, frame: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(dfevals.evaluate(source, **ROLES).metrics(by="g").frame, _expected(frame))


def test_pandas_and_plain_python(frame: pd.DataFrame) -> None:
    _same(frame, frame)
    _same(frame.to_dict("list"), frame)
    _same(frame.to_dict("records"), frame)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "json", "parquet"])
def test_files(frame: pd.DataFrame, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"scored.{ending}"
    if ending == "parquet":
        frame.to_parquet(path)
    elif ending == "json":
        frame.to_json(path, double_precision=15)
    else:
        frame.to_csv(path, index=False)
    for source in (path, str(path)):
        found = dfevals.evaluate(source, **ROLES).metrics(by="g").frame
        pd.testing.assert_frame_equal(found, _expected(frame), rtol=1e-9)


def test_files_by_pattern(frame: pd.DataFrame, tmp_path: Path) -> None:
    for i in range(3):
        frame.iloc[30 * i : 30 * i + 30].to_csv(tmp_path / f"part{i}.csv", index=False)
    found = dfevals.evaluate(str(tmp_path / "part*.csv"), **ROLES).metrics(by="g").frame
    pd.testing.assert_frame_equal(found, _expected(frame), rtol=1e-9)
    with pytest.raises(DataError, match=r"no file .*prt\*.csv"):
        dfevals.evaluate(str(tmp_path / "prt*.csv"), **ROLES)
    with pytest.raises(DataError, match=r"Did you mean 'part[012].csv'"):
        dfevals.evaluate(str(tmp_path / "part.csv"), **ROLES)


def test_polars(frame: pd.DataFrame) -> None:
    import polars

    table = polars.DataFrame(frame.to_dict("list"))
    _same(table, frame)
    _same(table.lazy(), frame)
    categories = table.with_columns(polars.col("g").cast(polars.Categorical))
    found = dfevals.evaluate(categories, **ROLES).metrics(by="g").frame.set_index(["metric", "g"]).sort_index()
    pd.testing.assert_frame_equal(found, _expected(frame).set_index(["metric", "g"]).sort_index())


def test_polars_with_missing_values(frame: pd.DataFrame) -> None:
    import polars

    holes = frame.astype({"y": object, "g": object})
    holes.loc[[1, 2], "y"], holes.loc[[3], "p"], holes.loc[[4, 5], "g"] = None, None, None
    table = polars.DataFrame({name: [None if pd.isna(v) else v for v in holes[name]] for name in holes})
    _same(table, holes)


def test_arrow(frame: pd.DataFrame) -> None:
    import pyarrow

    table = pyarrow.Table.from_pandas(frame)
    _same(table, frame)


def test_accessor_is_stateless(frame: pd.DataFrame) -> None:
    accessor = frame.evals
    assert vars(accessor).keys() == {"_frame"}
    assert "df.evals" in repr(accessor)
    assert frame.evals(**ROLES) is not frame.evals(**ROLES)


def test_roles_can_be_passed_by_position(frame: pd.DataFrame) -> None:
    evaluation = frame.evals(ROLES)
    assert evaluation.pos_label == "yes"
    assert frame.evals(evaluation.roles, pos_label="yes").pos_label == "yes"
    with pytest.raises(dfevals.exceptions.RoleError, match="ranks and decisions would be turned round"):
        frame.evals(evaluation.roles, pos_label="no")  # the scores are those of "yes"


@pytest.mark.parametrize("name", dfevals.datasets.list()["name"])
def test_every_dataset_is_evaluated_as_described(name: str) -> None:
    roles = dfevals.datasets.describe(name).roles
    frame = dfevals.datasets.load(name)
    if not roles:  # texts without judgement: for evaluators
        with pytest.raises(dfevals.exceptions.RoleError, match="Which column holds the truth"):
            frame.evals()
        return
    evaluation = frame.evals(**roles)
    result = evaluation.metrics()
    assert result.frame["value"].notna().all()
    known = result.frame[~result.frame["note"].str.contains("too few|no interval|no formula")]
    assert (known["ci_low"] <= known["value"]).all()
    assert (known["value"] <= known["ci_high"]).all()
    assert f"{len(frame):,}" in repr(evaluation)
    assert "<table" in evaluation._repr_html_()
    assert "<table" in result._repr_html_()

"""`.evals` on Polars' frames, and evaluations of long sources that go elsewhere."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dfevals
from dfevals.exceptions import DataError

ROLES = {"y_true": "y", "y_score": "p"}


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"y": rng.integers(0, 2, 200), "p": rng.random(200), "g": rng.choice(["a", "b"], 200)})


def test_polars_frames_have_evals_though_polars_is_imported_later() -> None:
    code = """
import sys, dfevals
assert not {"polars", "pyarrow.parquet", "duckdb"} & set(sys.modules), "dfevals imported an engine"
import polars
df = polars.DataFrame({"y": [0, 1, 1, 0], "p": [.2, .9, .4, .6]})
for one in (df, df.lazy()):
    print(one.evals(y_true="y", y_score="p").metrics("accuracy", level=None).frame["value"].item())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0.5", "0.5"]


def test_polars_frames_have_evals_where_polars_was_there_before() -> None:
    import polars

    ev = polars.DataFrame({"y": [0, 1, 1, 0], "p": [0.2, 0.9, 0.4, 0.6]}).evals(y_true="y", y_score="p")
    assert ev.metrics("accuracy", level=None).frame["value"].item() == 0.5


@pytest.mark.usefixtures("streamed")
def test_an_evaluation_of_files_pickles(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "x.parquet")
    ev = dfevals.evaluate(str(tmp_path), **ROLES, cluster="g")
    wanted = ev.metrics("accuracy", by="g").frame
    again = pickle.loads(pickle.dumps(ev))  # noqa: S301
    pd.testing.assert_frame_equal(again.metrics("accuracy", by="g").frame, wanted)
    tally = pickle.loads(pickle.dumps(ev.collect("accuracy", by="g")))  # noqa: S301
    pd.testing.assert_frame_equal(tally.metrics().frame, wanted)


@pytest.mark.usefixtures("streamed")
def test_an_evaluation_of_a_table_says_why_it_does_not_pickle() -> None:
    ev = dfevals.evaluate(pa.Table.from_pandas(frame()), **ROLES)
    with pytest.raises(DataError, match="live in this process"):
        pickle.dumps(ev)


@pytest.mark.usefixtures("streamed")
def test_roles_kept_with_a_frame_survive_in_its_file(tmp_path: Path) -> None:
    frame().evals.set_roles(**ROLES).to_parquet(tmp_path / "x.parquet")
    assert dfevals.evaluate(str(tmp_path / "x.parquet")).metrics("accuracy").frame["n"].item() == 200


@pytest.mark.usefixtures("streamed")
def test_equal_data_have_one_hash_whatever_their_source(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "x.parquet")
    found = dfevals.evaluate(str(tmp_path), **ROLES).metrics("accuracy", by="g").provenance
    whole = frame().evals(**ROLES).metrics("accuracy", by="g").provenance
    assert found["data_sha256"] == whole["data_sha256"]
    assert "Parquet, 1 file" in found["engine"]

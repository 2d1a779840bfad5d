"""Outcomes of every dtype that holds numbers have a mean; durations are seconds, and it is said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dfevals
from dfevals.exceptions import CohortError, DataError, RoleError

SECONDS = [0.5, 2.25, 4.0, 1.25] * 20
MEAN = float(np.mean(SECONDS))
NUMBERS: dict[str, Callable[[], Any]] = {
    "decimal": lambda: [Decimal(str(v)) for v in SECONDS],
    "object": lambda: pd.Series(SECONDS, dtype=object),
    "object of numpy": lambda: pd.Series([np.float32(v) for v in SECONDS], dtype=object),
    "category": lambda: pd.Categorical(SECONDS),
    "arrow decimal": lambda: pd.Series([Decimal(str(v)) for v in SECONDS]).astype(pd.ArrowDtype(pa.decimal128(9, 3))),
}
DURATIONS: dict[str, Callable[[], Any]] = {
    "timedelta": lambda: pd.to_timedelta(SECONDS, unit="s"),
    "timedelta of milliseconds": lambda: pd.to_timedelta(SECONDS, unit="s").astype("timedelta64[ms]"),
    "object": lambda: pd.Series([timedelta(seconds=v) for v in SECONDS], dtype=object),
    "category": lambda: pd.Categorical(pd.to_timedelta(SECONDS, unit="s")),
    "arrow": lambda: pd.Series(pd.to_timedelta(SECONDS, unit="s")).astype("duration[us][pyarrow]"),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_have_a_mean(name: str) -> None:
    result = pd.DataFrame({"cost": NUMBERS[name]()}).evals(outcomes=["cost"]).metrics()
    assert result.frame.set_index("metric").loc["mean", "value"] == pytest.approx(MEAN)
    assert not any("seconds" in note for note in result.notes)


@pytest.mark.parametrize("name", DURATIONS)
def test_durations_are_seconds(name: str) -> None:
    frame = pd.DataFrame({"latency": DURATIONS[name](), "model": ["a", "b"] * 40, "task": np.arange(80) // 2})
    result = frame.evals(outcomes=["latency"]).metrics()
    assert result.frame.set_index("metric").loc["mean", "value"] == pytest.approx(MEAN)
    assert "Durations are in seconds: latency." in result.notes
    compared = frame.evals(outcomes=["latency"], model="model", id="task").compare("a", "b")
    assert compared.frame.set_index("metric").loc["mean", "difference"] == pytest.approx(0.5)
    assert "Durations are in seconds: latency." in compared.notes


def test_missing_durations_are_left_out_and_counted() -> None:
    values = pd.to_timedelta([1.0, 3.0, None, 2.0] * 10, unit="s")
    result = pd.DataFrame({"latency": values}).evals(outcomes=["latency"]).metrics()
    table = result.frame.set_index("metric")
    assert table.loc["mean", ["value", "support"]].tolist() == [2.0, 30]
    assert table.loc["evaluation_error_rate", "value"] == 0.25


def test_a_score_of_durations_is_refused_with_the_way() -> None:
    frame = pd.DataFrame({"y": [0, 1], "p": pd.to_timedelta([0.1, 0.2], unit="s")})
    with pytest.raises(DataError, match=r"\.dt\.total_seconds\(\)"):
        frame.evals(y_true="y", y_score="p").metrics()


@pytest.mark.parametrize("name", DURATIONS)
def test_other_uses_of_durations_name_the_seconds(name: str) -> None:
    frame = pd.DataFrame({"latency": DURATIONS[name](), "guess": 1.0, "y": [0, 1] * 40})
    with pytest.raises(RoleError, match=r"holds durations.*\.dt\.total_seconds\(\)"):
        frame.evals(y_true="latency", y_pred="guess")
    with pytest.raises(CohortError, match=r"\.dt\.total_seconds\(\)"):
        frame.evals(y_true="y", y_pred="y").metrics(by=dfevals.bins("latency", [1]))


FLOATS = ["float32", "Float32", "float[pyarrow]", "float16", "float64", "Float64", "double[pyarrow]"]


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_score_is_the_number_that_it_prints(dtype: str) -> None:
    tenths = np.arange(10) / 10
    frame = pd.DataFrame({"p": pd.Series(np.tile(tenths, 100)).astype(dtype), "y": [0, 1] * 500})
    for cut in tenths[1:]:
        ev = frame.evals(y_true="y", y_score="p", threshold=float(cut))
        share = 1 - round(cut * 10) / 10
        assert ev.metrics("selection_rate").frame["value"].item() == pytest.approx(share)
        for condition in (f"p >= {cut}", f"p == {cut} or p > {cut}", f"p * 1 >= {cut}", f"not p < {cut}"):
            assert len(ev.where(condition).frame) == pytest.approx(1000 * share), condition
        rows = ev.metrics("accuracy", by=dfevals.bins("p", [float(cut)])).frame
        assert rows["n"].tolist() == [1000, *np.round([1000 * (1 - share), 1000 * share])]

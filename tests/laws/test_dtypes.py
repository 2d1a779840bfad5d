"""One law for all dtypes: a column that prints the same gives the same numbers, in every question."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose

import dfevals

N = 160
Convert = Callable[[pd.Series], pd.Series]


def as_type(name: Any) -> Convert:
    return lambda series: series.astype(name)


def arrow(kind: Any) -> Convert:
    return as_type(pd.ArrowDtype(kind))


def decimals(series: pd.Series) -> pd.Series:
    return series.map(lambda value: Decimal(str(value))).astype(object)


def dictionary(series: pd.Series) -> pd.Series:
    return series.astype("string").astype(pd.ArrowDtype(pa.dictionary(pa.int16(), pa.string())))


NUMBERS: dict[str, Convert] = {
    **{name: as_type(name) for name in ("float32", "float16", "Float64", "Float32")},
    "float[pyarrow]": arrow(pa.float32()),
    "double[pyarrow]": arrow(pa.float64()),
    "decimal": decimals,
    "decimal128[pyarrow]": lambda series: decimals(series).astype(pd.ArrowDtype(pa.decimal128(9, 2))),
    "object": as_type(object),
    "object of float32": lambda series: pd.Series(
        list(series.astype("float32").to_numpy()), series.index, dtype=object
    ),
    "category": lambda series: series.astype("category").cat.add_categories([77.5]),
    "sparse": as_type(pd.SparseDtype("float64")),
}
CODES: dict[str, Convert] = {
    **{name: as_type(name) for name in ("int8", "uint64", "float64", "float32", "Int64", "Float32", "bool", "boolean")},
    "int64[pyarrow]": arrow(pa.int64()),
    "bool[pyarrow]": arrow(pa.bool_()),
    "decimal": decimals,
    "object": as_type(object),
    "unused categories": as_type(pd.CategoricalDtype([7, 0, 1])),
    "negative zero": lambda series: series.astype(float) * np.where(series == 0, -1.0, 1.0),
}
TEXTS: dict[str, Convert] = {
    "object": as_type(object),
    "string": as_type("string"),
    "string[python]": as_type("string[python]"),
    "string[pyarrow]": as_type("string[pyarrow]"),
    "arrow string": arrow(pa.string()),
    "large_string": arrow(pa.large_string()),
    **({"string_view": arrow(pa.string_view())} if hasattr(pa, "string_view") else {}),
    "dictionary": dictionary,
    "unused categories": as_type(pd.CategoricalDtype(["a", "b", "c", "never"])),
}
TIMES: dict[str, Convert] = {
    **{f"{unit}": as_type(f"datetime64[{unit}, Europe/Berlin]") for unit in ("s", "ms", "us")},
    "arrow": arrow(pa.timestamp("us", "Europe/Berlin")),
    "object": as_type(object),
}
BINARY = {"y_true": "y", "y_score": {"a": "p", "b": "q"}, "sample_weight": "w"}
QUESTIONS: dict[str, Callable[[Any], pd.DataFrame]] = {
    "metrics": lambda ev: ev.metrics(by="g").frame,
    "bins": lambda ev: ev.metrics(["accuracy", "brier"], by=dfevals.bins("p", [0.3, 0.7])).frame,
    "where": lambda ev: ev.where("p >= 0.7 and q != 0.3").metrics(["accuracy", "roc_auc"]).frame,
    "confusion": lambda ev: ev.confusion().frame,
    "gains": lambda ev: ev.gains(quantiles=5).frame,
    "thresholds": lambda ev: ev.thresholds(cost={"fp": 1, "fn": 2}).frame,
    "calibration": lambda ev: ev.calibration().summary,
    "compare": lambda ev: ev.compare("a", "b").frame,
}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    y = (rng.random(N) < 0.4).astype("int64")
    score = lambda: np.clip(0.4 * y + 0.6 * rng.random(N), 0.01, 0.99).round(1)  # noqa: E731  (on many thresholds)
    start = pd.Timestamp("2024-03-30 22:30", tz="Europe/Berlin")
    return pd.DataFrame(
        {
            "y": y,
            "guess": np.where(rng.random(N) < 0.2, 1 - y, y),
            "p": np.clip(score(), 0.1, 0.9),
            "q": np.clip(score(), 0.1, 0.9),
            "w": rng.integers(1, 5, N) / 4,
            "g": pd.Series(rng.choice(["a", "b", "c"], N)),
            "said": pd.Series(rng.choice(["a", "b", "c"], N)),
            "amount": rng.integers(-40, 40, N) / 4,
            "forecast": rng.integers(-40, 40, N) / 4,
            "when": pd.Series(start + pd.to_timedelta(rng.integers(0, 72, N), unit="h")),
        }
    )


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(found.columns) == list(expected.columns)
    for name in expected:
        if pd.api.types.is_numeric_dtype(expected[name].dtype):
            assert_allclose(
                found[name].to_numpy(float), expected[name].to_numpy(float), rtol=1e-9, atol=1e-12, err_msg=name
            )
        else:
            assert found[name].astype(str).tolist() == expected[name].astype(str).tolist(), name


@pytest.fixture(scope="module")
def expected(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    ev = frame.evals(**BINARY)
    return {name: ask(ev) for name, ask in QUESTIONS.items()}


@pytest.mark.parametrize("dtype", NUMBERS)
def test_scores(frame: pd.DataFrame, expected: dict[str, pd.DataFrame], dtype: str) -> None:
    ev = frame.assign(p=NUMBERS[dtype](frame["p"]), q=NUMBERS[dtype](frame["q"])).evals(**BINARY)
    for question, ask in QUESTIONS.items():
        assert_same(ask(ev), expected[question])


@pytest.mark.parametrize("dtype", CODES)
def test_labels_of_zero_and_one(frame: pd.DataFrame, dtype: str) -> None:
    changed = frame.assign(y=CODES[dtype](frame["y"]), guess=CODES[dtype](frame["guess"]))
    for roles in ({"y_score": "p"}, {"y_pred": "guess"}):
        found, wanted = (f.evals(y_true="y", pos_label=1, **roles).metrics(by="g").frame for f in (changed, frame))
        assert_same(found, wanted)


@pytest.mark.parametrize("dtype", NUMBERS)
def test_weights(frame: pd.DataFrame, expected: dict[str, pd.DataFrame], dtype: str) -> None:
    ev = frame.assign(w=NUMBERS[dtype](frame["w"])).evals(**BINARY)
    for question in ("metrics", "compare"):
        assert_same(QUESTIONS[question](ev), expected[question])


@pytest.mark.parametrize("dtype", NUMBERS)
def test_amounts_and_outcomes(frame: pd.DataFrame, dtype: str) -> None:
    changed = frame.assign(**{name: NUMBERS[dtype](frame[name]) for name in ("amount", "forecast")})
    if dtype == "category":  # categories of a target are classes
        changed["amount"] = frame["amount"]
    for roles in ({"y_true": "amount", "y_pred": "forecast"}, {"outcomes": ["forecast"]}):
        found, wanted = (f.evals(**roles).metrics(by="g").frame for f in (changed, frame))
        assert_same(found, wanted)


@pytest.mark.parametrize("dtype", TEXTS)
def test_texts(frame: pd.DataFrame, dtype: str) -> None:
    changed = frame.assign(g=TEXTS[dtype](frame["g"]), said=TEXTS[dtype](frame["said"]))
    asks: list[Callable[[Any], pd.DataFrame]] = [
        lambda f: f.evals(y_true="g", y_pred="said").metrics().frame,
        lambda f: f.evals(y_true="y", y_score="p").metrics(by="g").frame,
        lambda f: f.evals(y_true="y", y_score="p").where("g == 'b'").metrics().frame,
        lambda f: f.evals(outcomes=[dfevals.Outcome("g", kind="category")]).metrics().frame,
        lambda f: f.evals(y_true="y", y_score="p", model="said").metrics().frame.sort_values(["model", "metric"]),
    ]
    for ask in asks:
        assert_same(ask(changed), ask(frame))


@pytest.mark.parametrize("dtype", TIMES)
def test_times_with_a_zone(frame: pd.DataFrame, dtype: str) -> None:
    changed = frame.assign(when=TIMES[dtype](frame["when"]))
    for by in (dfevals.period("when", "day"), {"late": "when >= '2024-03-31 12:00'"}):
        found, wanted = (f.evals(y_true="y", y_score="p").metrics("roc_auc", by=by).frame for f in (changed, frame))
        assert_same(found, wanted)


@pytest.mark.parametrize("dtype", NUMBERS)
def test_the_hash_of_the_data(frame: pd.DataFrame, dtype: str) -> None:
    changed = frame.assign(p=NUMBERS[dtype](frame["p"]))
    hashes = {f.evals(**BINARY).metrics().provenance["data_sha256"] for f in (changed, frame)}
    assert len(hashes) == 1


def test_saturated_scores_are_clipped_at_the_eps_of_their_floats() -> None:
    from sklearn.metrics import log_loss

    y, p = np.array([0, 1, 1, 0]), np.array([1, 0, 1, 0])
    for dtype, plain in (
        ("float32", "float32"),
        ("Float32", "float32"),
        ("float16", "float16"),
        ("float64", "float64"),
    ):
        frame = pd.DataFrame({"y": y, "p": pd.Series(p).astype(dtype)})
        found = frame.evals(y_true="y", y_score="p").metrics("log_loss").frame["value"].item()
        assert found == pytest.approx(
            log_loss(y, p.astype(plain)), rel=1e-3 if plain == "float16" else 1e-6
        )  # scikit-learn takes the logarithm of float16 in float16
    assert pd.DataFrame({"y": y, "p": p.astype("float32")}).evals(y_true="y", y_score="p").metrics("log_loss").frame[
        "value"
    ].item() == pytest.approx(7.97, abs=0.005)


def test_the_parts_of_the_log_loss_of_narrow_floats_add_up() -> None:
    rng = np.random.default_rng(9)
    y = rng.integers(0, 2, 200)
    p = np.clip(np.round(rng.random(200) + 0.3 * (2 * y - 1), 1), 0, 1)
    names = ["log_loss", "log_loss_mcb", "log_loss_dsc", "log_loss_unc"]
    for dtype in ("float32", "float16", "float64", "Float32"):
        ev = pd.DataFrame({"y": y, "p": pd.Series(p).astype(dtype)}).evals(y_true="y", y_score="p")
        loss, more, less, base = ev.metrics(names).frame["value"]
        assert loss == pytest.approx(base - less + more)
        before = ev.recalibrate().frame.set_index("metric").loc["log_loss", "before"]
        assert before == pytest.approx(loss)


@pytest.mark.parametrize("dtype", ["float32", "Float64", "object", "decimal"])
@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
def test_agreement(frame: pd.DataFrame, dtype: str, scale: str) -> None:
    first = frame.assign(q=frame["p"].where(frame["y"] == 1, frame["q"]))
    second = first.assign(p=NUMBERS[dtype](first["p"]), q=first["q"])
    ev, other = (f.evals(outcomes=["p", "q"]) for f in (first, second))
    assert_same(other.agreement("p", "q", level=scale).frame, ev.agreement("p", "q", level=scale).frame)


def test_as_printed_is_what_numpy_prints() -> None:
    from dfevals.columns.numbers import as_printed

    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2**32, 20_000, dtype=np.uint64).astype(np.uint32).view(np.float32)
    powers = np.ldexp(np.float32(1), np.arange(-149, 128)).astype(np.float32)
    quarters = (rng.integers(0, 2**24, 5_000) / 4).astype(np.float32)
    halves = np.arange(0, 65536, 7, dtype=np.uint16).view(np.float16)
    for values in (
        bits[np.isfinite(bits)],
        powers,
        quarters,
        rng.random(20_000, dtype=np.float32),
        halves[np.isfinite(halves)],
    ):
        expected = [float(str(value)) for value in values]
        np.testing.assert_array_equal(as_printed(values), expected)

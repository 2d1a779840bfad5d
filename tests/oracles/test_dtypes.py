"""Whatever dtype a column comes in, the numbers are those of what it prints as in float64 (or of its plain labels)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn import metrics as skm

import dfevals  # noqa: F401  (registers df.evals)

Convert = Callable[[pd.Series], pd.Series]
INTEGERS = [
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint64",
    "float32",
    "float64",
    "Int8",
    "Int64",
    "UInt16",
    "Float64",
]
CODES: dict[str, Convert] = {
    **{name: lambda s, name=name: s.astype(name) for name in [*INTEGERS, "bool", "boolean", "category"]},
    "object ints": lambda s: s.astype(object),
    "object floats": lambda s: s.astype(float).astype(object),
    "object bools": lambda s: s.astype(bool).astype(object),
    "ordered category": lambda s: s.astype(pd.CategoricalDtype([1, 0], ordered=True)),
    "unused category": lambda s: s.astype(pd.CategoricalDtype([5, 0, 1])),
    "sparse": lambda s: s.astype(pd.SparseDtype("int64")),
}
ARROW = ["int8[pyarrow]", "int64[pyarrow]", "double[pyarrow]", "bool[pyarrow]"]
TEXTS: dict[str, Convert] = {
    "object": lambda s: s.astype(object),
    "str": lambda s: s.astype("str" if pd.__version__ >= "3" else "object"),
    "string": lambda s: s.astype("string"),
    "category": lambda s: s.astype("category"),
    "ordered category": lambda s: s.astype(pd.CategoricalDtype(["b", "a", "c", "unused"], ordered=True)),
}
ARROW_TEXTS = ["string[pyarrow]", "large_string[pyarrow]", "dictionary<values=string, indices=int32>[pyarrow]"]
NUMBERS: dict[str, Convert] = {
    "float32": lambda s: s.astype("float32"),
    "Float64": lambda s: s.astype("Float64"),
    "Float32": lambda s: s.astype("Float32"),
    "object": lambda s: s.astype(object),
    "decimal": lambda s: s.map(lambda v: Decimal(repr(float(v)))),
}


def _arrow(name: str) -> Any:
    import pyarrow as pa

    return pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())) if "dictionary" in name else name


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    y = (rng.random(300) < 0.4).astype(int)
    p = np.clip(0.5 * y + rng.random(300) * 0.5, 0.001, 0.999).round(3)
    return pd.DataFrame(
        {
            "y": y,
            "guess": np.where(rng.random(300) < 0.2, 1 - y, y),
            "p": p,
            "text": rng.choice(["a", "b", "c"], 300),
            "said": rng.choice(["a", "b", "c"], 300),
            "amount": rng.gamma(2, 3, 300).round(3),
            "forecast": rng.gamma(2, 3, 300).round(3),
        }
    )


def _values(frame: pd.DataFrame, metrics: list[str], **roles: Any) -> Any:
    return frame.evals(**roles).metrics(metrics).frame[["value", "ci_low", "ci_high"]].to_numpy()


@pytest.mark.parametrize("predicted", ["same", "int64"])
@pytest.mark.parametrize("dtype", [*CODES, *ARROW])
def test_zeros_and_ones(frame: pd.DataFrame, dtype: str, predicted: str) -> None:
    convert = CODES.get(dtype) or (lambda s: s.astype(dtype))
    changed = frame.assign(y=convert(frame["y"]))
    if predicted == "same":
        changed["guess"] = convert(frame["guess"])
    metrics = ["precision", "recall", "mcc", "accuracy"]
    roles = {"y_true": "y", "y_pred": "guess", "pos_label": 1}
    found = _values(changed, metrics, **roles)
    expected = [f(frame["y"], frame["guess"]) for f in (skm.precision_score, skm.recall_score, skm.matthews_corrcoef)]
    assert_allclose(found[:3, 0], expected, rtol=1e-12)
    assert_allclose(found, _values(frame, metrics, **roles), rtol=1e-12)


@pytest.mark.parametrize("dtype", [*CODES, *ARROW])
def test_zeros_and_ones_with_missing(frame: pd.DataFrame, dtype: str) -> None:
    if dtype in ("int8", "int16", "int32", "int64", "uint8", "uint64", "bool", "sparse"):
        return
    convert = CODES.get(dtype) or (lambda s: s.astype(dtype))
    changed = frame.assign(y=convert(frame["y"]))
    changed.loc[[3, 7], "y"] = None
    result = changed.evals(y_true="y", y_score="p", pos_label=1).metrics(["roc_auc", "log_loss"])
    kept = frame.drop(index=[3, 7])
    expected = [skm.roc_auc_score(kept["y"], kept["p"]), skm.log_loss(kept["y"], kept["p"])]
    assert_allclose(result.frame["value"], expected, rtol=1e-12)
    assert result.frame["n"].tolist() == [298, 298]


@pytest.mark.parametrize("dtype", [*TEXTS, *ARROW_TEXTS])
def test_text_labels(frame: pd.DataFrame, dtype: str) -> None:
    convert = TEXTS.get(dtype) or (lambda s: s.astype(_arrow(dtype)))
    changed = frame.assign(text=convert(frame["text"]), said=convert(frame["said"]))
    metrics = ["f1_macro", "cohen_kappa", "balanced_accuracy"]
    found = _values(changed, metrics, y_true="text", y_pred="said")
    assert_allclose(found, _values(frame, metrics, y_true="text", y_pred="said"), rtol=1e-12)
    assert found[0, 0] == pytest.approx(skm.f1_score(frame["text"], frame["said"], average="macro"), rel=1e-12)
    missing = changed.copy()
    missing.loc[[0, 5], "text"] = None
    assert missing.evals(y_true="text", y_pred="said").metrics("accuracy").frame["n"].item() == 298


@pytest.mark.parametrize("dtype", [*NUMBERS, "double[pyarrow]", "float[pyarrow]"])
def test_scores_and_amounts(frame: pd.DataFrame, dtype: str) -> None:
    convert = NUMBERS.get(dtype) or (lambda s: s.astype(dtype))
    changed = frame.assign(**{name: convert(frame[name]) for name in ("p", "amount", "forecast")})
    for metrics, roles in (
        (["roc_auc", "average_precision", "log_loss", "brier", "ks"], {"y_true": "y", "y_score": "p"}),
        (["mae", "rmse", "r2", "median_ae", "pearson_r", "max_error"], {"y_true": "amount", "y_pred": "forecast"}),
    ):
        assert_allclose(_values(changed, metrics, **roles), _values(frame, metrics, **roles), rtol=1e-12)
    missing = changed.copy()
    missing["p"] = missing["p"].astype(object).where(np.arange(300) > 1, None).astype(changed["p"].dtype)
    assert missing.evals(y_true="y", y_score="p").metrics("roc_auc").frame["n"].item() == 298


@pytest.mark.parametrize("dtype", ["int8", "uint64", "float32", "Int64", "Float64", "boolean", "int32[pyarrow]"])
def test_weights(frame: pd.DataFrame, dtype: str) -> None:
    changed = frame.assign(w=frame["guess"].astype(dtype))
    found = changed.evals(y_true="y", y_score="p", sample_weight="w").metrics("brier").frame["value"].item()
    assert found == pytest.approx(skm.brier_score_loss(frame["y"], frame["p"], sample_weight=frame["guess"]), rel=1e-12)


COHORTS: dict[str, Convert] = {
    "datetime": lambda s: pd.to_datetime("2024-01-01") + pd.to_timedelta(s.map({"a": 0, "b": 1, "c": 2}), unit="D"),
    "date": lambda s: (
        (pd.to_datetime("2024-01-01") + pd.to_timedelta(s.map({"a": 0, "b": 1, "c": 2}), unit="D")).dt.date
    ),
    "boolean": lambda s: (s == "a").astype("boolean"),
    "interval": lambda s: pd.Series(pd.cut(s.map({"a": 0, "b": 1, "c": 2}), 3), index=s.index),
    "timestamp[pyarrow]": lambda s: (
        pd.to_datetime("2024-01-01") + pd.to_timedelta(s.map({"a": 0, "b": 1, "c": 2}), unit="D")
    ).astype("timestamp[ns][pyarrow]"),
    **TEXTS,
}


@pytest.mark.parametrize("dtype", COHORTS)
def test_cohort_columns(frame: pd.DataFrame, dtype: str) -> None:
    changed = frame.assign(group=COHORTS[dtype](frame["text"]))
    rows = changed.evals(y_true="y", y_score="p").metrics("roc_auc", by="group").frame
    rows = rows[~rows["is_overall"]]
    assert rows["group"].map(type).eq(str).all()
    expected = [
        skm.roc_auc_score(part["y"], part["p"]) for _, part in changed.groupby(changed["group"].astype(str), sort=True)
    ]
    assert_allclose(np.sort(rows["value"]), np.sort(expected), rtol=1e-12)

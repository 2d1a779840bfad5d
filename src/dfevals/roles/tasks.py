"""The task of an evaluation: binary, multiclass or regression, by a rule that is shown and can be overruled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from dfevals.columns.numbers import contents, distinct
from dfevals.exceptions import DataError, RoleError
from dfevals.roles.declared import Roles, column
from dfevals.roles.labels import found_labels
from dfevals.roles.models import has_score_per_class

__all__ = ["find_task"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
MANY_CLASSES = 50  # more distinct whole numbers than this are a regression target


def find_task(
    roles: Roles, frame: pd.DataFrame, truth: pd.Series, preds: Sequence[str], single_score: bool
) -> tuple[str, str]:
    """The task, and why: our own rule, which knows missing values and looks at the predictions too."""
    if roles.task is not None:
        return roles.task, "as declared"
    if roles.y_lower is not None or roles.y_upper is not None:
        return "regression", "interval columns are given"
    dtype = truth.dtype
    if types.is_bool_dtype(dtype):
        return "binary", "y_true is Boolean"
    if contents(truth) == "durations":
        way = f"Take seconds: df[{truth.name!r}].dt.total_seconds()."
        raise RoleError(f"y_true column {truth.name!r} holds durations, which no metric here can judge. {way}")
    if types.is_datetime64_any_dtype(dtype):
        raise RoleError(f"y_true column {truth.name!r} holds times, which no metric here can judge.")
    if not types.is_numeric_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
        if types.is_object_dtype(dtype) and _all_numbers(truth):
            return find_task(roles, frame, _as_numbers(truth), preds, single_score)
        count = len(found_labels(truth, "y_true"))
        if roles.labels is not None:
            count = len(roles.labels)
        declared = roles.pos_label is not None or single_score
        task = "binary" if count <= 2 and (declared or count == 2) else "multiclass"
        if has_score_per_class(roles, frame) and count < 2:
            task = "multiclass"
        return task, f"y_true has {count} text label{'s' * (count != 1)}"
    if types.is_complex_dtype(dtype):
        raise DataError(f"y_true column {truth.name!r} holds complex numbers, which no metric here can judge.")
    numbers = np.asarray(distinct(truth), dtype=float)
    values = numbers = numbers[np.isfinite(numbers)]  # infinite values count as missing
    if (numbers % 1 != 0).any():
        return "regression", "y_true has fractions"
    for name in preds:
        series = _as_numbers(column(frame, name, "y_pred"))
        if types.is_float_dtype(series.dtype):
            predicted = series.to_numpy(dtype=float, na_value=np.nan)
            if (predicted[np.isfinite(predicted)] % 1 != 0).any():
                return "regression", f"y_true has whole numbers but y_pred {name!r} has fractions"
        elif not types.is_numeric_dtype(series.dtype):
            return ("binary" if len(values) <= 2 else "multiclass"), "y_pred holds text labels"
    if roles.labels is not None:
        return ("binary" if len(roles.labels) == 2 else "multiclass"), f"{len(roles.labels)} labels are declared"
    if roles.pos_label is not None or (single_score and len(values) <= 2):
        return (
            "binary",
            "a positive label is declared"
            if roles.pos_label is not None
            else f"y_true has {len(values)} values and there is one score",
        )
    if has_score_per_class(roles, frame):
        return ("binary" if len(values) <= 2 else "multiclass"), "there is one score per class"
    if len(values) <= 2 and set(numbers.tolist()) <= {0.0, 1.0, -1.0}:
        return "binary", f"y_true holds {sorted(numbers.tolist())}"
    if single_score:
        raise RoleError(
            f"y_true has {len(values)} distinct values but there is one score column. For classes pass one score per class "
            "(y_score='p_{label}'); for a regression pass y_pred= instead of y_score=."
        )
    few = len(values) <= min(MANY_CLASSES, max(2, math.isqrt(max(len(truth), 1))))
    if preds and few and _same_values(frame, preds, numbers):
        return (
            "binary" if len(values) <= 2 else "multiclass"
        ), f"y_true and y_pred hold the same {len(values)} whole numbers"
    return "regression", f"y_true holds {len(values)} whole numbers"


def _all_numbers(series: pd.Series) -> bool:
    kinds = (int, float, np.number, Decimal)
    values = series.dropna().to_numpy()
    return len(values) > 0 and all(isinstance(v, kinds) and not isinstance(v, bool) for v in values)


def _as_numbers(series: pd.Series) -> pd.Series:
    """A column of Python's numbers as float64; any other column as it is."""
    if not types.is_object_dtype(series.dtype) or not _all_numbers(series):
        return series
    return series.where(series.notna(), np.nan).astype(float)


def _same_values(frame: pd.DataFrame, preds: Sequence[str], known: Floats) -> bool:
    """Whether predictions hold no number far outside the labels'."""
    for name in preds:
        predicted = np.asarray(distinct(column(frame, name, "y_pred")), dtype=float)
        if len(predicted) > MANY_CLASSES or not np.isin(predicted, known).mean() >= 0.5:
            return False
    return True

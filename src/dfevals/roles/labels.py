"""Class labels: which there are, in which order, which is positive, and the codes of a column of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.columns.numbers import BLOCK, distinct, plain_number
from dfevals.exceptions import DataError, RoleError, did_you_mean
from dfevals.roles.declared import Roles, column, label_key, specs, stand_in
from dfevals.roles.models import has_score_per_class, pattern_labels

__all__ = ["encode_labels", "find_labels", "found_labels"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
MISSING = -1


def find_labels(
    roles: Roles, frame: pd.DataFrame, truth: pd.Series, preds: Sequence[str], task: str
) -> tuple[tuple[Any, ...], str]:
    """Classes in order (the positive one last in a binary task), and how they were found."""
    if roles.labels is not None:
        labels = list(roles.labels)
        if len(set(map(label_key, labels))) != len(labels):
            raise RoleError(f"labels={labels!r} names a label twice.")
        reason = "labels as declared"
    else:
        labels = found_labels(truth, "y_true")
        seen = {label_key(label) for label in labels}
        for name in preds:
            series = column(frame, name, "y_pred")
            more = found_labels(series, "y_pred")
            _check_kinds(labels, more, truth, series)
            labels += [label for label in more if label_key(label) not in seen]
            seen |= {label_key(label) for label in more}
        labels = _ordered(labels, truth)
        labels = _with_pattern(labels, roles, frame, task)
        reason = "labels as they occur"
    if task == "binary" and roles.task is None and len(labels) > 2 and has_score_per_class(roles, frame):
        task = "multiclass"  # two classes occur, but more have a score
    if task != "binary":
        if len(labels) < 2:
            raise RoleError(
                f"y_true column {truth.name!r} holds {f'one label only, {labels[0]!r}' if labels else 'no labels'}. "
                "Pass labels=[...] with all classes."
            )
        return tuple(labels), reason
    return _binary_labels(labels, roles, truth), reason


def _binary_labels(labels: list[Any], roles: Roles, truth: pd.Series) -> tuple[Any, ...]:
    """(negative, positive)."""
    if len(labels) > 2:
        raise RoleError(
            f"A binary task has two labels, but y_true and y_pred hold {len(labels)}: {labels[:6]!r}. "
            "Is it task='multiclass'? Or pass labels=[negative, positive]."
        )
    positive = roles.pos_label
    if positive is not None:
        known = [label for label in labels if label_key(label) == label_key(positive)]
        if not known and len(labels) == 2:
            close = did_you_mean(positive, labels)
            close = f" {close}" if close else ""
            if any(str(label) == str(positive) for label in labels):
                close = f" The labels are of type {type(labels[0]).__name__}; pass pos_label={labels[[str(x) for x in labels].index(str(positive))]!r}."
            raise RoleError(f"pos_label={positive!r} is not a label of {truth.name!r}: {labels!r}.{close}")
        others = [label for label in labels if label_key(label) != label_key(positive)]
        return (others[0] if others else stand_in(positive), known[0] if known else positive)
    if roles.labels is not None:
        return tuple(labels)
    keys = {label_key(label) for label in labels}
    for pair in ((0.0, 1.0), (-1.0, 1.0)):
        if keys <= set(pair):
            if len(labels) == 2:
                return tuple(sorted(labels, key=label_key))
            return tuple(type(labels[0])(value) if labels else int(value) for value in pair)
    raise RoleError(
        f"Which label of {truth.name!r} is the positive one? Labels: {labels!r}. "
        f"Pass pos_label={labels[-1] if labels else 1!r}; or, if there are more classes than these rows hold, labels=[...] with "
        "all of them or task='multiclass'."
    )


def _with_pattern(labels: list[Any], roles: Roles, frame: pd.DataFrame, task: str) -> list[Any]:
    """Add classes that have a score column but occur in no row, if the scores then sum to one."""
    texts = pattern_labels(roles, frame)
    missing = [text for text in texts if text not in {str(label) for label in labels}]
    if not missing or not has_score_per_class(roles, frame) or not set(map(str, labels)) <= set(texts):
        return labels
    spec = specs(roles.y_score)[0]
    head = frame.iloc[:1000]
    total = sum(head[spec.replace("{label}", text)].to_numpy(dtype=float, na_value=np.nan) for text in texts)
    if len(head) and np.nanmax(np.abs(total - 1)) < 1e-3:
        kind = type(labels[0]) if labels else str
        return _ordered(
            [*labels, *[kind(text) if kind in (int, float) else text for text in missing]], pd.Series(dtype=object)
        )
    return labels


def found_labels(series: pd.Series, role: str) -> list[Any]:
    """Labels that occur in a column, in order of appearance or of its categories; missing and infinite ones left out."""
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        used = np.unique(series.cat.codes.to_numpy())
        return [_tidy(value) for value in dtype.categories[used[used >= 0]]]
    try:
        values = distinct(series)
    except TypeError:
        raise DataError(
            f"{role} column {series.name!r} holds unhashable values, such as lists; labels are needed."
        ) from None
    found = [_tidy(value) for value in values]
    return [label for label in found if not (isinstance(label, float) and not math.isfinite(label))]


def _tidy(value: Any) -> Any:
    value = plain_number(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _ordered(labels: list[Any], truth: pd.Series) -> list[Any]:
    if isinstance(truth.dtype, pd.CategoricalDtype) and truth.dtype.ordered:
        order = {label_key(_tidy(value)): i for i, value in enumerate(truth.dtype.categories)}
        return sorted(labels, key=lambda label: order.get(label_key(label), len(order)))
    try:
        return sorted(labels)
    except TypeError:
        return sorted(labels, key=lambda label: (isinstance(label, str), str(label)))


def _check_kinds(labels: list[Any], more: list[Any], truth: pd.Series, pred: pd.Series) -> None:
    """Refuse "1" against 1, which would make every row an error."""
    texts = [{isinstance(label, str) for label in group} for group in (labels, more)]
    if labels and more and texts[0].isdisjoint(texts[1]):
        kind = "str" if True in texts[0] else "float" if any(isinstance(v, float) for v in labels) else "int"
        raise RoleError(
            f"y_true column {truth.name!r} holds {labels[0]!r} ({type(labels[0]).__name__}) and y_pred column {pred.name!r} "
            f"holds {more[0]!r} ({type(more[0]).__name__}): they would never agree. "
            f"Convert one: df[{pred.name!r}] = df[{pred.name!r}].astype({kind})."
        )


def encode_labels(series: pd.Series, labels: Sequence[Any], role: str) -> Array:
    """Codes 0..K−1 of a label column, −1 where missing, in the smallest integers that hold them.

    Raises
    ------
    DataError
        A value that is not in `labels`.
    """
    kind = np.int8 if len(labels) < 127 else np.int16 if len(labels) < 32767 else np.int32
    out = np.empty(len(series), kind)
    dtype = series.dtype
    lookup = {label_key(label): i for i, label in enumerate(labels)}

    def place(values: Any) -> Array:
        found = []
        for value in values:
            code = lookup.get(label_key(_tidy(value)))
            if code is None:
                if isinstance(value, float) and not math.isfinite(value):
                    code = MISSING
                else:
                    raise DataError(
                        f"{role} column {series.name!r} holds {value!r}, which is not one of labels={list(labels)!r}. "
                        "Add it to labels= or drop those rows."
                    )
            found.append(code)
        return np.array([*found, MISSING], kind)  # the last serves code −1

    if isinstance(dtype, pd.CategoricalDtype):
        codes = series.cat.codes.to_numpy()
        used = np.unique(codes)
        table = np.full(len(dtype.categories) + 1, MISSING, kind)
        table[used[used >= 0]] = place(dtype.categories[used[used >= 0]])[:-1]
        return np.take(table, codes, out=out, mode="wrap")
    if isinstance(dtype, np.dtype) and dtype.kind == "b" and len(labels) == 2 and set(lookup) == {0.0, 1.0}:
        flags = series.to_numpy()
        return flags.astype(kind) if lookup[1.0] == 1 else (~flags).astype(kind)
    for start in range(0, len(series), BLOCK):
        part = series.iloc[start : start + BLOCK]
        if isinstance(dtype, np.dtype) and dtype.kind in "iu" and len(part):
            values = part.to_numpy()
            low, high = int(values.min()), int(values.max())
            if high - low < 2:
                codes = place([low, high])
                out[start : start + BLOCK] = np.where(values == high, codes[1], codes[0])
                continue
            if high - low < 1 << 16:
                shifted = values.astype(np.int64) - low
                present = np.flatnonzero(np.bincount(shifted, minlength=high - low + 1))
                table = np.full(high - low + 1, MISSING, kind)
                table[present] = place((present + low).tolist())[:-1]
                np.take(table, shifted, out=out[start : start + BLOCK])
                continue
        codes, uniques = pd.factorize(part)
        np.take(place(uniques), codes, out=out[start : start + BLOCK], mode="wrap")
    return out

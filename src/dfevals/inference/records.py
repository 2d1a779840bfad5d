"""The small frozen records that every function of `dfevals.inference` returns."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Estimate", "FloatOrArray", "HypothesisTest", "agreeing", "as_given", "label_where", "saying_left_out"]

FloatOrArray: TypeAlias = Any
"""A float where the inputs were scalars, an array of the broadcast shape where they were arrays."""


def as_given(values: ArrayLike) -> FloatOrArray:
    """Turn a zero-dimensional result back into a plain Python scalar and leave arrays alone.

    Examples
    --------
    >>> as_given(np.float64(0.5)), as_given(np.array([0.5, 1.0]))
    (0.5, array([0.5, 1. ]))
    """
    array = np.asarray(values)
    return array.item() if array.ndim == 0 else array


def label_where(shape: tuple[int, ...], **conditions: tuple[Any, str]) -> FloatOrArray:
    """Notes of a vectorised result: the text of the first condition that holds, else "".

    Parameters
    ----------
    shape : tuple of int
        Shape of the result; `()` gives one string.
    **conditions : (Boolean or Boolean array, str)
        Where a note applies, and its text; earlier ones win.

    Examples
    --------
    >>> label_where((2,), empty=(np.array([True, False]), "no rows"))
    array(['no rows', ''], dtype='<U7')
    """
    masks = [np.broadcast_to(mask, shape) for mask, _ in conditions.values()]
    texts = [text for _, text in conditions.values()]
    if not any(mask.any() for mask in masks):
        return as_given(np.full(shape, "", dtype="<U1"))
    return as_given(np.select(masks, texts, default=""))


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """An estimate with its confidence interval.

    Numbers are floats where the inputs were scalars and arrays where they were arrays; what is not defined is NaN and
    `note` says why.

    Attributes
    ----------
    estimate : float or array
        The estimated quantity; the function's docstring says which.
    ci_low, ci_high : float or array
        Ends of the interval at `level`; NaN where the method has none.
    level : float
        Confidence level of the interval.
    method : str
        The method, as the field calls it.
    n : float or array
        Number of observations (rows, pairs, blocks or folds) behind the numbers.
    note : str or array of str
        Why something is NaN or should be read with care; "" otherwise.
    """

    estimate: FloatOrArray = float("nan")
    ci_low: FloatOrArray = float("nan")
    ci_high: FloatOrArray = float("nan")
    level: float = 0.95
    method: str = ""
    n: FloatOrArray = float("nan")
    note: FloatOrArray = ""

    def __repr__(self) -> str:
        shown = ", ".join(f"{f.name}={_shown(getattr(self, f.name))}" for f in fields(self) if self._has(f.name))
        return f"{type(self).__name__}({shown})"

    def _has(self, name: str) -> bool:
        """Whether a field holds something worth reading."""
        value = getattr(self, name)
        if name == "level":
            return not np.all(np.isnan(self.ci_low))
        if isinstance(value, str):
            return value != ""
        if isinstance(value, np.ndarray) and value.dtype.kind == "U":
            return bool((value != "").any())
        if name in ("estimate", "p_value"):
            return True
        return bool(value) if isinstance(value, list) else value is not None and not np.all(np.isnan(value))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class HypothesisTest(Estimate):
    """A test of "no difference", with the estimate it is about.

    Attributes
    ----------
    statistic : float or array
        The test statistic; NaN for tests that have none (exact and mid-p binomial tests report their count).
    p_value : float or array
        Two-sided p-value, unless the function says otherwise.
    df : float, tuple of float or array
        Degrees of freedom of the reference distribution; NaN where it has none.
    """

    statistic: FloatOrArray = float("nan")
    p_value: FloatOrArray = float("nan")
    df: FloatOrArray = float("nan")


def agreeing(
    low: ArrayLike, high: ArrayLike, estimate: ArrayLike, p_value: ArrayLike, level: float, null: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """An interval that holds the `null` value exactly where the test of it, shown beside the interval, does not reject.

    For tests whose p is not the interval's own. Taking the null value into the interval, or cutting the interval there on
    the estimate's side (an open end, so the bound is the next number), costs no coverage that the test has not already.
    NaN where the test rejects the estimate itself.

    Examples
    --------
    >>> low, high = agreeing(-0.01, 0.3, 0.1, p_value=0.03, level=0.95)
    >>> bool(low > 0), high
    (True, array(0.3))
    >>> agreeing(0.01, 0.3, 0.1, p_value=0.07, level=0.95)
    (array(0.), array(0.3))
    """
    lower, upper, centre, p = (np.asarray(v, dtype=np.float64) for v in (low, high, estimate, p_value))
    none, rejected = np.isnan(p), p <= 1 - level
    held_low, held_high = np.minimum(lower, null), np.maximum(upper, null)
    above, below = np.nextafter(null, np.inf), np.nextafter(null, -np.inf)
    cut_low = np.where(centre > null, np.maximum(lower, above), np.where(centre < null, lower, np.nan))
    cut_high = np.where(centre < null, np.minimum(upper, below), np.where(centre > null, upper, np.nan))
    return (
        np.where(none, lower, np.where(rejected, cut_low, held_low)),
        np.where(none, upper, np.where(rejected, cut_high, held_high)),
    )


Record = TypeVar("Record", bound=Estimate)


def saying_left_out(found: Record, left_out: ArrayLike, what: str) -> Record:
    """Add to a record's note how many pairs, rows or blocks with missing values were left out.

    Parameters
    ----------
    found : Estimate
        The record of what is complete.
    left_out : int or array of int
        How many were left out, in the shape of the record's numbers.
    what : str
        One of them: "pair", "row", "block".

    Examples
    --------
    >>> saying_left_out(Estimate(n=5, note="too few pairs"), 1, "pair").note
    'too few pairs; 1 pair with missing values left out'
    """
    count = np.asarray(left_out)
    if not count.any():
        return found
    notes = np.broadcast_to(found.note, count.shape)
    said = [_with(str(note), int(gone), what) for note, gone in zip(notes.flat, count.flat, strict=True)]
    return replace(found, note=as_given(np.array(said).reshape(count.shape)))


def _with(note: str, gone: int, what: str) -> str:
    if not gone:
        return note
    dropped = f"{gone:,} {what}{'' if gone == 1 else 's'} with missing values left out"
    return f"{note}; {dropped}" if note else dropped


def _shown(value: Any) -> str:
    """A value as it stands in a repr: four significant digits, arrays summarised."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_shown, value)) + ")"
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=4, threshold=6, edgeitems=2, separator=", ").replace("\n", "")
    return repr(value)


def as_counts(*values: ArrayLike) -> list[NDArray[np.float64]]:
    """Float arrays of one broadcast shape."""
    return [np.asarray(v, dtype=np.float64) for v in np.broadcast_arrays(*values)]

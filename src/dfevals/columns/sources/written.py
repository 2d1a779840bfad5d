"""Columns that a file holds as written text (CSV, names of folders): which of them are numbers.

A column is numbers if every value is the canonical writing of a number, so that nothing is lost: no leading zeros
(`01234` is a code), no exponent that a code could have (`1e3`; `1e-05` and `1.0E7` are numbers), no two writings of one
number (`1.1` beside `1.10`), and decimals as short as possible or all of the same length (prices such as `12.50`).
A role can say more: scores and weights are numbers however written; names are text unless they are plain integers.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
import pandas as pd

from dfevals.columns.plain_values import whole_numbers

__all__ = ["Kind", "typed"]

Kind = Literal["number", "text", "name", "cohort", "any"]
SCIENTIFIC = r"-?[0-9](\.[0-9]+)?[eE][+-][0-9]+|-?[0-9]\.[0-9]+[eE][0-9]+|[+-]?[iI][nN][fF]([iI][nN][iI][tT][yY])?"
WHOLE = r"-?(0|[1-9][0-9]*)"
SHORT = rf"{WHOLE}(\.[0-9]*[1-9]|\.0)?|-?\.[0-9]*[1-9]|{SCIENTIFIC}"
DECIMAL = r"-?(0|[1-9][0-9]*)?\.[0-9]+"
NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?[iI][nN][fF]([iI][nN][iI][tT][yY])?"
TRUTHS = ({"True", "False"}, {"TRUE", "FALSE"}, {"true", "false"})


def typed(column: pd.Series, kind: Kind = "any") -> pd.Series:
    """The column as numbers or truth values where all of its writings are; else as it is.

    Parameters
    ----------
    column : Series of text
        As written, missing where the file says so.
    kind : {"number", "text", "name", "cohort", "any"}
        What the role of the column says: numbers however written; text as it is; names, which may be integers;
        cohorts, whose names show how they are written; nothing.

    Examples
    --------
    >>> typed(pd.Series(["1.1", "1.10"])).tolist(), typed(pd.Series(["1.5", "-2"])).tolist()
    (['1.1', '1.10'], [1.5, -2.0])
    """
    if kind == "text":
        return column
    codes, found = pd.factorize(column)
    if len(found) and kind != "name" and any(set(found[:3]) <= pair for pair in TRUTHS):
        return _truths(column, codes, found)
    if not len(found) or not re.fullmatch(NUMBER, found[0].strip()):
        return column
    texts = pd.Series(found).str.strip()
    if texts.str.fullmatch(WHOLE).all() and not (kind == "number" and _are_long(texts)):
        return column if _are_long(texts) else _whole(texts, codes, column)
    if kind == "name" or not texts.str.fullmatch(NUMBER).all():
        return column
    values = texts.astype(np.float64).to_numpy() + 0.0  # −0 is 0
    return _taken(values, codes, column) if kind == "number" or _are_canonical(texts, values, kind) else column


def _truths(column: pd.Series, codes: Any, found: Any) -> pd.Series:
    if len(found) > 2 or not any(set(found) <= pair for pair in TRUTHS):
        return column
    return _taken(np.array([text.lower() == "true" for text in found], object), codes, column)


def _are_canonical(texts: pd.Series, values: Any, kind: Kind) -> bool:
    if not texts.str.fullmatch(SHORT).all():
        fixed = texts.str.fullmatch(DECIMAL).all() and (texts.str.len() - texts.str.find(".")).nunique() == 1
        if kind == "cohort" or not fixed:
            return False
    signless = texts.where(values != 0, texts.str.lstrip("-"))
    return bool(len(np.unique(values)) == signless.nunique())


def _are_long(texts: pd.Series) -> bool:
    """Whether whole numbers go beyond 64 bits, as codes do."""
    size = int(texts.str.len().max())
    return size > 20 or (size > 18 and max(abs(int(text)) for text in texts) >= 1 << 63)


def _whole(texts: pd.Series, codes: Any, column: pd.Series) -> pd.Series:
    if (texts.str.len() <= 15).all():
        values = texts.astype(np.int64).to_numpy()
        return _taken(values.astype(np.float64) if (codes < 0).any() else values, codes, column)
    exact = np.array([*map(int, texts), None], object)  # code −1 takes the last
    return whole_numbers(exact.take(codes).tolist()).set_axis(column.index)


def _taken(values: Any, codes: Any, column: pd.Series) -> pd.Series:
    """Values by code, missing where the code is −1."""
    if (codes < 0).any():
        values = np.append(values, np.array([None], object) if values.dtype == object else np.nan)
    elif values.dtype == object:
        values = values.astype(bool)
    return pd.Series(values.take(codes), index=column.index, name=column.name)

"""Limits of the parameters of metrics: what no formula allows is refused, not computed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dfevals.exceptions import MetricError

__all__ = ["check_number", "check_whole"]


def check_number(
    metric: str, name: str, value: Any, low: float, high: float = math.inf, *, inside: bool = False
) -> None:
    """Raise unless `value` is a finite number from `low` to `high`, or strictly `inside` them.

    Examples
    --------
    >>> check_number("pinball", "alpha", 0.9, 0, 1, inside=True)
    """
    good = isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)
    if good and (low < value < high if inside else low <= value <= high):
        return
    if inside or high < math.inf:
        rule = f"a number {'strictly ' * inside}between {low:g} and {high:g}"
    else:
        rule = f"a finite number of at least {low:g}"
    raise MetricError(f"{metric}({name}={value!r}): {name} must be {rule}.")


def check_whole(metric: str, name: str, value: Any, least: int = 1) -> None:
    """Raise unless `value` is a whole number of at least `least`.

    Examples
    --------
    >>> check_whole("top_k_accuracy", "k", 3)
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise MetricError(f"{metric}({name}={value!r}): {name} must be a whole number of at least {least}.")

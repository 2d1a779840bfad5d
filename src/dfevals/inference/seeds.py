"""Random generators from what users pass as `random_state`, and numbers of resamples."""

from __future__ import annotations

from typing import Any

import numpy as np

from dfevals.exceptions import DataError, MetricError

__all__ = ["check_resamples", "generator"]


def generator(random_state: Any) -> np.random.Generator:
    """`numpy.random.default_rng` of a seed, with an error that names the parameter.

    Raises
    ------
    DataError
        Nothing that can seed a generator.

    Examples
    --------
    >>> generator(7).integers(10) == generator(7).integers(10)
    np.True_
    """
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError):
        raise DataError(
            f"random_state={random_state!r} is no seed. Pass a whole number of at least 0, or a numpy Generator."
        ) from None


def check_resamples(n_resamples: Any, name: str = "n_resamples", least: int = 1) -> None:
    """Raise unless this is a number of resamples.

    Raises
    ------
    MetricError
        Anything but a whole number of at least `least`.
    """
    if isinstance(n_resamples, bool) or not isinstance(n_resamples, int | np.integer) or n_resamples < least:
        raise MetricError(f"{name}={n_resamples!r} must be a whole number of at least {least}.")

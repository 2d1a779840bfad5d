"""Many rows as few numbers: hexagon counts of two columns, weighted quantiles, normal quantiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Cloud", "Hexagons", "hexagons", "normal_quantiles", "quantiles"]

Floats = npt.NDArray[np.float64]
ACROSS = 48  # hexagons across a chart
DISTINCT = 400  # quantiles of a Q–Q chart


@dataclass(frozen=True)
class Hexagons:
    """Centres and counts of the hexagons that hold rows; `width` and `height` are the steps of the lattice."""

    x: Floats
    y: Floats
    count: Floats
    width: float
    height: float


@dataclass(frozen=True)
class Cloud:
    """The rows of a chart of errors in a form whose size does not grow with them."""

    name: str
    n: int
    residual: Hexagons  # prediction × error
    actual: Hexagons  # actual value × prediction
    normal: Floats  # standard normal quantiles
    error: Floats  # quantiles of the errors
    centre: float
    spread: float


def hexagons(x: Floats, y: Floats, across: int = ACROSS) -> Hexagons:
    """Count points in a hexagonal lattice (Carr et al. 1987): each goes to the nearer of two shifted grids' centres.

    Examples
    --------
    >>> import numpy as np
    >>> hexagons(np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0])).count.tolist()
    [2.0, 1.0]
    """
    if not len(x):
        none = np.zeros(0)
        return Hexagons(none, none, none, 1.0, 1.0)
    low = float(x.min()), float(y.min())
    span = [float(v.max()) - start or abs(start) or 1.0 for v, start in zip((x, y), low, strict=True)]
    width = span[0] / across
    height = span[1] / max(int(across / np.sqrt(3)), 1)
    u, v = (x - low[0]) / width, (y - low[1]) / height
    near = np.rint(u), np.rint(v)
    far = np.floor(u) + 0.5, np.floor(v) + 0.5
    first = (u - near[0]) ** 2 + 3 * (v - near[1]) ** 2 <= (u - far[0]) ** 2 + 3 * (v - far[1]) ** 2
    column = np.where(first, 2 * near[0], 2 * far[0]).astype(np.int64)
    row = np.where(first, 2 * near[1], 2 * far[1]).astype(np.int64)
    columns = int(column.max()) + 1
    counts = np.bincount(row * columns + column)
    used = np.flatnonzero(counts)
    return Hexagons(
        low[0] + (used % columns) / 2 * width,
        low[1] + (used // columns) / 2 * height,
        counts[used].astype(float),
        width,
        height,
    )


def quantiles(values: Floats, shares: Floats, weight: Floats | None = None) -> Floats:
    """Quantiles; numpy's without weights, of the weighted distribution function with them.

    Examples
    --------
    >>> import numpy as np
    >>> quantiles(np.array([1.0, 2.0, 3.0]), np.array([0.5]), np.array([1.0, 1.0, 8.0])).tolist()
    [3.0]
    """
    if weight is None:
        return np.asarray(np.quantile(values, shares))
    order = np.argsort(values)
    cumulated = np.cumsum(weight[order])
    at = np.searchsorted(cumulated, shares * cumulated[-1])
    return np.asarray(values[order][np.minimum(at, len(values) - 1)])


def normal_quantiles(values: Floats, weight: Floats | None = None) -> tuple[Floats, Floats]:
    """Standard normal quantiles and those of the values, at up to some hundred shares, closer together in the tails."""
    from scipy.special import ndtr, ndtri

    n = len(values)
    if n == 0:
        return np.zeros(0), np.zeros(0)
    if n <= DISTINCT and weight is None:
        return np.asarray(ndtri((np.arange(n) + 0.5) / n)), np.sort(values)
    z = np.linspace(float(ndtri(0.5 / n)), float(ndtri(1 - 0.5 / n)), DISTINCT)

    return z, quantiles(values, np.asarray(ndtr(z)), weight)

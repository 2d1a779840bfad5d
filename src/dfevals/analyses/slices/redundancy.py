"""Which slices say something of their own: each is tested given the slices above it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.analyses.slices.losses import Losses

__all__ = ["distinct"]

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
OWN = 0.8  # of its statistic, that a slice without evidence must keep given those above it


def distinct(
    losses: Losses,
    candidates: Sequence[int],
    mask: Callable[[int], Bools],
    z: Floats,
    effect: Floats,
    critical: float,
    top: int,
) -> tuple[list[int], dict[int, int]]:
    """The first `top` candidates that add something to those before them, and for the others the one that explains them.

    Rows are divided by the slices kept so far. Within these parts a candidate is compared with the other rows: where its
    rows differ no more than the family-wise critical value, the conditions that it adds add nothing.

    Parameters
    ----------
    losses : Losses
        The rows, or a sample of them.
    candidates : sequence of int
        Slices, those with the most evidence first.
    mask : callable
        The rows of a slice.
    z, effect : arrays over the candidates
        Statistics, and the variances of their sums over those of independent rows.
    critical : float
        Greatest statistic by chance.
    top : int
        How many are kept at most.
    """
    x, w = losses.value[losses.inside], np.ones(len(losses.inside))
    if losses.weight is not None:
        w = losses.weight[losses.inside]
    q = w if losses.frequency else w**2
    part, parts = np.zeros(len(x), np.intp), 1
    kept: list[int] = []
    explained: dict[int, int] = {}
    masks: list[Bools] = []
    for at, candidate in enumerate(candidates):
        if len(kept) == top:
            break
        own = mask(candidate)[losses.inside]
        if kept:
            left = np.sign(z[at]) * _given(x, w, q, own, part, parts) / np.sqrt(effect[at])
            if left < min(critical, OWN * abs(z[at])):
                explained[candidate] = kept[_nearest(own, masks)]
                continue
        kept.append(candidate)
        masks.append(own)
        joint = part * 2 + own
        there = np.bincount(joint, minlength=2 * parts) > 0
        part, parts = (np.cumsum(there) - 1)[joint], int(there.sum())
    return kept, explained


def _given(x: Floats, w: Floats, q: Floats, own: Bools, part: Array, parts: int) -> float:
    """Standardised difference between a slice and the other rows within the parts."""

    def add(values: Floats, where: Bools | None = None) -> Floats:
        at, moved = (part, values) if where is None else (part[where], values[where])
        return np.asarray(np.bincount(at, moved, parts), float)

    weight, square, total = add(w), add(q), add(w * x)
    mean = total / weight
    second = add(q * (x - mean[part]) ** 2) / square
    inside, inside_square, inside_total = add(w, own), add(q, own), add(w * x, own)
    share = inside / weight
    variance = second * ((1 - 2 * share) * inside_square + share**2 * square)
    spread = variance[share < 1].sum()
    return float((inside_total - mean * inside).sum() / np.sqrt(spread)) if spread > 0 else 0.0


def _nearest(own: Bools, masks: list[Bools]) -> int:
    """The kept slice that shares the greatest part of the rows."""
    shared = [float((own & other).sum()) / max(int((own | other).sum()), 1) for other in masks]
    return int(np.argmax(shared))

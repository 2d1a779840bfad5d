"""The counts that the page draws from: cohort × class × score key, so that a threshold moves without asking the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.cohorts import Cohorts
from dfevals.explorers.view import View
from dfevals.roles.bound import BLOCK

__all__ = ["Counts", "count", "edges_of"]

BUDGET = 880_000  # bytes of one array of counts
MOST_KEYS = 1_024
FEWEST_KEYS = 16
TYPES = ((1 << 8, "<u1", "uint8"), (1 << 16, "<u2", "uint16"), (1 << 32, "<u4", "uint32"))
FEW_LARGE = 0.02  # share of counts that may be too large for the type


@dataclass(frozen=True)
class Counts:
    """Counts of shape (cohorts + 1, 2, keys), overall last: key k holds edges[k] ≤ score < edges[k + 1].

    `edges` are real thresholds, so that what is counted at one of them is what the kernel counts.
    """

    counts: npt.NDArray[Any]
    edges: npt.NDArray[np.float64]

    def packed(self) -> tuple[bytes, dict[str, Any]]:
        """The cohorts' counts as bytes in a small type, and what unpacks them.

        `large` lists what does not fit the type, as flat index and value one after the other; `overall` is written out.
        """
        cohorts, overall = self.counts[:-1].ravel(), self.counts[-1].ravel()
        about: dict[str, Any] = {"overall": overall.tolist(), "edges": self.edges.tolist(), "large": []}
        if self.counts.dtype.kind == "f":
            return cohorts.astype("<f8").tobytes(), about | {"type": "float64"}
        for limit, dtype, name in TYPES:  # noqa: B007 - the type that fits is used below
            large = np.flatnonzero(cohorts >= limit)
            if len(large) <= FEW_LARGE * len(cohorts) or name == TYPES[-1][2]:
                break
        small = cohorts.copy()
        small[large] = 0
        about["large"] = np.stack([large, cohorts[large]], axis=1).ravel().tolist()
        return small.astype(dtype).tobytes(), about | {"type": name}


def count(view: View, by: Any, model: str, threshold: float | None) -> Counts:
    """Counts (sums of weights, where there are any) per cohort and overall for a binary task.

    Without a threshold there are two keys: predicted negative and positive.
    """
    cohorts = view.cohorts(by)
    weights = view.bound.weight
    size = cohorts.n_cohorts + 1
    mean = view.bound.n / (size * 2 * MOST_KEYS)
    width = 8 if weights is not None else 1 if mean < 60 else 2 if mean < 15_000 else 4
    keys = int(np.clip(BUDGET // (size * 2 * width), FEWEST_KEYS, MOST_KEYS))
    edges, codes = view.keep(("keys", model, threshold, keys), lambda: _keys(view, model, threshold, keys))
    n_keys = len(edges)
    cell = 2 * n_keys
    atoms = np.zeros(cohorts.n_atoms * cell, np.int64 if weights is None else np.float64)
    valid, truth = view.valid(model), view.truth()
    for start in range(0, view.bound.n, BLOCK):
        part = slice(start, min(start + BLOCK, view.bound.n))
        joint = cohorts.codes[part].astype(np.int64)
        joint *= cell
        joint += truth[part].astype(np.int64) * n_keys
        joint += codes[part]
        heavy = None if weights is None else weights.block(part.start, part.stop)
        if valid is not None:
            keep = valid[part]
            joint, heavy = joint[keep], None if heavy is None else heavy[keep]
        found = np.bincount(joint, heavy, minlength=len(atoms))
        atoms += found.astype(atoms.dtype, copy=False)
    return Counts(_of_cohorts(atoms.reshape(cohorts.n_atoms, 2, n_keys), cohorts), edges)


def _of_cohorts(atoms: npt.NDArray[Any], cohorts: Cohorts) -> npt.NDArray[Any]:
    """Sums of atoms per cohort, and of all atoms last."""
    total = atoms.sum(axis=0, keepdims=True)
    if cohorts.n_cohorts == 0:
        return total
    if cohorts.views is None:
        return np.concatenate([atoms[: cohorts.n_cohorts], total])
    out = np.zeros((cohorts.n_cohorts, *atoms.shape[1:]), atoms.dtype)
    for group in cohorts.views:
        inside = np.flatnonzero(group.positions >= 0)
        np.add.at(out, np.asarray(group.cohorts)[group.positions[inside]], atoms[inside])
    return np.concatenate([out, total])


def _keys(
    view: View, model: str, threshold: float | None, keys: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.signedinteger[Any]]]:
    if threshold is None:
        return np.array([0.0, 1.0]), view.predicted(model, None).astype(np.int64)
    record = view.bound.model(model)
    score, valid, truth = view.score(record), view.valid(model), view.truth()
    edges = edges_of(score, truth == 1, valid, [threshold, view.bound.threshold(record)], keys)
    codes: npt.NDArray[np.signedinteger[Any]]
    codes = np.empty(len(score), np.int16) if len(edges) < 32_000 else np.empty(len(score), np.int32)
    for start in range(0, len(score), BLOCK):
        block = np.nan_to_num(score[start : start + BLOCK], nan=edges[0])
        codes[start : start + BLOCK] = np.maximum(np.searchsorted(edges, block, "right") - 1, 0)
    return edges, codes


def edges_of(
    score: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    valid: npt.NDArray[np.bool_] | None,
    thresholds: list[float],
    keys: int,
) -> npt.NDArray[np.float64]:
    """Rising thresholds: an even grid of round numbers, quantiles of each class, and the given ones; the first is at or
    below every score.

    Quantiles are scores of the frame, taken from a sample of at most 100 000 rows.
    """
    if valid is not None:
        score, positive = score[valid], positive[valid]
    if not len(score):
        return np.unique(np.array([0.0, *thresholds]))
    finite = score[np.isfinite(score)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    score = np.clip(score, low, high)
    probability = low >= 0 and high <= 1
    bottom, top = (0.0, 1.0) if probability else (low, high)
    room = max(keys - len(thresholds) - 2, 4)
    grid = _round_grid(bottom, top, room // 2)
    step = max(1, len(score) // 100_000)
    sample, classes = score[::step], positive[::step]
    each = max((room - len(grid)) // 2, 2)
    parts = [grid, np.asarray(thresholds, float), np.array([bottom])]
    for label in (False, True):
        of_class = sample[classes == label]
        if len(of_class):
            parts.append(np.quantile(of_class, np.linspace(0, 1, each), method="lower"))
    found = np.unique(np.concatenate(parts))
    found = found[found >= min(bottom, *thresholds)]
    if found[0] > low:
        found = np.concatenate([[low], found])
    return np.asarray(found, np.float64)


def _round_grid(low: float, high: float, most: int) -> npt.NDArray[np.float64]:
    """Multiples of a round step, at most `most` of them."""
    span = high - low
    if not span > 0:
        return np.array([low])
    raw = span / most
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * (1 - 1e-9))
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    decimals = max(0, int(-np.floor(np.log10(step))) + 1)
    return np.round(np.arange(first, last + 1) * step, decimals)

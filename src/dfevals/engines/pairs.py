"""One pass over rows that two models were judged on: the joint counts of what both said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.engines.block import Block
from dfevals.roles.bound import BLOCK, Bound
from dfevals.roles.declared import Model
from dfevals.tally.joint import DENSE, JointTally, distinct_of

__all__ = ["collect_joint"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Keep = Sequence[npt.NDArray[np.bool_] | None]


def collect_joint(
    bounds: Sequence[Bound], models: Sequence[Model], keep: Keep, atoms: Array, n_atoms: int
) -> JointTally:
    """Counts of two classifiers on the same rows.

    Parameters
    ----------
    bounds, models : sequence of 2
        Where each model's columns lie; row i of one is row i of the other.
    keep : sequence of mask or None
        Rows of every block that can be judged for both.
    atoms : ndarray
        Atom of every row that is kept.
    n_atoms : int
    """
    k = len(bounds[0].labels)
    blocks = _blocks(bounds, models, keep, atoms)
    if bounds[0].cluster is None and n_atoms * k**3 <= DENSE:
        return _dense(blocks, n_atoms, k, bounds[0])
    return _sparse(list(blocks), n_atoms, k, bounds[0])


def _blocks(bounds: Sequence[Bound], models: Sequence[Model], keep: Keep, atoms: Array) -> Iterator[_Part]:
    """Atoms, joint codes, weights and clusters of the rows, block by block."""
    at = 0
    for i, start in enumerate(range(0, bounds[0].n, BLOCK)):
        stop = min(start + BLOCK, bounds[0].n)
        a, b = (Block(bound, model, start, stop, keep[i]) for bound, model in zip(bounds, models, strict=True))
        code = _joint_code(a.y_true, a.y_pred, b.y_pred, len(bounds[0].labels))
        cluster = None if a.bound.cluster is None else a.kept(a.bound.cluster[0][start:stop])
        yield _Part(atoms[at : at + len(code)], code, a.weight, cluster)
        at += len(code)


@dataclass(frozen=True)
class _Part:
    atoms: Array
    code: Array
    weight: Floats | None
    cluster: Array | None


def _joint_code(y_true: Array, first: Array, second: Array, k: int) -> Array:
    """(y_true · K + pred_a) · K + pred_b in the smallest integers that hold it."""
    kind = np.int8 if k**3 < 128 else np.int32 if k**3 < 1 << 31 else np.int64
    code: Any = y_true.astype(kind)
    for pred in (first, second):
        code *= kind(k)
        code += pred.astype(kind, copy=False)
    return code


def _dense(parts: Iterator[_Part], n_atoms: int, k: int, bound: Bound) -> JointTally:
    """Tables of all combinations."""
    size = n_atoms * k**3
    rows, weight, square = (np.zeros(size) for _ in range(3))
    for part in parts:
        joint = np.multiply(part.atoms, k**3, dtype=np.intp)
        joint += part.code
        rows += np.bincount(joint, minlength=size)
        if part.weight is not None:
            weight += np.bincount(joint, part.weight, size)
            square += np.bincount(joint, part.weight**2, size)
    return JointTally.of_counts(n_atoms, k, *_meant(bound, rows, weight, square))


def _sparse(parts: list[_Part], n_atoms: int, k: int, bound: Bound) -> JointTally:
    """The combinations that occur."""
    columns, widths = [_joined(p.atoms for p in parts), _joined(p.code for p in parts)], [n_atoms, k**3]
    if bound.cluster is not None:
        columns.append(_joined(p.cluster for p in parts))
        widths.append(len(bound.cluster[1]))
    first, place = distinct_of(columns, widths)
    rows = np.bincount(place, minlength=len(first)).astype(float)
    weight, square = rows, rows
    if bound.weight is not None:
        w = _joined((p.weight for p in parts), float)
        weight, square = (np.bincount(place, v, len(first)) for v in (w, w * w))
    found = [column[first] for column in columns]
    classes: Any = np.unravel_index(found[1], (k,) * 3)
    sums = _meant(bound, rows, weight, square)
    tally = JointTally(n_atoms, k, found[0], classes[0], classes[1], classes[2], *sums)
    if bound.cluster is not None:
        tally.cluster, tally.labels = found[2], bound.cluster[1]
    return tally


def _joined(parts: Iterable[Any], kind: Any = np.int64) -> Array:
    return np.concatenate([np.zeros(0, kind), *parts]).astype(kind, copy=False)


def _meant(bound: Bound, rows: Floats, weight: Floats, square: Floats) -> tuple[Floats, Floats, Floats]:
    """Rows, Σw and Σw² as the kind of weight means them: a frequency is a number of rows."""
    if bound.weight is None:
        return rows, rows, rows
    if bound.roles.weight_kind == "frequency":
        return weight, weight, weight
    total = weight.sum()  # of importance weights only ratios matter: in units of rows they can stand beside counts
    scale = rows.sum() / total if total > 0 else 1.0
    return rows, weight * scale, square * scale**2

"""Parts of a tally as named arrays and back; what comes back is checked before anything computes with it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.saved.container import Damaged
from dfevals.tally import (
    BinTally,
    CellTally,
    ClassTally,
    ExtremeTally,
    ManyCells,
    MomentTally,
    RowTally,
    ScoreTally,
    UnitTally,
)
from dfevals.tally.clusters import ClusterSums
from dfevals.tally.joint import JointMomentTally, JointTally
from dfevals.tally.moments import exponents, pairs

__all__ = ["Size", "read_part", "write_part"]

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
WIDEST = 1 << 62  # codes of cluster × cohort × kind
ROUNDING = 1e-9
DEEPEST = 8  # order of moments
MONOMIALS = 1 << 20  # exponents that are looked through
KINDS = {"f": "fi", "i": "i", "b": "b", "t": "O"}  # numpy's kinds of a field's letter

#: What the fields of each kind of part are: f numbers, i whole numbers, b truth values, t texts, with their dimensions;
#: "n" a whole number and "y" a truth value of the description; "columns" named columns; a class a part inside; "?" optional.
FIELDS: dict[type, dict[str, str]] = {
    CellTally: {"weight": "f3", "square": "f3?", "clusters": "ClusterSums?"},
    ClassTally: {"weight": "f2", "square": "f2?", "clusters": "ClusterSums?"},
    ManyCells: {
        "n_classes": "n",
        "n_cohorts": "n",
        "cohort": "i1",
        "y_true": "i1",
        "y_pred": "i1",
        "weight": "f1",
        "square": "f1?",
        "clusters": "ClusterSums?",
    },
    ClusterSums: {"labels": "t1", "cluster": "i1", "cohort": "i1", "kind": "i1", "values": "f2"},
    MomentTally: {
        "order": "n",
        "n": "f1",
        "mean": "f2",
        "central": "f2",
        "rows": "f1",
        "undefined": "f1",
        "square": "MomentTally?",
        "clusters": "ClusterSums?",
        "origin": "f1?",
    },
    BinTally: {"edges": "f1", "first": "f4", "second": "f4", "low": "f2", "high": "f2"},
    ExtremeTally: {"low": "f1", "high": "f1", "undefined": "f1"},
    RowTally: {"offsets": "i1", "columns": "columns", "frequency": "y"},
    ScoreTally: {
        "offsets": "i1",
        "keys": "i1?",
        "score": "f1?",
        "label": "b1?",
        "weight": "f1?",
        "cluster": "i1?",
        "cluster_labels": "t1?",
        "frequency": "y",
    },
    UnitTally: {"sums": "ClusterSums", "n_cohorts": "n"},
    JointTally: {
        "n_cohorts": "n",
        "n_classes": "n",
        "cohort": "i1",
        "y_true": "i1",
        "said": "i2",
        "rows": "f1",
        "weight": "f1",
        "square": "f1",
        "cluster": "i1?",
        "labels": "t1?",
    },
    JointMomentTally: {"n_cohorts": "n", "n_classes": "n", "cohort": "i1", "y_true": "i1", "moments": "MomentTally"},
}
CLASSES = {kind.__name__: kind for kind in FIELDS}


@dataclass(frozen=True)
class Size:
    """What the parts of a model must agree with: its cohorts and classes, and rows and weight per cohort."""

    cohorts: int
    classes: int
    n: Array
    weight: Array
    weighted: bool


def write_part(part: Any, path: str, arrays: Arrays) -> dict[str, Any]:
    """The description of a part; its arrays are added to `arrays` under `path`."""
    out: dict[str, Any] = {"kind": type(part).__name__}
    for name, kind in FIELDS[type(part)].items():
        value = getattr(part, name)
        if value is None:
            continue
        if kind in ("n", "y"):
            out[name] = value if kind == "y" else int(value)
        elif kind == "columns":
            out[name] = [_write_column(f"{path}/{name}/{i}", c, value[c], arrays) for i, c in enumerate(value)]
        elif kind.rstrip("?") in CLASSES:
            out[name] = write_part(value, f"{path}/{name}", arrays)
        else:
            arrays[f"{path}/{name}"] = value
    return out


def _write_column(path: str, name: str, values: Array, arrays: Arrays) -> dict[str, Any]:
    """A column of rows; labels that are not all text as codes in a list of values."""
    from dfevals.saved.plain import to_json

    out: dict[str, Any] = {"name": name, "dtype": values.dtype.kind}
    if values.dtype.kind == "U":
        values = values.astype(object)
    if values.dtype == object and not all(type(value) is str for value in values):
        places = {(type(value), value): i for i, value in enumerate(dict.fromkeys(values))}
        out["values"] = [to_json(value) for _, value in places]
        values = np.array([places[(type(value), value)] for value in values], np.int64)
    arrays[path] = values
    return out


def read_part(description: Any, path: str, arrays: Mapping[str, Array], size: Size) -> Any:
    """The part of a description, checked.

    Raises
    ------
    Damaged
        Something is missing, of another type or shape, or contradicts the rest.
    """
    part = _read(description, path, arrays)
    _fit(part, path, size)
    return part


def _read(description: Any, path: str, arrays: Mapping[str, Array]) -> Any:
    kind = CLASSES.get(description["kind"])
    need(kind is not None, path, f"is of the unknown kind {description['kind']!r:.60}")
    assert kind is not None
    values: dict[str, Any] = {}
    for name, text in FIELDS[kind].items():
        wanted, optional = text.rstrip("?"), text.endswith("?")
        if wanted in ("n", "y"):
            values[name] = description[name]
            need(type(values[name]) is (int if wanted == "n" else bool), path, f"has no {name}")
        elif wanted == "columns":
            columns = description[name]
            values[name] = {c["name"]: _read_column(c, f"{path}/{name}/{i}", arrays) for i, c in enumerate(columns)}
        elif wanted in CLASSES:
            inside = description.get(name)
            need(optional or inside is not None, path, f"has no {name}")
            need(inside is None or inside.get("kind") == wanted, path, f"has another {name}")
            values[name] = None if inside is None else _read(inside, f"{path}/{name}", arrays)
        else:
            values[name] = _taken(f"{path}/{name}", wanted, arrays, optional)
    return kind(**values)


def _taken(path: str, wanted: str, arrays: Mapping[str, Array], optional: bool = False) -> Array | None:
    found = arrays.get(path)
    if found is None:
        need(optional, path, "is missing")
        return None
    need(found.dtype.kind in KINDS[wanted[0]] and found.ndim == int(wanted[1]), path, "has another type or shape")
    need(wanted[0] != "f" or found.dtype.itemsize == 8, path, "has numbers of another width")
    return found


def _read_column(description: Any, path: str, arrays: Mapping[str, Array]) -> Array:
    from dfevals.saved.plain import from_json

    need(path in arrays and isinstance(description["name"], str), path, "is missing")
    values = arrays[path]
    if "values" in description:
        labels = np.empty(len(description["values"]), dtype=object)
        labels[:] = [from_json(value) for value in description["values"]]
        _codes(values, len(labels), path)
        return labels[values]
    return values.astype(str) if description["dtype"] == "U" else values


def need(holds: Any, path: str, why: str) -> None:
    """Raise `Damaged` unless something holds."""
    if not holds:
        raise Damaged(f"This is no tally that can be used: {path} {why}.")


# What the numbers must fulfil


def _counts(values: Array, path: str) -> None:
    need(np.isfinite(values).all() and (values >= 0).all(), path, "holds counts below 0 or without end")


def _codes(values: Array, size: int, path: str) -> None:
    need(values.dtype.kind in "iu" and values.ndim == 1, path, "holds no codes")
    need(len(values) == 0 or (values.min() >= 0 and values.max() < size), path, f"holds codes outside 0 to {size - 1}")


def _same(lengths: list[int], path: str) -> None:
    need(len(set(lengths)) < 2, path, "has columns of different lengths")


def _about(found: Array, expected: Array, path: str, what: str) -> None:
    need(np.allclose(found, expected, rtol=ROUNDING, atol=0), path, f"does not add up to {what} of its cohorts")


def _at_most(found: Array, limit: Array, path: str, what: str) -> None:
    need((found <= limit * (1 + ROUNDING)).all(), path, f"counts more than {what} of its cohorts")


def _offsets(values: Array, size: Size, path: str) -> None:
    need(len(values) == size.cohorts + 1 and values[0] == 0 and (np.diff(values) >= 0).all(), path, "has no offsets")


def _cells(part: CellTally, path: str, size: Size) -> None:
    shape = (size.classes, size.classes, size.cohorts)
    _tables(part, shape, path)
    _clusters(part.clusters, path, size, size.classes**2)
    _about(part.total, size.weight, path, "the weight")


def _classes(part: ClassTally, path: str, size: Size) -> None:
    _tables(part, (size.classes, size.cohorts), path)
    _clusters(part.clusters, path, size, size.classes)
    _about(part.weight.sum(axis=0), size.weight, path, "the weight")


def _tables(part: Any, shape: tuple[int, ...], path: str) -> None:
    for table in (part.weight, part.square):
        if table is not None:
            need(table.shape == shape, path, f"has the shape {table.shape} instead of {shape}")
            _counts(table, path)
    if part.square is not None:
        _at_most(part.square, part.weight**2, path, "the weight allows")


def _many(part: ManyCells, path: str, size: Size) -> None:
    need((part.n_classes, part.n_cohorts) == (size.classes, size.cohorts), path, "has other classes or cohorts")
    columns: list[Array] = [part.cohort, part.y_true, part.y_pred, part.weight] + (
        [] if part.square is None else [part.square]
    )
    _same([len(column) for column in columns], path)
    _codes(part.cohort, size.cohorts, path)
    for column in (part.y_true, part.y_pred):
        _codes(column, size.classes, path)
    for column in columns[3:]:
        _counts(column, path)
    _clusters(part.clusters, path, size, size.classes**2)
    _about(part.total, size.weight, path, "the weight")


def _clusters(part: ClusterSums | None, path: str, size: Size, kinds: int, n_values: int = 1) -> None:
    if part is None:
        return
    path = f"{path}/clusters"
    need(len(part.labels) * max(size.cohorts, 1) * kinds < WIDEST, path, "is too large")
    _same([len(part.cluster), len(part.cohort), len(part.kind), part.values.shape[1]], path)
    need(part.values.shape[0] == n_values or not part.values.size, path, "has other sums")
    for codes, limit in ((part.cluster, len(part.labels)), (part.cohort, size.cohorts), (part.kind, kinds)):
        _codes(codes, limit, path)
    need(len(part.values) == 0 or (part.values[0] >= 0).all(), path, "holds counts below 0")


def _moments(part: MomentTally, path: str, size: Size) -> None:
    n_variables = len(part.mean)
    good = 0 < n_variables <= 64 and 1 <= part.order <= DEEPEST and (part.order + 1) ** n_variables <= MONOMIALS
    need(good, path, "is of an order or number of variables beyond all use")
    for values, rows in ((part.mean, n_variables), (part.central, len(exponents(n_variables, part.order)))):
        need(values.shape == (rows, size.cohorts), path, "has another shape")
    for counts in (part.n, part.rows, part.undefined):
        need(len(counts) == size.cohorts, path, "has another number of cohorts")
        _counts(counts, path)
    need(part.origin is None or len(part.origin) == n_variables, path, "has another origin")
    need(part.clusters is None or part.origin is not None or not len(part.clusters.cluster), path, "has no origin")
    if part.square is not None:
        need(part.square.square is None and part.square.clusters is None, path, "is nested")
        need(part.square.order == part.order and len(part.square.mean) == n_variables, path, "has other squares")
        squares = Size(size.cohorts, size.classes, np.full(size.cohorts, np.inf), np.full(size.cohorts, np.inf), True)
        _moments(part.square, f"{path}/square", squares)
    _clusters(part.clusters, path, size, 1, 1 + n_variables + len(pairs(n_variables)))
    _at_most(part.n, size.weight, path, "the weight")


def _bins(part: BinTally, path: str, size: Size) -> None:
    shape = (size.cohorts, len(part.edges) + 1)
    need(np.isfinite(part.edges).all() and (np.diff(part.edges) > 0).all(), path, "has edges that do not rise")
    for values, wanted in (
        (part.first, (2, *shape, 2)),
        (part.second, (3, *shape, 2)),
        (part.low, shape),
        (part.high, shape),
    ):
        need(values.shape == wanted, path, "has another shape")
    _counts(part.first, path)
    _counts(part.second, path)
    _about(part.first[0].sum(axis=(1, 2)), size.weight, path, "the weight")
    for sums in (part.first, part.second):  # scores lie in [0, 1]
        for less, more in itertools.pairwise(sums[::-1]):
            _at_most(less, more, path, "scores up to 1 allow")


def _extremes(part: ExtremeTally, path: str, size: Size) -> None:
    _same([len(part.low), len(part.high), len(part.undefined), size.cohorts], path)
    _counts(part.undefined, path)
    need(not (part.low > part.high).any(), path, "has a least value above the greatest")


def _rows(part: RowTally, path: str, size: Size) -> None:
    _offsets(part.offsets, size, path)
    _same([int(part.offsets[-1]), *(len(values) for values in part.columns.values())], path)
    weight = part.columns.get("sample_weight")
    if weight is None:
        _about(np.diff(part.offsets), size.n, path, "the rows")
    else:
        need(weight.dtype.kind in "fi", path, "has weights that are no numbers")
        _counts(weight, path)
        need(not part.frequency or (weight % 1 == 0).all(), path, "has fractions as numbers of rows")
    if part.frequency:
        need(weight is not None, path, "has no weights")
        assert weight is not None
        need(weight.sum() <= max(size.n.sum() * (1 + ROUNDING), 0), path, "stands for more rows than there are")


def _scores(part: ScoreTally, path: str, size: Size) -> None:
    _offsets(part.offsets, size, path)
    total = int(part.offsets[-1])
    if part.keys is not None:
        need(part.score is None and part.weight is None and part.cluster is None, path, "holds scores twice")
        need(part.keys.dtype == np.int64 and len(part.keys) == total, path, "has another number of scores")
        need(not total or part.keys.min() >= 0, path, "has scores outside [0, 2)")  # above 2, keys are below 0
        column: Array = part.keys
    else:
        need(part.score is not None and part.label is not None, path, "holds no scores")
        assert part.score is not None
        assert part.label is not None
        columns = [c for c in (part.score, part.label, part.weight, part.cluster) if c is not None]
        _same([total, *map(len, columns)], path)
        need(not np.isnan(part.score).any(), path, "has scores that are no numbers")
        column = part.score
    _sorted(column, part.offsets, path)
    if part.weight is not None:
        _counts(part.weight, path)
    if part.cluster is not None:
        need(part.cluster_labels is not None, path, "has clusters without names")
        assert part.cluster_labels is not None
        _codes(part.cluster, len(part.cluster_labels), path)
    if not size.weighted:
        _at_most(np.diff(part.offsets), size.n, path, "the rows")


def _sorted(column: Array, offsets: Array, path: str) -> None:
    if len(column) > 1:
        falls = np.flatnonzero(column[1:] < column[:-1]) + 1
        need(np.isin(falls, offsets).all(), path, "has scores that are not sorted")


def _units(part: UnitTally, path: str, size: Size) -> None:
    need(part.n_cohorts == size.cohorts, path, "has another number of cohorts")
    _clusters(part.sums, path, size, 1, 2)


def _joint(part: JointTally, path: str, size: Size) -> None:
    need((part.n_classes, part.n_cohorts) == (size.classes, size.cohorts), path, "has other classes or cohorts")
    columns: list[Array] = [part.cohort, part.y_true, *part.said, part.rows, part.weight, part.square]
    _same([len(column) for column in columns + ([] if part.cluster is None else [part.cluster])], path)
    _codes(part.cohort, size.cohorts, path)
    for column in columns[1:-3]:
        _codes(column, size.classes, path)
    for column in columns[-3:]:
        _counts(column, path)
    _about(np.bincount(part.cohort, part.rows, size.cohorts), size.n, path, "the rows")
    if part.cluster is not None:
        need(part.labels is not None, path, "has clusters without names")
        assert part.labels is not None
        _codes(part.cluster, len(part.labels), path)


def _joint_moments(part: JointMomentTally, path: str, size: Size) -> None:
    need(part.n_cohorts == size.cohorts and part.n_classes in (0, size.classes), path, "has other classes or cohorts")
    _same([len(part.cohort), len(part.y_true), part.moments.n_cohorts], path)
    _codes(part.cohort, size.cohorts, path)
    _codes(part.y_true, max(part.n_classes, 1), path)
    open_end = np.full(len(part.cohort), np.inf)
    _moments(part.moments, path, Size(len(part.cohort), size.classes, open_end, open_end, size.weighted))


CHECKS: dict[type, Callable[[Any, str, Size], None]] = {
    CellTally: _cells,
    ClassTally: _classes,
    ManyCells: _many,
    MomentTally: _moments,
    BinTally: _bins,
    ExtremeTally: _extremes,
    RowTally: _rows,
    ScoreTally: _scores,
    UnitTally: _units,
    JointTally: _joint,
    JointMomentTally: _joint_moments,
}


def _fit(part: Any, path: str, size: Size) -> None:
    need(type(part) in CHECKS, path, "is no part of its own")
    with np.errstate(over="ignore", invalid="ignore"):
        CHECKS[type(part)](part, path, size)

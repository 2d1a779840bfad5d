"""The cohorts of a tally as named arrays and back: texts, definitions, and which atoms each is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.cohorts import Cohorts, View, bins, period, quantiles, top
from dfevals.cohorts.axes import Axis
from dfevals.cohorts.definitions import MAX_COHORTS, Bins, Column, Definition, Period, Quantiles, Top
from dfevals.saved.parts import need
from dfevals.saved.plain import from_json, to_json

__all__ = ["read_cohorts", "write_cohorts"]

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
MAKERS: dict[str, Any] = {"bins": bins, "quantiles": quantiles, "period": period, "top": top}
PARTS: dict[type, tuple[str, ...]] = {
    Column: (),
    Bins: ("edges", "labels"),
    Quantiles: ("q",),
    Period: ("grain",),
    Top: ("k", "other"),
}


def write_cohorts(cohorts: Cohorts, arrays: Arrays) -> dict[str, Any]:
    """The description of cohorts; their arrays are added to `arrays`."""
    for i, texts in enumerate(cohorts.labels):
        arrays[f"cohorts/labels/{i}"] = _texts(texts)
    arrays["cohorts/expressions"] = _texts(cohorts.expressions)
    for i, view in enumerate(cohorts.views or ()):
        arrays[f"cohorts/views/{i}/cohorts"] = np.asarray(view.cohorts, np.int64)
        arrays[f"cohorts/views/{i}/positions"] = np.asarray(view.positions, np.int64)
    for i, axis in enumerate(cohorts.axes):
        arrays[f"cohorts/axes/{i}/levels"] = _texts(axis.levels)
        arrays[f"cohorts/axes/{i}/conditions"] = _texts(axis.conditions)
        arrays[f"cohorts/axes/{i}/codes"] = np.asarray(axis.codes, np.int64)
    return {
        "names": list(cohorts.names),
        "n_atoms": int(cohorts.n_atoms),
        "views": None if cohorts.views is None else len(cohorts.views),
        "cuts": to_json(tuple(cohorts.cuts)),
        "folded": bool(cohorts.folded),
        "notes": list(cohorts.notes),
        "axes": [{"definition": _definition(axis.definition), "cut": to_json(axis.cut)} for axis in cohorts.axes],
        "groups": [[_definition(d) for d in group] for group in cohorts.groups],
    }


def _texts(values: Sequence[Any] | Array) -> Array:
    out = np.empty(len(values), dtype=object)
    out[:] = [str(value) for value in values]
    return out


def _definition(definition: Definition) -> dict[str, Any]:
    parts = {name: to_json(getattr(definition, name)) for name in PARTS[type(definition)]}
    return {"kind": definition.kind, "column": to_json(definition.column), **parts}


def read_cohorts(described: Any, arrays: Mapping[str, Array]) -> Cohorts:
    """The cohorts of a description, checked: every cohort once, every atom where it can be."""
    names, n_atoms = tuple(described["names"]), described["n_atoms"]
    need(type(n_atoms) is int and n_atoms >= 0, "cohorts", "have no number of atoms")
    need(all(isinstance(name, str) for name in names) and len(set(names)) == len(names), "cohorts", "have no names")
    labels = tuple(_taken(arrays, f"cohorts/labels/{i}") for i in range(len(names)))
    written = _taken(arrays, "cohorts/expressions")
    size = len(labels[0]) if labels else 0
    need(size <= MAX_COHORTS and {len(column) for column in labels} <= {size}, "cohorts", "have no texts")
    need(len(written) == size, "cohorts", "have no expressions")
    views = None
    if described["views"] is None:
        need(size == n_atoms, "cohorts", "are not the atoms")
    else:
        views = tuple(_view(i, arrays, size, n_atoms) for i in range(described["views"]))
        held = np.sort(np.concatenate([view.cohorts for view in views] or [np.zeros(0, np.int64)]))
        need(np.array_equal(held, np.arange(size)), "cohorts", "are not each in one view")
    need(names or n_atoms == 1, "cohorts", "of all rows are several")
    axes = tuple(_axis(i, entry, arrays, n_atoms) for i, entry in enumerate(described["axes"]))
    need(len(axes) in (0, len(names)), "cohorts", "have definitions that are not theirs")
    cuts = from_json(described["cuts"])
    need(isinstance(cuts, tuple) and len(cuts) in (0, len(names)), "cohorts", "have cuts that are not theirs")
    groups = tuple(tuple(_made(entry) for entry in group) for group in described["groups"])
    notes = tuple(str(note) for note in described["notes"])
    expressions = [str(text) for text in written]
    codes = np.zeros(0, np.int8)
    folded = bool(described["folded"])
    return Cohorts(names, labels, codes, n_atoms, views, notes, expressions.__getitem__, cuts, folded, axes, groups)


def _taken(arrays: Mapping[str, Array], path: str, kind: str = "O") -> Array:
    need(path in arrays and arrays[path].ndim == 1 and arrays[path].dtype.kind == kind, path, "is missing")
    return arrays[path]


def _view(i: int, arrays: Mapping[str, Array], size: int, n_atoms: int) -> View:
    path = f"cohorts/views/{i}"
    cohorts, positions = (_taken(arrays, f"{path}/{name}", "i") for name in ("cohorts", "positions"))
    need(len(positions) == n_atoms, path, "has other atoms")
    need(len(cohorts) == 0 or (cohorts.min() >= 0 and cohorts.max() < size), path, "has other cohorts")
    need(len(positions) == 0 or (positions.min() >= -1 and positions.max() < len(cohorts)), path, "has other places")
    return View(cohorts, positions)


def _axis(i: int, entry: Any, arrays: Mapping[str, Array], n_atoms: int) -> Axis:
    path = f"cohorts/axes/{i}"
    levels, conditions = (_taken(arrays, f"{path}/{name}") for name in ("levels", "conditions"))
    codes = _taken(arrays, f"{path}/codes", "i")
    need(len(levels) == len(conditions) and len(codes) == n_atoms, path, "has other levels or atoms")
    need(len(codes) == 0 or (codes.min() >= 0 and codes.max() < len(levels)), path, "has other codes")
    texts = [str(text) for text in conditions]
    cut = from_json(entry["cut"])
    need(cut is None or isinstance(cut, tuple), path, "has no cut")
    return Axis(_made(entry["definition"]), levels, np.asarray(codes, np.int64), texts.__getitem__, cut)


def _made(entry: Any) -> Definition:
    """A definition through the function that users make it with, which checks it."""
    column = from_json(entry["column"])
    hash(column)
    if entry["kind"] == "values":
        return Column(column)
    maker = MAKERS[entry["kind"]]
    values = [from_json(value) for name, value in entry.items() if name not in ("kind", "column")]
    made: Definition = maker(column, *values)
    return made

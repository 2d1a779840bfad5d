"""A tally as bytes and back: `tally.save(path)`, `dfevals.load_tally(path)`."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.exceptions import DataError, DfevalsError
from dfevals.needs import (
    Cells,
    Classes,
    Extremes,
    Joint,
    JointMoments,
    Moments,
    Need,
    Rows,
    ScoreBins,
    Scores,
    Units,
    Values,
)
from dfevals.roles.declared import Model, Roles
from dfevals.roles.meaning import Meaning
from dfevals.saved.asked import read_need, read_request, wanted, write_need, write_request
from dfevals.saved.container import MAGIC, TRAILER, Damaged, pack, unpack
from dfevals.saved.divided import read_cohorts, write_cohorts
from dfevals.saved.parts import Size, need, read_part, write_part
from dfevals.saved.plain import from_json, to_json
from dfevals.saved.suppression import suppressed
from dfevals.tally import (
    BinTally,
    CellTally,
    ClassTally,
    ExtremeTally,
    JointMomentTally,
    JointTally,
    ManyCells,
    ModelTally,
    MomentTally,
    RowTally,
    ScoreTally,
    Tally,
    UnitTally,
)
from dfevals.version import __version__

__all__ = ["from_bytes", "is_tally", "load_tally", "read_meaning", "save", "to_bytes", "write_meaning", "write_whole"]

Array = npt.NDArray[Any]
MANY = 1 << 28  # classes × cohorts
TASKS = ("binary", "multiclass", "regression", "outcomes")
SUFFIX = ".tally"
PARTS: dict[type, tuple[type, ...]] = {
    Cells: (CellTally, ManyCells),
    Classes: (ClassTally,),
    Moments: (MomentTally,),
    Extremes: (ExtremeTally,),
    Scores: (ScoreTally,),
    ScoreBins: (BinTally,),
    Rows: (RowTally,),
    Values: (RowTally,),
    Units: (UnitTally,),
    Joint: (JointTally,),
    JointMoments: (JointMomentTally,),
}


def save(tally: Tally, path: str | os.PathLike[str], min_n: int | None = None, rows: bool = False) -> None:
    """Write a tally to a file; see `Tally.save`."""
    write_whole(Path(path), to_bytes(tally, min_n=min_n, rows=rows))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one step: a kill or a full disk leaves the old file or none, never half of one.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise DataError(f"{path} could not be written ({len(data):,} bytes): {error.strerror or error}.") from error


def load_tally(path: str | os.PathLike[str]) -> Tally:
    """Read a tally that `tally.save(path)` wrote.

    What a file says is checked before anything is computed from it; no code is run and nothing is unpickled.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    Tally

    Raises
    ------
    DataError
        There is no such file, it is no tally, truncated, changed, of a newer version, or contradicts itself; or it holds a
        metric of yours that is not registered here.

    Examples
    --------
    >>> import dfevals, tempfile, pathlib
    >>> df = dfevals.datasets.load("adult")
    >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "adult.tally"
    >>> ev.collect(["recall", "roc_auc"], by="sex").save(path)
    >>> dfevals.load_tally(path).metrics("recall").frame["value"].round(2).tolist()
    [0.66, 0.59, 0.67]
    """
    where = Path(path)
    try:
        data = where.read_bytes()
    except OSError as error:
        raise DataError(f"The tally {str(where)!r} cannot be read: {error.strerror or error}.") from error
    return from_bytes(data, repr(str(where)))


def is_tally(path: Path) -> bool:
    """Whether a path is a file that ends as a tally does, or is named as one."""
    try:
        if not path.is_file():
            return path.suffix == SUFFIX
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - TRAILER.size, 0))
            return path.suffix == SUFFIX or file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return False


def to_bytes(tally: Tally, *, min_n: int | None = None, rows: bool = False) -> bytes:
    """The bytes of a tally, as `save` writes them.

    Raises
    ------
    DataError
        It holds rows and `rows` is False, a metric without a name, or too few rows for `min_n`.
    """
    if min_n is not None:
        tally = suppressed(tally, min_n)
    _check_rows(tally, rows, min_n)
    outcomes = () if tally.meaning is None else tally.meaning.roles.outcomes
    arrays: dict[str, Array] = {}
    description = {
        "made_by": f"dfevals {__version__}",
        "task": tally.task,
        "labels": to_json(tuple(tally.labels)),
        "meaning": None if tally.meaning is None else write_meaning(tally.meaning),
        "context": to_json(tally.context),
        "cohorts": write_cohorts(tally.cohorts, arrays),
        "requests": [write_request(request, outcomes) for request in tally.requests],
        "models": [_write_model(f"models/{i}", [name], m, arrays) for i, (name, m) in enumerate(tally.models.items())],
        "together": [
            _write_model(f"together/{i}", list(names), m, arrays) for i, (names, m) in enumerate(tally.together.items())
        ],
    }
    return pack(description, arrays)


def _check_rows(tally: Tally, rows: bool, min_n: int | None) -> None:
    """Refuse to write rows that nobody asked to write."""
    every = [*tally.models.values(), *tally.together.values()]
    held = {need for part in every for need, found in part.parts.items() if isinstance(found, RowTally)}
    if not held or (rows and min_n is None):
        return
    names = [r.label for r in tally.requests if any(isinstance(n, Rows) for n in r.metric.needs)]
    raise DataError(
        f"This tally holds the rows themselves ({', '.join(map(repr, names)) or 'for a bootstrap'}), and a file of it would "
        "give them away. Collect without these metrics"
        + (", because save(min_n=) writes no rows." if rows else ", or write them all the same: save(path, rows=True).")
    )


def write_meaning(meaning: Meaning) -> dict[str, Any]:
    roles = meaning.roles
    try:
        text = roles.to_json()
    except DfevalsError:  # cohorts by masks have no form without the rows
        text = replace(roles, cohorts=()).to_json()
    models = [{k: to_json(v) for k, v in asdict(model).items()} for model in meaning.models]
    return {"roles": json.loads(text), "models": models, "reasons": list(meaning.reasons)}


def _write_model(path: str, names: list[str], part: ModelTally, arrays: dict[str, Array]) -> dict[str, Any]:
    for field in ("n", "weight", "weight_sq"):
        arrays[f"{path}/{field}"] = np.asarray(getattr(part, field), np.float64)
    parts = [
        {"need": write_need(need), "tally": write_part(found, f"{path}/parts/{j}", arrays)}
        for j, (need, found) in enumerate(part.parts.items())
    ]
    return {
        "names": names,
        "lost": [dict(reasons) for reasons in part.lost],
        "left": int(part.left),
        "dropped": dict(part.dropped),
        "rows_read": int(part.rows_read),
        "score_kind": part.score_kind,
        "parts": parts,
    }


# Reading


def from_bytes(data: bytes, what: str = "these bytes") -> Tally:
    """The tally of the bytes of `to_bytes`, checked as `load_tally` does; `what` names them in errors."""
    description, arrays = unpack(data, what)
    try:
        return _tally(description, arrays)
    except Damaged as error:
        raise Damaged(str(error).replace("This is", f"{what} is", 1)) from None
    except DataError:
        raise
    except (
        DfevalsError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise Damaged(f"{what} is no tally that can be used: {type(error).__name__}: {error}"[:400]) from None


def _tally(described: dict[str, Any], arrays: Mapping[str, Array]) -> Tally:
    task, labels = described["task"], from_json(described["labels"])
    need(task in TASKS, "the task", f"is {task!r:.60}")
    need(isinstance(labels, tuple) and len(set(labels)) == len(labels), "labels", "repeat")
    need(
        (len(labels) == 2) if task == "binary" else task == "multiclass" or not labels, "labels", "do not fit the task"
    )
    cohorts = read_cohorts(described["cohorts"], arrays)
    need(max(len(labels), 1) * max(cohorts.n_atoms, 1) <= MANY, "cohorts", "and classes are too many together")
    context = _context(described["context"])
    meaning = None if described["meaning"] is None else read_meaning(described["meaning"], task, labels)
    outcomes = () if meaning is None else meaning.roles.outcomes
    requests = tuple(read_request(entry, outcomes) for entry in described["requests"])
    weighted = context.get("weight_kind") is not None
    known: dict[Need, Need] = {}
    models: dict[str, ModelTally] = {}
    for i, entry in enumerate(described["models"]):
        for request in requests:
            known |= {n: n for n in wanted(request, len(labels), task, len(entry["parts"]))}
        [name] = entry["names"]
        need(isinstance(name, str) and name not in models, f"models/{i}", "has no name of its own")
        models[name] = _model(f"models/{i}", entry, arrays, cohorts.n_atoms, len(labels), weighted, known)
        for request in requests:
            lacking = [
                n for n in wanted(request, len(labels), task, len(entry["parts"])) if n not in models[name].parts
            ]
            need(not lacking, f"models/{i}", f"lacks what the metric {request.label!r:.80} needs")
    need(meaning is None or {m.name for m in meaning.models} == {*models}, "models", "are not those of the roles")
    together: dict[tuple[str, ...], ModelTally] = {}
    for i, entry in enumerate(described["together"]):
        names = tuple(entry["names"])
        need(
            {*names} <= {*models} and len({*names}) == len(names) > 1,
            f"together/{i}",
            "is of models that are not there",
        )
        together[names] = _model(f"together/{i}", entry, arrays, cohorts.n_atoms, len(labels), weighted, known)
    return Tally(cohorts, models, task, labels, requests, context, together, meaning)


def _context(described: Any) -> dict[str, Any]:
    context = from_json(described)
    need(isinstance(context, dict) and isinstance(context.get("models", {}), dict), "the context", "is none")
    need(context.get("weight_kind") in (None, "importance", "frequency"), "the context", "has another kind of weight")
    need(all(isinstance(note, str) for note in context.get("notes", ())), "the context", "has notes that are no text")
    counts = [*context.get("incomplete", {}).values(), context.get("rows", 0)]
    need(all(type(n) is int and n >= 0 for n in counts), "the context", "has counts that are none")
    for about in context.get("models", {}).values():
        cut = about.get("threshold")
        need(cut is None or type(cut) in (int, float), "the context", "has a threshold that is no number")
        need(type(about.get("unbalanced", 0)) is int, "the context", "has counts that are none")
        need(isinstance(about.get("doubt", ""), str), "the context", "has doubts that are no text")
    return context


def read_meaning(described: Any, task: str, labels: tuple[Any, ...]) -> Meaning:
    roles = Roles.from_json(json.dumps(described["roles"]))
    models = tuple(Model(**{str(k): from_json(v) for k, v in entry.items()}) for entry in described["models"])
    for model in models:
        need(isinstance(model.name, str) and isinstance(model.y_score, tuple), "models", "have no names")
        hash(model)
    need(all(isinstance(text, str) for text in described["reasons"]), "reasons", "are no texts")
    return Meaning(roles, task, labels, models, tuple(described["reasons"]))


def _model(
    path: str,
    entry: Any,
    arrays: Mapping[str, Array],
    n_atoms: int,
    n_classes: int,
    weighted: bool,
    known: Mapping[Need, Need],
) -> ModelTally:
    sums = [arrays[f"{path}/{name}"] for name in ("n", "weight", "weight_sq")]
    for values in sums:
        need(values.shape == (n_atoms,) and values.dtype == np.float64, path, "has another number of cohorts")
        need(np.isfinite(values).all() and (values >= 0).all(), path, "counts fewer rows than none")
    dropped, rows_read, kind = entry["dropped"], entry["rows_read"], entry["score_kind"]
    need(type(rows_read) is int and rows_read >= 0, path, "has read no number of rows")
    need(all(type(n) is int and n >= 0 for n in dropped.values()), path, "left out no number of rows")
    need(sum(dropped.values()) <= rows_read, path, "left out more rows than it read")
    lost, left = entry["lost"], entry["left"]
    need(all(type(n) is int and n >= 0 for found in lost for n in found.values()), path, "lost no number of rows")
    need(type(left) is int and left >= 0 and len(lost) in (0, len(entry["names"])), path, "lost no number of rows")
    need(kind in (None, "probability", "margin", "unclear"), path, "has scores of an unknown kind")
    size = Size(n_atoms, n_classes, sums[0], sums[1], weighted)
    parts: dict[Need, Any] = {}
    for j, part in enumerate(entry["parts"]):
        asked = read_need(part["need"])
        asked = known.get(asked, asked)
        need(asked not in parts, path, "holds a part twice")
        parts[asked] = read_part(part["tally"], f"{path}/parts/{j}", arrays, size)
        _check_kind(asked, parts[asked], f"{path}/parts/{j}", n_classes, len(entry["names"]))
    reasons = tuple({str(k): n for k, n in found.items()} for found in lost)
    left_out = {str(k): n for k, n in dropped.items()}
    return ModelTally(sums[0], sums[1], sums[2], parts, left_out, rows_read, kind, reasons, left)


def _check_kind(asked: Need, part: Any, path: str, n_classes: int, n_models: int) -> None:
    """Refuse a part that is not what its need says."""
    need(isinstance(part, PARTS[type(asked)]), path, "is not what its need says")
    if isinstance(part, JointTally):
        need(len(part.said) == n_models, path, "is of another number of models")
    if isinstance(asked, JointMoments):
        need((len(part.moments.mean), part.moments.order) == (n_models, asked.order), path, "has other moments")
    if isinstance(asked, Moments):
        need(
            (len(asked.functions), asked.order) == (len(part.mean), part.order), path, "has other moments than its need"
        )
    elif isinstance(asked, ScoreBins):
        need(np.array_equal(part.edges, np.asarray(asked.edges, float)), path, "has other bins than its need")
    elif isinstance(asked, Values):
        names = {f"value {i}" for i in range(len(asked.functions))}
        need(names <= {*part.columns}, path, "lacks values")
        need(all(part.columns[name].dtype.kind in "fiub" for name in names), path, "has values that are no numbers")
    elif isinstance(asked, Rows):
        need({*asked.names} - {"y_pred"} <= {*part.columns}, path, "lacks columns")
        scores = part.columns.get("y_score")
        need(scores is None or scores.ndim == 1 or scores.shape[1:] == (n_classes,), path, "has other scores")

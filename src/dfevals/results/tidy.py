"""The one maker of tidy frames: cohort columns, the overall row in front, counts as whole numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.cohorts import Cohorts

__all__ = ["COUNTS", "OVERALL", "Piece", "cohort_names", "tidy"]

Ints = npt.NDArray[np.int64]
OVERALL = "(overall)"
COUNTS = {"n", "n_pos", "n_neg", "tp", "fp", "fn", "tn", "rank", "count", "reverse", "contacts", "responses"}


@dataclass(frozen=True)
class Piece:
    """Rows of a result: the model, the class, the place of each row's cohort, and columns of equal length."""

    model: str
    label: Any
    place: Ints
    columns: Mapping[str, Any]


def tidy(cohorts: Cohorts, pieces: Sequence[Piece]) -> pd.DataFrame:
    """One frame of all pieces: by model, class and cohort (overall first), rows within them as they come."""
    models = {name: i for i, name in enumerate(dict.fromkeys(piece.model for piece in pieces))}
    classes = {name: i for i, name in enumerate(dict.fromkeys(str(piece.label) for piece in pieces))}
    place = np.concatenate([piece.place for piece in pieces]).astype(np.int64)
    size = [len(piece.place) for piece in pieces]
    model = np.repeat([models[piece.model] for piece in pieces], size)
    label = np.repeat([classes[str(piece.label)] for piece in pieces], size)
    joint = (model * len(classes) + label) * (cohorts.n_cohorts + 1) + place
    sorted_ = len(joint) < 2 or bool((joint[1:] >= joint[:-1]).all())
    order = slice(None) if sorted_ else np.argsort(joint, kind="stable")
    own = pieces[0].columns
    columns: dict[str, Any] = {}
    for name, labels in zip(cohort_names(cohorts, own), cohorts.labels, strict=True):
        columns[name] = _texts([OVERALL, *labels], place[order])
    columns["model"] = _texts(list(models), model[order])
    if any(piece.label is not None for piece in pieces):
        columns["class"] = _texts(list(classes), label[order])
    for name in own:
        values = np.concatenate([np.asarray(piece.columns[name]) for piece in pieces])[order]
        columns[name] = _whole(values) if name in COUNTS else values
        if columns[name].dtype.kind == "O":  # few texts, many rows
            codes, texts = pd.factorize(columns[name])
            columns[name] = _texts(list(texts), codes)
    columns["is_overall"] = place[order] == 0
    return pd.DataFrame(columns)


def cohort_names(cohorts: Cohorts, taken: Iterable[str]) -> tuple[str, ...]:
    """Cohort columns of a frame with these columns of its own, which keep their names."""
    used = set(taken)
    return tuple(f"by_{name}" if name in used else name for name in cohorts.names)


def _texts(texts: Sequence[Any], codes: Ints) -> Any:
    return pd.Series([str(text) for text in texts]).array.take(codes)


def _whole(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Counts as integers where they are whole."""
    known = bool(np.isfinite(values).all()) and bool((values % 1 == 0).all())
    return values.astype(np.int64) if known else values

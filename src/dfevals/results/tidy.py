"""The one maker of tidy frames: cohort columns and their names, the overall row in front, titles, rows left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.cohorts import Cohorts
from dfevals.columns.codes import OVERALL
from dfevals.exceptions import MetricError, check_choice

__all__ = [
    "OVERALL",
    "Piece",
    "as_texts",
    "by_title",
    "cohort_names",
    "drawn_models",
    "first_of",
    "framed",
    "left_out",
    "tidy",
    "tidy_all",
    "whole",
]

Ints = npt.NDArray[np.int64]
COUNTS = {"n", "n_pos", "n_neg", "tp", "fp", "fn", "tn", "rank", "count", "reverse", "contacts", "responses"}
EVERY = frozenset(("model", "class", "metric", "is_overall"))  # columns that any frame may have
EXACT = 2**53  # whole numbers up to here are exact as floats


def drawn_models(known: Sequence[str], asked: str | Sequence[str] | None, ax: object) -> list[str]:
    """The models that a chart draws: those asked for, else all, or the first where one `ax` is to hold it."""
    if asked is None:
        return list(known) if ax is None else list(known[:1])
    chosen = [asked] if isinstance(asked, str) else list(asked)
    for name in chosen:
        check_choice("model", name, tuple(known), MetricError)
    return chosen


def first_of(names: Sequence[Any], chosen: Any, asked: Any) -> str:
    """Which of several models a chart shows, and that there are more where none was asked for; empty for the only one."""
    if len(names) <= 1:
        return ""
    return str(chosen) if asked is not None else f"{chosen} (first of {len(names)} models)"


def framed(
    cohorts: Cohorts, place: npt.NDArray[Any], columns: Mapping[str, Any], names: Sequence[str] | None = None
) -> pd.DataFrame:
    """A tidy frame: cohort columns in front, then these, then `is_overall` where it is not among them.

    Parameters
    ----------
    cohorts : Cohorts
    place : array of int
        The cohort of every row; 0 is overall.
    columns : mapping
        The frame's own columns, in order.
    names : sequence of str, optional
        Names of the cohort columns; those of `cohort_names` when absent.
    """
    names = cohort_names(cohorts, columns) if names is None else names
    found = {name: as_texts([OVERALL, *labels], place) for name, labels in zip(names, cohorts.labels, strict=True)}
    overall = {} if "is_overall" in columns else {"is_overall": place == 0}
    return pd.DataFrame({**found, **columns, **overall})


def cohort_names(cohorts: Cohorts, taken: Iterable[str]) -> tuple[str, ...]:
    """Cohort columns of a frame with these columns of its own, which keep their names: the others get the prefix `by_`."""
    return renamed(cohorts.names, taken)


def renamed(names: Iterable[str], taken: Iterable[str]) -> tuple[str, ...]:
    """Names that are none of those taken, by the prefix `by_`."""
    used, found = {*taken, *EVERY}, []
    names = list(names)
    for i, name in enumerate(names):
        while name in used or (name != names[i] and name in names[i + 1 :]):
            name = f"by_{name}"
        used.add(name)
        found.append(name)
    return tuple(found)


@dataclass(frozen=True)
class Piece:
    """Rows of a result: the model, the class, the place of each row's cohort, and columns of equal length."""

    model: str
    label: Any
    place: Ints
    columns: Mapping[str, Any]


def tidy_all(
    cohorts: Cohorts, parts: Mapping[str, Sequence[Piece]]
) -> tuple[dict[str, pd.DataFrame | None], tuple[str, ...]]:
    """The frames of a result, None for one without pieces, and their cohort columns: the same names in all of them."""
    names = cohort_names(cohorts, (name for pieces in parts.values() for piece in pieces for name in piece.columns))
    return {key: tidy(cohorts, pieces, names) if pieces else None for key, pieces in parts.items()}, names


def tidy(cohorts: Cohorts, pieces: Sequence[Piece], names: Sequence[str] | None = None) -> pd.DataFrame:
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
    columns: dict[str, Any] = {"model": as_texts(list(models), model[order])}
    if any(piece.label is not None for piece in pieces):
        columns["class"] = as_texts(list(classes), label[order])
    for name in pieces[0].columns:
        values = np.concatenate([np.asarray(piece.columns[name]) for piece in pieces])[order]
        columns[name] = whole(values) if name in COUNTS else values
        if columns[name].dtype.kind == "O":  # few texts, many rows
            codes, texts = pd.factorize(columns[name])
            columns[name] = as_texts(list(texts), codes)
    return framed(cohorts, place[order], columns, names)


def by_title(title: str, cohorts: Cohorts) -> str:
    """The title of a result, with its cohorts."""
    return f"{title} by {', '.join(cohorts.names)}" if cohorts.n_cohorts else title


def left_out(name: str, dropped: Mapping[str, int]) -> list[str]:
    """The sentence about rows of a model that could not be judged; none where there are none."""
    total = sum(dropped.values())
    if not total:
        return []
    reasons = "; ".join(f"{count:,} {reason}" for reason, count in dropped.items() if count)
    return [f"{name}: {total:,} row{'s' * (total != 1)} left out: {reasons}."]


def as_texts(texts: Sequence[Any], codes: npt.NDArray[Any]) -> Any:
    """Text column from codes, in the frame's own text dtype (checked once per text, not per row)."""
    return pd.Series([str(text) for text in texts]).array.take(codes)


def whole(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Counts as integers where they are whole."""
    known = bool(np.isfinite(values).all()) and bool((values % 1 == 0).all() and (np.abs(values) <= EXACT).all())
    return values.astype(np.int64) if known else values

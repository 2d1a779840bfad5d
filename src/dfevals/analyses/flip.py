"""What a model would say of the same people with another value of an attribute (`ev.flip`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals import render
from dfevals.analyses.metrics import measure
from dfevals.cohorts import resolve
from dfevals.exceptions import CohortError, DataError, MetricError, check_choice, did_you_mean
from dfevals.inference.levels import check_level
from dfevals.render.plain_tables import plain_table
from dfevals.results.result import Result
from dfevals.results.tidy import renamed
from dfevals.roles.bound import Bound, bind
from dfevals.roles.declared import Outcome, Roles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FlipResult", "flip"]

Floats = npt.NDArray[np.float64]
SWAPPED = "(swapped)"
MOST_VALUES = 20
KEPT = ("sample_weight", "weight_kind", "cluster", "unit", "repeat", "id")
OWN = (
    *("to", "changed", "changed_low", "changed_high", "raised", "lowered"),
    *("score_change", "score_change_low", "score_change_high", "n", "note"),
)
SHOWN = ("to", "before", "after")
SHARES = ("changed", "raised", "lowered")


class FlipResult(Result):
    """Share of rows whose decision changes; `frame` has cohort columns, `to, changed, changed_low, changed_high, raised, lowered,
    score_change, score_change_low, score_change_high, n, note, is_overall`.

    `raised` are decisions that become positive (predictions that rise, in a regression), `lowered` the others; `score_change`
    is the mean score after less before, of the same rows.
    """

    def __init__(self, frame: pd.DataFrame, rows: pd.DataFrame, **described: Any) -> None:
        super().__init__(frame, **described)
        self._rows = rows

    @property
    def rows(self) -> pd.DataFrame:
        """Rows whose decision changes, with the columns `to`, `before` and `after`."""
        return self._rows.copy()

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """Shares and changes with their intervals."""
        del width
        shown = self._frame if (self._frame["note"] != "").any() else self._frame.drop(columns="note")
        return plain_table(
            shown, title=self.title, notes=self.notes, cohort_columns=self.cohort_columns, max_rows=max_rows
        )

    def plot(self, kind: str = "changed", *, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the share of changed decisions, or the change of the score, by cohort.

        Parameters
        ----------
        kind : {"changed", "score"}
        ax : Axes, optional
        """
        from dfevals.plots import forest

        check_choice("kind", kind, ("changed", "score"), MetricError)
        name = "changed" if kind == "changed" else "score_change"
        moved = {name: "value", f"{name}_low": "ci_low", f"{name}_high": "ci_high"}
        part = self._frame[[*self.cohort_columns, "to", *moved, "n", "note", "is_overall"]].rename(columns=moved)
        several = part["to"].nunique() > 1
        part = part.assign(metric=f"{name.replace('_', ' ')} of flipped rows", model=part["to"] if several else "")
        return forest.draw(part, ax, cohort_columns=self.cohort_columns, level=self._level, **options)


@dataclass(frozen=True)
class _Said:
    """What the model says of rows: decisions, and the score where there is one (NaN else)."""

    decision: npt.NDArray[Any]
    score: Floats


@dataclass(frozen=True)
class _Model:
    """How the user's function is asked and what its answers mean."""

    predict: Callable[[pd.DataFrame], Any]
    features: Sequence[str] | None
    bound: Bound
    threshold: float

    def __call__(self, frame: pd.DataFrame, what: str) -> _Said:
        """What it says of these rows.

        Raises
        ------
        DataError
            It fails, or answers with another number of rows.
        """
        given = frame if self.features is None else frame[list(self.features)]
        try:
            answer = np.asarray(self.predict(given.copy()))
        except Exception as error:
            raise DataError(
                f"predict failed on {len(frame):,} rows {what}: {type(error).__name__}: {str(error)[:200]}. It is called with "
                "a frame of the evaluation's columns; features=[…] chooses those of the model."
            ) from error
        if answer.ndim == 0 or len(answer) != len(frame):
            found = "a single value" if answer.ndim == 0 else f"{len(answer):,} values"
            raise DataError(
                f"predict returned {found} for {len(frame):,} rows {what}; it must return one for each row."
            )
        return self._read(answer)

    def _read(self, answer: npt.NDArray[Any]) -> _Said:
        bound = self.bound
        if answer.ndim > 2 or (answer.ndim == 2 and bound.task == "regression" and answer.shape[1] != 1):
            raise DataError(
                f"predict returned an array of shape {answer.shape}; it must be one value, or one score per class, for each row."
            )
        if answer.ndim == 2 and answer.shape[1] == 1:
            answer = answer[:, 0]
        if answer.ndim == 2:
            return self._of_classes(answer.astype(float))
        none = np.full(len(answer), np.nan)
        labels = {str(label): i for i, label in enumerate(bound.labels)}
        if bound.classifies and (answer.dtype.kind not in "fiu" or set(map(str, np.unique(answer))) <= labels.keys()):
            texts = [str(value) for value in answer]
            unknown = next((text for text in texts if text not in labels), None)
            if unknown is not None:
                raise DataError(
                    f"predict returned {unknown!r}, which is no label. {did_you_mean(unknown, list(labels), noun='Labels')}"
                )
            return _Said(np.array([labels[text] for text in texts]), none)
        score = answer.astype(float)
        if np.isnan(score).any():
            raise DataError(
                f"predict returned {int(np.isnan(score).sum()):,} missing values; leave out rows that it cannot judge by ev.where(…)."
            )
        return _Said(score if bound.task == "regression" else (score >= self.threshold).astype(int), score)

    def _of_classes(self, scores: Floats) -> _Said:
        """Scores of every class: in a binary task that of the positive one, else the greatest."""
        classes = getattr(getattr(self.predict, "__self__", None), "classes_", self.bound.labels)
        if len(classes) != scores.shape[1]:
            raise DataError(
                f"predict returned {scores.shape[1]} scores for each row, and there are {len(classes)} classes."
            )
        if np.isnan(scores).any():
            raise DataError("predict returned missing scores; leave out rows that it cannot judge by ev.where(…).")
        if self.bound.task != "binary":
            return _Said(scores.argmax(axis=1), np.full(len(scores), np.nan))
        place = [str(label) for label in classes].index(str(self.bound.pos_label))
        return _Said((scores[:, place] >= self.threshold).astype(int), scores[:, place])


def flip(
    bound: Bound,
    column: str,
    predict: Callable[[pd.DataFrame], Any],
    by: Any = None,
    *,
    values: Sequence[Any] | Mapping[Any, Any] | None = None,
    features: Sequence[str] | None = None,
    model: str | None = None,
    level: float = 0.95,
    min_n: int | None = None,
    provenance: Any = None,
) -> FlipResult:
    """Decisions and scores of the same rows with other values of a column; see `Evaluation.flip`.

    Raises
    ------
    CohortError, DataError
        There is no such column, it has one value or too many, or `predict` fails.
    """
    check_level(level)
    if bound.task not in ("binary", "multiclass", "regression"):
        raise MetricError(f"Flips are about predictions, and this evaluation is {bound.task}.")
    frame = bound.frame
    if bound.roles.model is not None and bound.models:  # a long frame has every row once for each model
        frame = frame[(frame[bound.roles.model].astype(str) == bound.models[0].name).to_numpy()]
    if column not in frame.columns:
        raise CohortError(
            f"There is no column {column!r}. {did_you_mean(column, list(map(str, frame.columns)), noun='Columns')}"
        )
    missing = frame[column].isna().to_numpy()
    kept = frame[~missing]
    asked = _Model(predict, _features(predict, features), bound, _threshold(bound, model))
    before = asked(kept, "as they are")
    parts = [_part(kept, column, to, before, asked, bound) for to in _targets(kept[column], values)]
    pieces, notes = [], []
    for to, rows, moved in parts:
        found = _measured(rows, moved, by if by is not None else column, bound, level, min_n)
        pieces.append(_piece(found.frame, to, found.cohort_columns))
        notes += [note for note in found.notes if note not in notes and "No flags" not in note]
    if missing.any():
        notes.append(f"{int(missing.sum()):,} rows without a value of {column!r} are left out.")
    names = renamed(SHOWN, map(str, kept.columns))
    changed = [
        rows.assign(**{new: moved[name].to_numpy() for name, new in zip(SHOWN, names, strict=True)})[
            moved["changed"].to_numpy(bool)
        ]
        for _, rows, moved in parts
    ]
    result = FlipResult(
        pd.concat(pieces, ignore_index=True),
        pd.concat(changed),
        provenance=provenance,
        title=f"Flips of {column}",
        notes=["The same rows before and after, so the intervals are of paired differences.", *notes],
        cohort_columns=renamed(found.cohort_columns, OWN),
    )
    result._level = level
    return result


def _threshold(bound: Bound, model: str | None) -> float:
    """The cut of the model, of the roles, or one half."""
    if not bound.classifies or bound.task != "binary":
        return 0.5
    if bound.roles.threshold is not None:
        return float(bound.roles.threshold)
    chosen = bound.models[0] if model is None and bound.models else (bound.model(model) if model is not None else None)
    return bound.threshold(chosen) if chosen is not None and chosen.y_score else 0.5


def _features(predict: Any, features: Sequence[str] | None) -> Sequence[str] | None:
    """Columns that the model was fitted on, where it knows them."""
    if features is not None:
        return [features] if isinstance(features, str) else list(features)
    known = getattr(getattr(predict, "__self__", None), "feature_names_in_", None)
    return None if known is None else list(known)


def _targets(column: pd.Series, values: Any) -> list[tuple[str, dict[Any, Any]]]:
    """The new values: two are swapped; of several each is given to all other rows; or a mapping from old to new."""
    found = list(pd.unique(column))
    if isinstance(values, Mapping):
        unknown = next((value for value in values if value not in found), None)
        if unknown is not None:
            raise CohortError(
                f"No row has the value {unknown!r}. {did_you_mean(str(unknown), list(map(str, found)), noun='Values')}"
            )
        return [(SWAPPED if set(values) == set(values.values()) else "(as mapped)", dict(values))]
    if len(found) < 2 and values is None:
        raise CohortError(
            f"{column.name!r} has {'one value' if found else 'no values'}, so there is nothing to flip. Pass values=[…]."
        )
    if values is None and len(found) > MOST_VALUES:
        raise CohortError(
            f"{column.name!r} has {len(found):,} values, too many to flip to each. Pass values=[…], or a mapping from old to new values."
        )
    if values is None and len(found) == 2:
        return [(SWAPPED, {found[0]: found[1], found[1]: found[0]})]
    wanted = sorted(found, key=str) if values is None else list(values)
    return [(str(to), {old: to for old in found if old != to}) for to in wanted]


def _part(
    kept: pd.DataFrame, column: str, target: tuple[str, dict[Any, Any]], before: _Said, asked: _Model, bound: Bound
) -> tuple[str, pd.DataFrame, pd.DataFrame]:
    """Rows that get a new value, and what changes."""
    to, mapping = target
    at = np.flatnonzero(kept[column].isin(list(mapping)).to_numpy())
    rows = kept.iloc[at]
    new = rows[column].map(mapping)
    if rows[column].dtype != new.dtype:
        new = new.astype(rows[column].dtype) if set(mapping.values()) <= set(kept[column]) else new
    after = asked(rows.assign(**{column: new}), f"with {column!r} flipped to {to}")
    first, score = before.decision[at], after.score - before.score[at]
    # how far the outcome moves: a decision for or against the positive class, or the prediction itself
    sign = np.sign(after.decision - first) if bound.task != "multiclass" else np.zeros(len(at))
    names: Any = np.array(bound.labels, dtype=object) if bound.classifies else None
    shown = [values if names is None else names[values.astype(int)] for values in (first, after.decision)]
    columns = {"to": to, "before": shown[0], "after": shown[1], "changed": after.decision != first}
    columns |= {"raised": sign > 0, "lowered": sign < 0, "score_change": score}
    return to, rows, pd.DataFrame(columns, index=rows.index)


def _measured(rows: pd.DataFrame, moved: pd.DataFrame, by: Any, bound: Bound, level: float, min_n: int | None) -> Any:
    """Shares and the mean change with intervals, which honour weights and clusters."""
    numbers = list(SHARES) if moved["score_change"].isna().all() else [*SHARES, "score_change"]
    names = dict(zip(numbers, renamed(numbers, map(str, rows.columns)), strict=True))
    outcomes = tuple(Outcome(new, kind="pass" if name in SHARES else "score") for name, new in names.items())
    metrics = [f"{new}_{'pass_rate' if name in SHARES else 'mean'}" for name, new in names.items()]
    roles = replace(Roles(outcomes=outcomes), **{name: getattr(bound.roles, name) for name in KEPT})
    both = rows.assign(**{new: moved[name].to_numpy() for name, new in names.items()})
    found = measure(bind(both, roles), resolve(by, rows, min_n=min_n), metrics, ci=level)
    found._frame["metric"] = found._frame["metric"].map(dict(zip(metrics, names, strict=True)))
    return found


def _piece(frame: pd.DataFrame, to: str, cohort_columns: Sequence[str]) -> pd.DataFrame:
    """One row per cohort, the metrics beside each other."""
    parts = {str(name): part.reset_index(drop=True) for name, part in frame.groupby("metric", sort=False)}
    changed = parts["changed"]
    names = renamed(cohort_columns, OWN)
    out = changed[list(cohort_columns)].set_axis(names, axis=1)
    out["to"] = to
    for name, low, high in (("value", "changed", ""), ("ci_low", "changed_low", ""), ("ci_high", "changed_high", "")):
        out[low + high] = changed[name]
    for name in ("raised", "lowered"):
        out[name] = parts[name]["value"]
    moved = parts.get("score_change")
    for name, column in (("value", "score_change"), ("ci_low", "score_change_low"), ("ci_high", "score_change_high")):
        out[column] = np.nan if moved is None else moved[name]
    return out.assign(n=changed["n"], note=changed["note"], is_overall=changed["is_overall"])

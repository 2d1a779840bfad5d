"""Tables of tidy frames: which rows and columns are shown, and in which layout."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dfevals import render
from dfevals.plots import labels

__all__ = ["Grid", "metrics_table", "plain_table"]

_ESTIMATES_ABREAST = 6
_INTERVALS_ABREAST = 3
_FOOTNOTES = 6


@dataclass(frozen=True)
class Grid:
    """Where each number of a metrics frame stands: cohorts (and classes) × (metric, model).

    Attributes
    ----------
    key_columns : tuple of str
        Columns that name a row.
    first : array of int, one per row
        Position in the frame of the row's first number.
    metrics, models : list of str
        In order of appearance.
    at : array of int, rows × metrics × models
        Position in the frame, -1 where there is no number.
    """

    key_columns: tuple[str, ...]
    first: np.ndarray
    metrics: list[str]
    models: list[str]
    at: np.ndarray

    @classmethod
    def of(cls, frame: pd.DataFrame, cohort_columns: Sequence[str]) -> Grid:
        """The grid of a metrics frame, in the frame's own order."""
        keys = (*cohort_columns, *(name for name in ("class",) if name in frame.columns))
        codes, first = _codes(frame, keys)
        metric, metrics = _levels(frame, "metric")
        model, models = _levels(frame, "model")
        at = np.full((len(first), len(metrics), len(models)), -1, dtype=np.intp)
        at[codes, metric, model] = np.arange(len(frame))
        return cls(keys, first, metrics, models, at)

    def __len__(self) -> int:
        return len(self.first)

    def wide(self, frame: pd.DataFrame, values: str) -> pd.DataFrame:
        """`values` spread over metrics (and models)."""
        at = self.at.reshape(len(self), len(self.metrics) * len(self.models))
        source = _interval_texts(frame) if values == "interval" else frame[values]
        columns: pd.Index = pd.Index(self.metrics, name=None)
        if len(self.models) > 1:
            columns = pd.MultiIndex.from_product([self.metrics, self.models], names=["metric", "model"])
        spread = {
            place: source.take(np.maximum(at[:, place], 0)).mask(at[:, place] < 0) for place in range(at.shape[1])
        }
        if (at >= 0).all():
            spread = {place: source.take(at[:, place]) for place in range(at.shape[1])}
        wide = pd.DataFrame({place: part.array for place, part in spread.items()})
        wide.columns = columns
        wide.index = self._index(frame)
        return wide

    def _index(self, frame: pd.DataFrame) -> pd.Index:
        if not self.key_columns:
            return pd.Index(["(overall)"] * len(self), name="cohort")
        keys = frame[list(self.key_columns)].take(self.first)
        index: pd.Index = pd.MultiIndex.from_frame(keys)
        return index.get_level_values(0) if len(self.key_columns) == 1 else index


def metrics_table(
    frame: pd.DataFrame,
    grid: Grid,
    *,
    flags: np.ndarray | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    level: float | None = 0.95,
    dropped: Mapping[str, int] | None = None,
    better: Mapping[str, str] | None = None,
    max_rows: int = 60,
    width: int | None = None,
) -> render.Table:
    """The table of a metrics result.

    Up to six estimates stand side by side, one row per cohort. Beyond that, or where `width` characters do not hold
    them, there is one row per cohort and metric, and the models stand side by side (or, if many, below each other).
    """
    if not len(grid):
        return plain_table(frame, title=title, notes=notes)
    wide = len(grid.metrics) * len(grid.models) <= _ESTIMATES_ABREAST
    for layout in (_Wide, _Long, _Longest)[0 if wide else 1 :]:
        view = layout(frame, grid, flags, better or {}, max_rows)
        table = view.table(title, _detail(frame, grid, level, dropped or {}), notes, level)
        if view.fits and (width is None or table.width <= width):
            break
    return table


class _Wide:
    """One row per cohort; columns are metrics, and models within a metric."""

    def __init__(
        self, frame: pd.DataFrame, grid: Grid, flags: np.ndarray | None, better: Mapping[str, str], max_rows: int
    ) -> None:
        self.grid, self.better = grid, better
        self.shown, self.total = min(len(grid), max(max_rows, 1)), len(grid)
        at = grid.at[: self.shown]
        self.rows = frame.take(np.maximum(at.reshape(-1), 0))
        self.missing = (at < 0).reshape(-1)
        self.overall = _overall(frame, grid)
        self.shape = at.shape
        self.values = {name: self._numbers(name) for name in ("value", "ci_low", "ci_high", "n", "support")}
        self.notes = self._texts("note")
        self.flags = self._flags(flags, at)
        self.keys = [(name, frame[name].take(grid.first[: self.shown]).tolist()) for name in grid.key_columns]
        is_overall = frame["is_overall"].to_numpy(dtype=bool) if "is_overall" in frame else np.zeros(len(frame), bool)
        self.is_overall = is_overall[grid.first[: self.shown]]
        sure = np.where(self.flags == "too few", np.nan, 1.0)
        self.axes = _axes({name: self.values[name] * sure for name in ("value", "ci_low", "ci_high")}, self.shape)
        self.count_in_detail = len(grid) == 1 and bool(np.ptp(self.values["n"]) == 0)

    fits = True

    def _numbers(self, name: str) -> np.ndarray:
        if name not in self.rows:
            return np.full(self.shape, np.nan)
        numbers = self.rows[name].to_numpy(dtype=float, na_value=np.nan).copy()
        numbers[self.missing] = np.nan
        return numbers.reshape(self.shape)

    def _texts(self, name: str) -> np.ndarray:
        if name not in self.rows:
            return np.full(self.shape, "", dtype=object)
        texts = self.rows[name].to_numpy(dtype=object, copy=True)
        texts[self.missing | self.rows[name].isna().to_numpy()] = ""
        return texts.reshape(self.shape)

    def _flags(self, flags: np.ndarray | None, at: np.ndarray) -> np.ndarray:
        given = np.full(self.shape, "", dtype=object) if flags is None else np.where(at < 0, "", flags[at])
        few = np.array(["too few" in str(note) for note in self.notes.reshape(-1)], dtype=bool).reshape(self.shape)
        return np.where(few, "too few", given)

    def table(self, title: str, detail: str, notes: Sequence[str], level: float | None) -> render.Table:
        """The table with its caption and notes."""
        columns, apart = self.columns()
        return render.Table(
            columns,
            title=title,
            detail=detail,
            notes=[*notes, *self._footnotes(level)],
            apart=frozenset(apart) if len(self.grid) > 1 else frozenset(),
            more=_more(self.total - self.shown, "cohort" if self.keys else "row"),
        )

    def columns(self) -> tuple[list[render.Column], list[int]]:
        """The columns, and which rows are overall."""
        metrics, models = self.grid.metrics, self.grid.models
        columns = [render.text_column(name, values, header=True) for name, values in self.keys]
        if not self.count_in_detail:
            columns.append(self._count_column(self.values["n"].reshape(self.shown, -1)))
        for m, metric in enumerate(metrics):
            for k, model in enumerate(models):
                several = len(models) > 1
                columns.append(
                    self.estimate(
                        model if several else self.heading(metric),
                        (slice(None), m, k),
                        group=self.heading(metric) if several else "",
                        abreast=len(metrics) * len(models),
                    )
                )
        return columns, np.flatnonzero(self.is_overall).tolist()

    def heading(self, metric: str) -> str:
        """The metric with an arrow towards its good end."""
        arrow = {"higher": " ↑", "lower": " ↓"}.get(self.better.get(metric, ""), "")
        return f"{metric}{arrow}"

    def _count_column(self, n: np.ndarray, *, merge: bool = False) -> render.Column:
        low, high = _least(n), _most(n)
        cells = [
            labels.count(a) if a == b or math.isnan(a) else f"{labels.count(a)}–{labels.count(b)}"
            for a, b in zip(low, high, strict=True)
        ]
        return render.Column("n", cells, "right", merge=merge)

    def estimate(
        self, label: str, place: tuple[slice | int, ...], *, group: str = "", abreast: int = 1
    ) -> render.Column:
        """The column of the numbers at `place` of rows × metrics × models."""
        value, low, high = (self.values[name][place].reshape(-1) for name in ("value", "ci_low", "ci_high"))
        notes = self.notes[place].reshape(-1)
        start, stop = (np.broadcast_to(end, self.shape)[place].reshape(-1) for end in self.axes)
        reference = np.broadcast_to(self.overall, self.shape)[place].reshape(-1)
        undefined = np.isnan(value)
        return render.estimate_column(
            label,
            value,
            low,
            high,
            axis=(start, stop) if not np.isnan(low).all() and self.shape[0] * self.shape[2] > 1 else None,
            reference=reference if self.is_overall.size > 1 else math.nan,
            flags=self.flags[place].reshape(-1).tolist(),
            reasons=[str(note) if gone else "" for note, gone in zip(notes, undefined, strict=True)],
            titles=self._titles(place),
            group=group,
            show_interval=abreast <= _INTERVALS_ABREAST,
        )

    def _titles(self, place: tuple[slice | int, ...]) -> list[str]:
        parts = [self.values[name][place].reshape(-1) for name in ("value", "ci_low", "ci_high", "n", "support")]
        notes = self.notes[place].reshape(-1)
        titles = []
        for value, low, high, n, support, note in zip(*(part.tolist() for part in parts), notes, strict=True):
            words = [labels.estimate(value, low, high)]
            if not math.isnan(n):
                words.append(f"n = {labels.count(n)}")
            if not math.isnan(support) and support != n:
                words.append(f"support = {labels.count(support)}")
            if note:
                words.append(str(note)[:300])
            titles.append(labels.visible("; ".join(words)))
        return titles

    def _footnotes(self, level: float | None) -> list[str]:
        found: list[str] = []
        flags = set(self.flags.reshape(-1))
        if flags & {"lower", "higher"}:
            found.append("▲ higher, ▼ lower than in all other rows, after correction for the number of cohorts")
        if "too few" in flags:
            found.append("◇ too few rows or events for the interval to hold its level")
        defined = ~np.isnan(self.values["value"])
        others = [
            str(note) for note, ok in zip(self.notes.reshape(-1), defined.reshape(-1), strict=True) if ok and note
        ]
        counts = pd.Series([note for note in others if "too few" not in note], dtype=object).value_counts(sort=False)
        if len(counts) > _FOOTNOTES:
            found.append(f"{counts.sum()} of the numbers shown carry other notes: see the column note of .frame")
        else:
            found += [f"{note} ({times} of {int(defined.sum())} numbers)" for note, times in counts.items()]
        return found


class _Long(_Wide):
    """One row per cohort and metric; columns are models."""

    def __init__(
        self, frame: pd.DataFrame, grid: Grid, flags: np.ndarray | None, better: Mapping[str, str], max_rows: int
    ) -> None:
        height = len(grid.metrics) * self._models_below(grid)
        super().__init__(frame, grid, flags, better, max(max_rows // max(height, 1), 1))
        self.fits = len(grid.models) <= _INTERVALS_ABREAST + 1

    @staticmethod
    def _models_below(grid: Grid) -> int:
        return 1

    def columns(self) -> tuple[list[render.Column], list[int]]:
        """The columns, and which rows are overall."""
        metrics, models = self.grid.metrics, self.grid.models
        height = len(metrics)
        columns = [
            render.text_column(name, np.repeat(np.array(values, dtype=object), height), header=True, merge=True)
            for name, values in self.keys
        ]
        n = np.repeat(self.values["n"].reshape(self.shown, -1), height, axis=0)
        if not self.count_in_detail:
            columns.append(self._count_column(n, merge=True))
        columns.append(render.text_column("metric", [self.heading(name) for name in metrics] * self.shown, header=True))
        for k, model in enumerate(models):
            columns.append(self.estimate(model, (slice(None), slice(None), k), abreast=len(models)))
        apart = np.flatnonzero(np.repeat(self.is_overall, height))
        return columns, apart.tolist()


class _Longest(_Long):
    """One row per cohort, metric and model."""

    @staticmethod
    def _models_below(grid: Grid) -> int:
        return len(grid.models)

    def __init__(
        self, frame: pd.DataFrame, grid: Grid, flags: np.ndarray | None, better: Mapping[str, str], max_rows: int
    ) -> None:
        super().__init__(frame, grid, flags, better, max_rows)
        self.fits = True

    def columns(self) -> tuple[list[render.Column], list[int]]:
        """The columns, and which rows are overall."""
        metrics, models = self.grid.metrics, self.grid.models
        height = len(metrics) * len(models)
        columns = [
            render.text_column(name, np.repeat(np.array(values, dtype=object), height), header=True, merge=True)
            for name, values in self.keys
        ]
        names = [self.heading(name) for name in metrics for _ in models] * self.shown
        columns.append(render.text_column("metric", names, header=True, merge=True))
        columns.append(render.text_column("model", models * (len(metrics) * self.shown), header=True))
        if not self.count_in_detail:
            columns.append(self._count_column(self.values["n"].reshape(-1, 1)))
        columns.append(self.estimate("value", (slice(None), slice(None), slice(None))))
        return columns, np.flatnonzero(np.repeat(self.is_overall, height)).tolist()


def plain_table(
    frame: pd.DataFrame,
    *,
    title: str = "",
    notes: Sequence[str] = (),
    cohort_columns: Sequence[str] = (),
    max_rows: int = 60,
    detail: str = "",
) -> render.Table:
    """Any tidy frame as a table: its head, with `value` or `difference` and its interval drawn as whiskers.

    Numbers are written by what their column is: `p_…` as p-values, integers as counts, `note` in full.
    """
    head = frame.head(max_rows)
    main = next((name for name in ("difference", "value", "estimate") if name in head and "ci_low" in head), None)
    hidden = {"is_overall", *(("ci_low", "ci_high") if main else ())}
    columns = []
    for name in head.columns:
        if name in hidden:
            continue
        if name == main:
            columns.append(_plain_estimate(head, name))
        elif name in cohort_columns or not pd.api.types.is_numeric_dtype(head[name]):
            texts = head[name].astype(object).where(head[name].notna(), "")
            columns.append(render.text_column(str(name), texts, header=name in cohort_columns))
        else:
            columns.append(_plain_numbers(str(name), head[name]))
    apart = np.flatnonzero(head["is_overall"].to_numpy(dtype=bool)).tolist() if "is_overall" in head else []
    more = _more(len(frame) - len(head), "row")
    return render.Table(columns, title=title, detail=detail, notes=notes, apart=frozenset(apart), more=more)


def _plain_estimate(head: pd.DataFrame, name: str) -> render.Column:
    value, low, high = (head[part].to_numpy(dtype=float, na_value=np.nan) for part in (name, "ci_low", "ci_high"))
    values = {"value": value, "ci_low": low, "ci_high": high}
    group, levels = _levels(head, "metric")
    start, stop = np.full(len(head), np.nan), np.full(len(head), np.nan)
    reference = 0.0 if name == "difference" else math.nan
    for code in range(len(levels)):
        rows = group == code
        ends = _axes({key: part[rows].reshape(-1, 1, 1) for key, part in values.items()}, (int(rows.sum()), 1, 1))
        start[rows], stop[rows] = np.fmin(ends[0].item(), reference), np.fmax(ends[1].item(), reference)
    return render.estimate_column(str(name), value, low, high, axis=(start, stop), reference=reference)


def _plain_numbers(name: str, values: pd.Series) -> render.Column:
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    if name.startswith("p_"):
        return render.number_column(name, numbers, labels.p_value)
    if pd.api.types.is_integer_dtype(values):
        return render.count_column(name, numbers)
    finite = numbers[np.isfinite(numbers)]
    decimals = (
        max((labels.places(value) for value in finite), default=3) if np.abs(finite).max(initial=0) < 1e3 else None
    )
    return render.number_column(name, numbers, lambda value: labels.number(value, decimals))


def _detail(frame: pd.DataFrame, grid: Grid, level: float | None, dropped: Mapping[str, int]) -> str:
    parts = [f"{level * 100:g}% intervals"] if level is not None else []
    if "n" in frame and "is_overall" in frame and len(grid):
        overall = frame["is_overall"].to_numpy(dtype=bool)
        n = frame["n"].to_numpy(dtype=float, na_value=np.nan)[overall]
        if n.size:
            low, high = np.nanmin(n), np.nanmax(n)
            parts.append(f"n = {labels.count(low)}" + (f"–{labels.count(high)}" if high > low else ""))
    if len(grid.models) == 1 and grid.models[0]:
        parts.append(f"model {grid.models[0]}")
    if dropped:
        each = ", ".join(f"{model} {labels.count(n)}" for model, n in dropped.items())
        parts.append(f"rows dropped for missing values: {each}")
    return " · ".join(parts)


def _overall(frame: pd.DataFrame, grid: Grid) -> np.ndarray:
    """Overall value per metric and model (1 × metrics × models), NaN where there is none."""
    reference = np.full((1, len(grid.metrics), len(grid.models)), np.nan)
    if "is_overall" not in frame or "class" in grid.key_columns:
        return reference
    rows = np.flatnonzero(frame["is_overall"].to_numpy(dtype=bool)[grid.first]) if len(grid) else np.array([], int)
    if rows.size:
        at = grid.at[rows[0]]
        values = frame["value"].to_numpy(dtype=float, na_value=np.nan)
        reference[0] = np.where(at < 0, np.nan, values[at])
    return reference


def _axes(values: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the whiskers' axis per metric, shared by its models: (1 × metrics × 1) each.

    A few hopeless intervals must not squash all others: where the full range is more than six times the range of
    the values and of the usual interval, the axis is cut there.
    """
    metrics = shape[1]
    start, stop = np.full((1, metrics, 1), np.nan), np.full((1, metrics, 1), np.nan)
    for m in range(metrics):
        value, low, high = (_finite(values[name][:, m]) for name in ("value", "ci_low", "ci_high"))
        if value.size == 0:
            continue
        least, most = min(value.min(), _first(low, np.min)), max(value.max(), _first(high, np.max))
        usual = max(_first(high, np.median) - _first(low, np.median), float(np.ptp(value)))
        if usual > 0 and most - least > 6 * usual:
            middle = float(np.median(value))
            least, most = max(least, min(value.min(), middle - usual)), min(most, max(value.max(), middle + usual))
        start[0, m, 0], stop[0, m, 0] = least, most
    return start, stop


def _first(numbers: np.ndarray, summary: object) -> float:
    return float(summary(numbers)) if numbers.size else math.nan  # type: ignore[operator]


def _finite(numbers: np.ndarray) -> np.ndarray:
    return np.asarray(numbers[np.isfinite(numbers)], dtype=float)


def _least(numbers: np.ndarray) -> list[float]:
    return [float(n) for n in np.where(np.isnan(numbers), np.inf, numbers).min(axis=1, initial=np.inf)]


def _most(numbers: np.ndarray) -> list[float]:
    return [float(n) for n in np.where(np.isnan(numbers), -np.inf, numbers).max(axis=1, initial=-np.inf)]


def _levels(frame: pd.DataFrame, name: str) -> tuple[np.ndarray, list[str]]:
    if name not in frame:
        return np.zeros(len(frame), dtype=np.intp), [""] if len(frame) else []
    codes, levels = _factorize(frame[name])
    return codes, [str(level) for level in levels]


def _codes(frame: pd.DataFrame, keys: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Row number of each line of the frame, and the position of each row's first line."""
    codes = np.zeros(len(frame), dtype=np.int64)
    for name in keys:
        part, levels = _factorize(frame[name])
        codes, _ = pd.factorize(codes * max(len(levels), 1) + part)
    first = np.full(int(codes.max(initial=-1)) + 1, len(frame), dtype=np.intp)
    np.minimum.at(first, codes, np.arange(len(frame)))
    return codes, first


def _factorize(column: pd.Series) -> tuple[np.ndarray, Sequence[object]]:
    """Codes in order of appearance; an object array is hashed three times as fast as a string array."""
    values = column if isinstance(column.dtype, pd.CategoricalDtype) else column.to_numpy(dtype=object)
    codes, levels = pd.factorize(values, use_na_sentinel=False)
    return codes, list(levels)


def _interval_texts(frame: pd.DataFrame) -> pd.Series:
    numbers = (frame[name].to_numpy(dtype=float, na_value=np.nan).tolist() for name in ("value", "ci_low", "ci_high"))
    return pd.Series([labels.estimate(*row) for row in zip(*numbers, strict=True)], dtype=object)


def _more(left: int, noun: str) -> str:
    return f"… {left:,} more {noun}{'s' if left > 1 else ''}; .frame has all" if left > 0 else ""

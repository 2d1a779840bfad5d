"""Tables of metrics: which rows are shown, and whether metrics and models stand side by side or below each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from dfevals import words
from dfevals.render import table as render
from dfevals.render.grids import Grid
from dfevals.render.plain_tables import left_out, plain_table, whisker_axis

__all__ = ["metrics_table"]

_ESTIMATES_ABREAST = 6
_MODELS_ABREAST = 4
_INTERVALS_ABREAST = 3
_FOOTNOTES = 6


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
    """The table of a metrics result, the overall row first.

    Up to six estimates stand side by side, one row per cohort. Beyond that, or where `width` characters do not hold
    them, there is one row per cohort and metric, and the models stand side by side (or, if many, below each other).
    """
    if not len(grid):
        return plain_table(frame, title=title, notes=notes)
    detail = _detail(frame, grid, level, dropped or {})
    for lay_out, height in _layouts(grid):
        fits = len(grid) * height <= 1.25 * max_rows  # a line that says "1 more" is no shorter than the row
        shown = _Shown(frame, grid, flags, better or {}, len(grid) if fits else max(max_rows // height, 1))
        table = render.Table(
            lay_out(shown),
            title=title,
            detail=detail,
            notes=[*notes, *shown.footnotes()],
            apart=shown.apart(height),
            more=left_out(len(grid) - shown.shape[0], "cohort" if shown.keys else "row"),
        )
        if width is None or table.width <= width:
            break
    return table


def _layouts(grid: Grid) -> list[tuple[Callable[[_Shown], list[render.Column]], int]]:
    """Layouts to try, widest first, and how many rows a cohort takes in each."""
    metrics, models = len(grid.metrics), len(grid.models)
    tried: list[tuple[Callable[[_Shown], list[render.Column]], int]] = []
    if metrics * models <= _ESTIMATES_ABREAST:
        tried.append((_row_per_cohort, 1))
    if models <= _MODELS_ABREAST:
        tried.append((_row_per_metric, metrics))
    return [*tried, (_row_per_model, metrics * models)]


def _row_per_cohort(shown: _Shown) -> list[render.Column]:
    metrics, models = shown.grid.metrics, shown.grid.models
    abreast, several = len(metrics) * len(models), len(models) > 1
    columns = [*shown.key_columns(1), *shown.count_columns(1)]
    for m, metric in enumerate(metrics):
        for k, model in enumerate(models):
            label, group = (model, shown.heading(metric)) if several else (shown.heading(metric), "")
            columns.append(shown.estimates(label, (slice(None), m, k), group=group, abreast=abreast))
    return columns


def _row_per_metric(shown: _Shown) -> list[render.Column]:
    metrics, models = shown.grid.metrics, shown.grid.models
    columns = [*shown.key_columns(len(metrics)), *shown.count_columns(len(metrics))]
    names = [shown.heading(name) for name in metrics] * shown.shape[0]
    columns.append(render.text_column("metric", names, header=True))
    for k, model in enumerate(models):
        columns.append(shown.estimates(model or "value", (slice(None), slice(None), k), abreast=len(models)))
    return columns


def _row_per_model(shown: _Shown) -> list[render.Column]:
    metrics, models = shown.grid.metrics, shown.grid.models
    names = [shown.heading(name) for name in metrics for _ in models] * shown.shape[0]
    return [
        *shown.key_columns(len(metrics) * len(models)),
        render.text_column("metric", names, header=True, merge=True),
        render.text_column("model", models * (len(metrics) * shown.shape[0]), header=True),
        *shown.count_columns(len(metrics) * len(models), each=True),
        shown.estimates("value", (slice(None), slice(None), slice(None))),
    ]


class _Shown:
    """The numbers of the rows that are shown, as arrays of rows × metrics × models, and columns made of them."""

    def __init__(
        self, frame: pd.DataFrame, grid: Grid, flags: np.ndarray | None, better: Mapping[str, str], max_rows: int
    ) -> None:
        self.grid, self.better = grid, better
        overall = grid.overall(frame)
        order = np.concatenate([np.flatnonzero(overall), np.flatnonzero(~overall)])[:max_rows]
        at = grid.at[order]
        self.shape = at.shape
        self.is_overall = overall[order]
        self.keys = [(name, frame[name].take(grid.first[order]).tolist()) for name in grid.key_columns]
        self.rows = frame.take(np.maximum(at.reshape(-1), 0))
        self.missing = (at < 0).reshape(-1)
        self.values = {name: self._numbers(name) for name in ("value", "ci_low", "ci_high", "n", "support")}
        self.notes = self._texts("note")
        self.flags = self._flags(flags, at)
        self.axes = self._axes()
        self.reference = self._reference()

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
        return np.full(self.shape, "", dtype=object) if flags is None else np.where(at < 0, "", flags[at])

    def _axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Ends of each metric's axis, 1 × metrics × 1; intervals of too few rows do not stretch it."""
        sure = np.where(self.flags == "too few", np.nan, 1.0)
        parts = [self.values[name] * sure for name in ("value", "ci_low", "ci_high")]
        ends = [whisker_axis(*(part[:, metric].reshape(-1) for part in parts)) for metric in range(self.shape[1])]
        start, stop = np.array(ends).T.reshape(2, 1, -1, 1)
        return start, stop

    def _reference(self) -> np.ndarray:
        """Overall value per metric and model, 1 × metrics × models; NaN where no row, or more than one, is overall."""
        overall = np.flatnonzero(self.is_overall)
        if len(overall) != 1 or self.shape[0] == 1:
            return np.full((1, *self.shape[1:]), np.nan)
        return self.values["value"][overall]

    def apart(self, height: int) -> frozenset[int]:
        """Table rows that are overall, where other rows exist."""
        if len(self.grid) == 1:
            return frozenset()
        return frozenset(np.flatnonzero(np.repeat(self.is_overall, height)).tolist())

    def key_columns(self, height: int) -> list[render.Column]:
        """Names of the cohorts (and classes), each over `height` rows."""
        return [
            render.text_column(name, (value for value in values for _ in range(height)), header=True, merge=height > 1)
            for name, values in self.keys
        ]

    def count_columns(self, height: int, *, each: bool = False) -> list[render.Column]:
        """Rows per cohort, or per number; none where the caption says it."""
        n = self.values["n"]
        if np.isnan(n).all() or (len(self.grid) == 1 and np.ptp(n) == 0 and self.is_overall.all()):
            return []
        n = n.reshape(-1, 1) if each else np.repeat(n.reshape(self.shape[0], -1), height, axis=0)
        known = ~np.isnan(n)
        low = np.where(known, n, np.inf).min(axis=1).tolist()
        high = np.where(known, n, -np.inf).max(axis=1).tolist()
        cells = [_span(a, b) for a, b in zip(low, high, strict=True)]
        return [render.Column("n", cells, "right", merge=height > 1 and not each)]

    def heading(self, metric: str) -> str:
        """The metric with an arrow towards its good end."""
        return metric + {"higher": " ↑", "lower": " ↓"}.get(self.better.get(metric, ""), "")

    def estimates(
        self, label: str, place: tuple[slice | int, ...], *, group: str = "", abreast: int = 1
    ) -> render.Column:
        """The column of the numbers at `place`."""
        value, low, high = (self.values[name][place].reshape(-1) for name in ("value", "ci_low", "ci_high"))
        start, stop, reference = (
            np.broadcast_to(part, self.shape)[place].reshape(-1) for part in (*self.axes, self.reference)
        )
        comparable = self.shape[0] * self.shape[2] > 1 and not np.isnan(low).all()
        undefined = np.isnan(value)
        return render.estimate_column(
            label,
            value,
            low,
            high,
            axis=(start, stop) if comparable else None,
            reference=reference,
            flags=self.flags[place].reshape(-1).tolist(),
            reasons=[
                str(note) if gone else "" for note, gone in zip(self.notes[place].reshape(-1), undefined, strict=True)
            ],
            titles=self._titles(place),
            group=group,
            show_interval=abreast <= _INTERVALS_ABREAST or not comparable,  # every estimate has a whisker or its bounds
        )

    def _titles(self, place: tuple[slice | int, ...]) -> list[str]:
        parts = [self.values[name][place].reshape(-1) for name in ("value", "ci_low", "ci_high", "n", "support")]
        notes = self.notes[place].reshape(-1)
        titles = []
        for value, low, high, n, support, note in zip(*(part.tolist() for part in parts), notes, strict=True):
            said = [words.estimate(value, low, high)]
            if not math.isnan(n):
                said.append(f"n = {words.count(n)}")
            if not math.isnan(support) and support != n:
                said.append(f"support = {words.count(support)}")
            if note:
                said.append(str(note)[:300])
            titles.append(words.visible("; ".join(said)))
        return titles

    def footnotes(self) -> list[str]:
        """What the flags mean, and the notes of the defined numbers."""
        found: list[str] = []
        flags = set(self.flags.reshape(-1))
        if flags & {"lower", "higher"}:
            found.append("▲ higher, ▼ lower than the rest of the rows, after correction for the number of cohorts")
        if "too few" in flags:
            found.append("◇ too few rows or events for the interval to hold its level")
        defined = ~np.isnan(self.values["value"])
        others = self.notes[defined & (self.flags != "too few") & (self.notes != "")]
        counts = pd.Series([str(note) for note in others], dtype=object).value_counts(sort=False)
        if len(counts) > _FOOTNOTES:
            found.append(f"{counts.sum()} of the numbers shown carry other notes: see the column note of .frame")
        else:
            found += [f"{note} ({times} of {int(defined.sum())} numbers)" for note, times in counts.items()]
        return found


def _span(low: float, high: float) -> str:
    if high < low:
        return words.UNDEFINED
    return words.count(low) if low == high else f"{words.count(low)}–{words.count(high)}"


def _detail(frame: pd.DataFrame, grid: Grid, level: float | None, dropped: Mapping[str, int]) -> str:
    parts = [f"{level * 100:g}% intervals"] if level is not None else []
    if "n" in frame and "is_overall" in frame and len(grid):
        overall = frame["is_overall"].to_numpy(dtype=bool)
        n = frame["n"].to_numpy(dtype=float, na_value=np.nan)[overall]
        n = n[~np.isnan(n)]
        if n.size:
            parts.append(f"n = {_span(float(n.min()), float(n.max()))}")
    if len(grid.models) == 1 and grid.models[0]:
        parts.append(f"model {grid.models[0]}")
    if dropped:
        each = ", ".join(f"{model} {words.count(n)}" for model, n in dropped.items())
        parts.append(f"rows dropped for missing values: {each}")
    return " · ".join(parts)

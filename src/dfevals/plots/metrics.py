"""Which chart shows a table of metrics, and in how many panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals.exceptions import DataError, DfevalsError, check_choice
from dfevals.plots import forest, heatmap, panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

_PANELS = 4


def draw(
    frame: pd.DataFrame,
    cohort_columns: Sequence[str] = (),
    *,
    kind: str | None = None,
    metric: str | Sequence[str] | None = None,
    model: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    level: float | None = 0.95,
    better: Mapping[str, str] | None = None,
    dark: bool | None = None,
    **options: Any,
) -> Axes | np.ndarray:
    """Draw metrics as a forest, or as a heat map where there are two cohort columns.

    Parameters
    ----------
    frame : DataFrame
        The frame of a `MetricsResult`, with a column `flag`.
    cohort_columns : sequence of str
    kind : {"forest", "heatmap"}, optional
    metric, model : str or sequence of str, optional
        Which to draw; default all, at most four metrics.
    ax : Axes, optional
        For a single panel.
    level : float or None
        Level of the intervals.
    better : mapping of metric to {"higher", "lower"}, optional
        Which way is good, for the colours of heat maps.
    dark : bool, optional
        See `dfevals.plots.theme`.
    **options
        For the `draw` of the kind.

    Returns
    -------
    Axes, or array of Axes where there are several panels
    """
    crossed = _is_crossed(frame, cohort_columns) and "pooled" not in frame
    kind = kind or ("heatmap" if crossed else "forest")
    check_choice("kind", kind, ("forest", "heatmap"), DfevalsError)
    metrics = _chosen(frame, "metric", metric)
    left_out = len(metrics) - _PANELS if metric is None else 0
    metrics = metrics[:_PANELS] if left_out > 0 else metrics
    models = _chosen(frame, "model", model)
    frame = frame[frame["metric"].isin(metrics).to_numpy() & frame["model"].isin(models).to_numpy()]
    if frame.empty:
        raise DataError("There is nothing to draw: no row has the metric and model asked for.")
    if kind == "forest":
        drawn = _forests(frame, cohort_columns, metrics, ax, dark, {"level": level, **options})
    else:
        drawn = _heatmaps(frame, cohort_columns, metrics, models, ax, dark, better or {}, options)
    if left_out > 0:
        note = f"first {_PANELS} of {_PANELS + left_out} metrics; choose others with metric="
        first = drawn[0] if isinstance(drawn, np.ndarray) else drawn
        first.figure.suptitle(note, fontsize=9, ha="left", x=0.01)
    return drawn


def _is_crossed(frame: pd.DataFrame, cohort_columns: Sequence[str]) -> bool:
    """Two columns that intersect; `each` leaves "(all)" in the column not in use, which is no grid."""
    return (
        len(cohort_columns) == 2
        and "class" not in frame
        and not frame[list(cohort_columns)].isin(["(all)"]).to_numpy().any()
    )


def _chosen(frame: pd.DataFrame, name: str, wanted: str | Sequence[str] | None) -> list[Any]:
    known = list(dict.fromkeys(frame[name]))
    if wanted is None:
        return known
    chosen = [wanted] if isinstance(wanted, str) else list(wanted)
    for value in chosen:
        check_choice(name, value, known, DfevalsError)
    return chosen


def _forests(
    frame: pd.DataFrame,
    cohort_columns: Sequence[str],
    metrics: Sequence[str],
    ax: Axes | None,
    dark: bool | None,
    options: dict[str, Any],
) -> Axes | np.ndarray:
    options = {"cohort_columns": cohort_columns, **options}
    if len(metrics) == 1:
        return forest.draw(frame, ax, dark=dark, **options)
    _refuse(ax, len(metrics))
    parts = [frame[(frame["metric"] == metric).to_numpy()] for metric in metrics]
    models = frame["model"].nunique()
    rows = min(len(set(forest.names(parts[0], cohort_columns))), options.get("limit", 60) + 1)
    values = options.pop("show_values", None)
    values = values if values is not None else len(metrics) <= 2 and models == 1
    width, height = forest.size(rows, models, values)
    with style.theme(dark):
        axes = panels.small_multiples(metrics, (max(width - 1.6, 3.0), height), columns=len(metrics), sharey=True)
    for at, (panel, part) in enumerate(zip(axes, parts, strict=True)):
        last = at == len(metrics) - 1
        forest.draw(part, panel, dark=dark, **{"show_values": values, "show_n": last, "legend": at == 0, **options})
    return axes


def _heatmaps(
    frame: pd.DataFrame,
    cohort_columns: Sequence[str],
    metrics: Sequence[str],
    models: Sequence[str],
    ax: Axes | None,
    dark: bool | None,
    better: Mapping[str, str],
    options: dict[str, Any],
) -> Axes | np.ndarray:
    if len(cohort_columns) != 2:
        raise DfevalsError(
            f"A heat map needs two cohort columns; this result has {len(cohort_columns)}. Use kind='forest'."
        )
    options = {"rows": cohort_columns[0], "columns": cohort_columns[1], **options}
    cells = [(metric, model) for metric in metrics for model in models]
    if len(cells) == 1:
        return heatmap.draw(frame, ax, dark=dark, **{"better": better.get(metrics[0]), **options})
    _refuse(ax, len(cells))
    shape = (frame[options["rows"]].nunique() - 1, frame[options["columns"]].nunique() - 1)
    titles = [f"{metric} · {model}" if len(models) > 1 else metric for metric, model in cells]
    with style.theme(dark):
        axes = panels.small_multiples(titles, heatmap.size(*shape), columns=2 if len(cells) > 1 else 1)
    for panel, (metric, model), title in zip(axes, cells, titles, strict=True):
        same = frame[(frame["metric"] == metric).to_numpy()]
        part = same[(same["model"] == model).to_numpy()]
        told = {"title": title, "better": better.get(metric), "limits": heatmap.shared_limits(same), **options}
        heatmap.draw(part, panel, dark=dark, **told)
    return axes


def _refuse(ax: Axes | None, panels_needed: int) -> None:
    if ax is not None:
        raise DfevalsError(
            f"ax= holds one panel, but {panels_needed} are asked for: choose one with metric= and model=."
        )

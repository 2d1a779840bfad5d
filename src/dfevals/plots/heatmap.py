"""Heat map: a metric over two cohort dimensions, each cell with its value and its number of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dfevals import words
from dfevals.exceptions import DataError
from dfevals.plots import matrix, panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

__all__ = ["draw", "size"]

HATCHED = "hatched: too few"
_CROWDED = 9


def draw(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    rows: str,
    columns: str,
    title: str = "",
    limits: tuple[float, float] | None = None,
    better: str | None = None,
    colorbar: bool = True,
    dark: bool | None = None,
) -> Axes:
    """Draw one metric of one model over the cohorts of two columns.

    Parameters
    ----------
    frame : DataFrame
        Columns `rows`, `columns` and `value`; optionally `ci_low, ci_high, n, flag, is_overall, metric`; one row per
        cell, and the overall row, which is the middle of the colours and is not a cell.
    ax : Axes, optional
        Default: a new figure, as large as the cells need.
    rows, columns : str
        The two cohort columns, in the frame's order.
    title : str
        Default: the metric and its overall value.
    limits : (low, high), optional
        Ends of the colours; default as far from overall as the farthest value that is not "too few".
    better : {"higher", "lower"}, optional
        Which way is good: blue is better than overall, orange worse. Without it blue is above and orange below.
    colorbar : bool
        Whether the colours are explained.
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes
        "Too few" cells are hatched; undefined cells hold "–"; combinations without rows are empty.

    Raises
    ------
    DataError
        If a cell is given twice (several metrics or models).
    """
    overall = _overall(frame)
    cells = frame[~frame["is_overall"].to_numpy(dtype=bool)] if "is_overall" in frame else frame
    if cells.duplicated([rows, columns]).any():
        raise DataError("A heat map shows one metric of one model: choose with metric= and model=.")
    value, n, flag = (_spread(cells, rows, columns, name) for name in ("value", "n", "flag"))
    values = value.to_numpy(dtype=float, na_value=np.nan)
    counts = n.to_numpy(dtype=float, na_value=np.nan)
    few = flag.to_numpy(dtype=object) == "too few"
    crowded = max(value.shape) >= _CROWDED
    low, high = limits or _limits(values, few, overall)
    with style.theme(dark):
        ax = panels.single(ax, size(*value.shape, colorbar=colorbar))
        said = f"{better} is better" if better else ""
        bar = {
            "label": f"{style.plain(_metric(frame))}\n{said}".strip() if title else said,
            "shrink": 0.9,
            "aspect": 30,
        }
        matrix.draw_cells(
            ax,
            values,
            _texts(values, counts, _decimals(cells, crowded), crowded),
            colors=_colors(better),
            limits=(low, high),
            lines=ax.get_facecolor(),
            width=0.8,
            font={"fontsize": 6.5 if crowded else 9, "linespacing": 1.15},
            colorbar=bar if colorbar else None,
        )
        _label(ax, value, rows, columns)
        _mark(ax, values, counts, few)
        heading = _metric(frame) + (f", overall {words.number(overall)}" if overall is not None else "")
        hatched = any(text.get_text() == HATCHED for text in ax.texts)
        ax.set_title(style.plain(title or heading, 80), pad=19 if hatched else None)
    style.describe(ax, _words(value, values, (title or heading) + _direction(better), rows, columns))
    return ax


def size(rows: int, columns: int, *, colorbar: bool = True) -> tuple[float, float]:
    """Inches that a heat map of so many cells needs."""
    crowded = max(rows, columns) >= _CROWDED
    width, height = (0.56, 0.4) if crowded else (0.95, 0.55)
    return 2.2 + width * columns + 0.9 * colorbar, 1.2 + height * rows


def _spread(cells: pd.DataFrame, rows: str, columns: str, name: str) -> pd.DataFrame:
    down, across = (list(dict.fromkeys(cells[key].astype(object).map(str))) for key in (rows, columns))
    if name not in cells:
        return pd.DataFrame(np.nan, index=down, columns=across)
    keyed = pd.Series(
        cells[name].to_numpy(dtype=object),
        index=pd.MultiIndex.from_arrays([cells[key].astype(object).map(str) for key in (rows, columns)]),
    )
    return keyed.unstack().reindex(index=down, columns=across)


def _overall(frame: pd.DataFrame) -> float | None:
    if "is_overall" not in frame:
        return None
    value = frame.loc[frame["is_overall"].to_numpy(dtype=bool), "value"].to_numpy(dtype=float, na_value=np.nan)
    return float(value[0]) if value.size and np.isfinite(value[0]) else None


def shared_limits(frame: pd.DataFrame) -> tuple[float, float]:
    """Ends of the colours of one metric of several models: a colour means the same value in all of their panels."""
    overall = frame["is_overall"].to_numpy(dtype=bool)
    values = frame["value"].to_numpy(dtype=float, na_value=np.nan)
    few = frame["flag"].to_numpy() == "too few" if "flag" in frame else np.zeros(len(frame), bool)
    middle = values[overall & np.isfinite(values)]
    return _limits(values[~overall], few[~overall], float(middle.mean()) if middle.size else None)


def _limits(values: np.ndarray, few: np.ndarray, overall: float | None) -> tuple[float, float]:
    finite = np.isfinite(values)
    sure = values[finite & ~few] if (finite & ~few).any() else values[finite]
    if not sure.size:
        return 0.0, 1.0
    middle = overall if overall is not None else float((sure.min() + sure.max()) / 2)
    reach = float(np.abs(sure - middle).max()) or 0.05 * max(abs(middle), 1.0)
    return middle - reach, middle + reach


def _colors(better: str | None) -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    ends = style.DIVERGING[::-1] if better == "lower" else style.DIVERGING
    return LinearSegmentedColormap.from_list("dfevals_diverging", ends)


def _direction(better: str | None) -> str:
    return f" ({better} is better)" if better else ""


def _decimals(cells: pd.DataFrame, crowded: bool) -> int:
    """Places that most cells can justify; two in a crowded map."""
    ends = (
        cells[name].to_numpy(dtype=float, na_value=np.nan) if name in cells else np.full(len(cells), np.nan)
        for name in ("value", "ci_low", "ci_high")
    )
    places = [words.places(*row) for row in zip(*ends, strict=True) if np.isfinite(row[0])]
    usual = int(np.median(places)) if places else 2
    return min(usual, 2 if crowded else 3)


def _texts(values: np.ndarray, counts: np.ndarray, decimals: int, crowded: bool) -> np.ndarray:
    texts = np.full(values.shape, "", dtype=object)
    for at, value in np.ndenumerate(values):
        n = float(counts[at])
        count = "" if np.isnan(n) else f"\n{words.compact(n)}" if crowded else f"\nn={words.compact(n)}"
        texts[at] = f"{words.number(float(value), decimals)}{count}"
    return texts


def _label(ax: Axes, value: pd.DataFrame, rows: str, columns: str) -> None:
    panels.name_columns(ax, style.plain_names(value.columns, 28), crowded=len(value.columns) >= _CROWDED)
    ax.set_yticks(np.arange(len(value)) + 0.5, style.plain_names(value.index, 28), rotation=0)
    ax.tick_params(length=0)
    ax.set_xlabel(style.plain(columns))
    ax.set_ylabel(style.plain(rows))


def _mark(ax: Axes, values: np.ndarray, counts: np.ndarray, few: np.ndarray) -> None:
    from matplotlib.patches import Rectangle

    _, muted = style.ink(ax)
    for row, column in np.argwhere(few & np.isfinite(values)):
        ax.add_patch(Rectangle((column, row), 1, 1, fill=False, hatch="////", edgecolor=muted, linewidth=0, alpha=0.45))
    for row, column in np.argwhere(np.isnan(values) & (counts > 0)):
        ax.text(column + 0.5, row + 0.5, "–", ha="center", va="center", color=muted)
    if (few & np.isfinite(values)).any():
        ax.annotate(
            HATCHED,
            (0, 1),
            (0, 6),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=8,
            color=muted,
        )


def _metric(frame: pd.DataFrame) -> str:
    return str(frame["metric"].iloc[0]) if "metric" in frame and len(frame) else "value"


def _words(value: pd.DataFrame, values: np.ndarray, title: str, rows: str, columns: str) -> str:
    said = f"Heat map of {title} by {rows} ({values.shape[0]}) and {columns} ({values.shape[1]})."
    if not np.isfinite(values).any():
        return said
    ends = []
    for word, at in (("Lowest", np.nanargmin(values)), ("highest", np.nanargmax(values))):
        row, column = divmod(int(at), values.shape[1])
        ends.append(f"{word} {value.index[row]} · {value.columns[column]} {words.number(float(values[row, column]))}")
    return f"{said} {', '.join(ends)}."

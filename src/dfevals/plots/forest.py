"""Forest chart: one row per cohort with its interval, a line at the overall value, several models side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import words
from dfevals.plots import panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "names", "size"]

_MARKERS = "osD^vPX"
_FLAGS = {"lower": "▼ lower", "higher": "▲ higher", "too few": "◇ too few"}
_GAP = 0.4  # between the overall row and the cohorts, in rows


@dataclass(frozen=True)
class _Rows:
    """What is drawn: rows from top to bottom × models."""

    names: list[str]
    models: list[str]
    y: np.ndarray
    overall: int | None
    total: int
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray
    counted: str
    flags: np.ndarray
    notes: np.ndarray
    pooled: tuple[np.ndarray, np.ndarray, np.ndarray]

    @property
    def few(self) -> np.ndarray:
        return np.asarray(self.flags == "too few")


def draw(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    cohort_columns: Sequence[str] = (),
    title: str = "",
    level: float | None = 0.95,
    limit: int = 60,
    show_values: bool | None = None,
    show_n: bool = True,
    legend: bool = True,
    dark: bool | None = None,
) -> Axes:
    """Draw the cohorts of one metric as a forest.

    Parameters
    ----------
    frame : DataFrame
        Cohort columns, `value, ci_low, ci_high`, optionally `model, n, is_overall, flag, note, class, metric`, and
        `pooled, pooled_low, pooled_high`, which are drawn below the value; one row per cohort (and model). Nothing is computed from it.
    ax : Axes, optional
        Default: a new figure, as tall as the cohorts need.
    cohort_columns : sequence of str
        Columns that name the cohorts; with a column `class` also that.
    title : str
        Default: the metric.
    level : float or None
        Level of the intervals, for the label.
    limit : int
        Cohorts drawn at most; the title says how many are left out.
    show_values : bool, optional
        Whether values are written at the right; default, and only possible, for one model.
    show_n : bool
        Whether row counts are written at the right.
    legend : bool
        Whether several models are named above the chart.
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes
        Cohorts that are too few have open markers and dashed intervals; an interval that leaves the axis ends in an
        arrow.
    """
    rows = _rows(frame, cohort_columns, limit)
    show_values = len(rows.models) == 1 if show_values is None else show_values
    with style.theme(dark):
        width, height = size(len(rows.names), len(rows.models), show_values)
        longest = max((len(style.plain(name)) for name in rows.names), default=0)
        ax = panels.single(ax, (width + 0.075 * max(longest - 16, 0), height))
        _set_up(ax, rows, _metric(frame), title, level)
        _draw_reference(ax, rows)
        for at in range(len(rows.models)):
            _draw_model(ax, rows, at, flags=not show_values)
        if len(rows.models) > 1 and legend:
            _name_models(ax, rows.models)
        _write_right(ax, rows, show_values and len(rows.models) == 1, show_n)
    style.describe(ax, _words(rows, title or _metric(frame), level))
    return ax


def size(rows: int, models: int = 1, values: bool = True) -> tuple[float, float]:
    """Inches that a forest of so many rows and models needs."""
    return (7.4 if values else 5.4), 1.15 + rows * (0.16 + 0.12 * models)


def names(frame: pd.DataFrame, cohort_columns: Sequence[str]) -> list[str]:
    """One name per row of the frame: its cohorts (and class) joined; different cohorts never share a name.

    Where columns are taken one by one (`each`), the column is named too: two of them may hold the same value.
    """
    keys = [*cohort_columns, *(name for name in ("class",) if name in frame.columns)]
    coded = [pd.factorize(frame[key], use_na_sentinel=False) for key in keys]
    whole = frame["is_overall"].to_numpy(dtype=bool) if "is_overall" in frame else None
    joint = np.zeros(len(frame), np.int64) if whole is None else whole.astype(np.int64)
    for codes, found in coded:
        joint = joint * len(found) + codes
    _, first, place = np.unique(joint, return_index=True, return_inverse=True)
    distinct = []
    for at in first:  # a chart has many rows and few names
        row = tuple(str(found[codes[at]]) for codes, found in coded)
        overall = set(row) <= {"(overall)"} if whole is None else bool(whole[at])
        distinct.append(_name(keys, row, overall=overall))
    return [distinct[at] for at in place]


def _name(keys: Sequence[str], row: tuple[str, ...], *, overall: bool) -> str:
    used = [(key, text) for key, text in zip(keys, row, strict=True) if text != "(all)"]
    if overall:
        return " · ".join(dict.fromkeys(text for _, text in used)) or "(overall)"
    parts = [f"{key}: {text}" if len(used) < len(row) and key != "class" else text or '""' for key, text in used]
    name = " · ".join(parts) or "(overall)"
    return f'"{name}"' if name == "(overall)" and used else name


def _rows(frame: pd.DataFrame, cohort_columns: Sequence[str], limit: int) -> _Rows:
    model = frame["model"].astype(object).map(str) if "model" in frame else pd.Series("", index=frame.index)
    models = list(dict.fromkeys(model))
    row_names = names(frame, cohort_columns)
    overall = frame["is_overall"].to_numpy(dtype=bool) if "is_overall" in frame else np.zeros(len(frame), dtype=bool)
    order = list(dict.fromkeys(zip(~overall, row_names, strict=True)))
    order = [key for key in order if not key[0]] + [key for key in order if key[0]]
    total = len(order)
    order = order[: max(limit, 1) + sum(not key[0] for key in order)]
    place = {key: at for at, key in enumerate(order)}
    shape = (len(order), len(models))
    at = [
        (place.get(key, -1), models.index(name))
        for key, name in zip(zip(~overall, row_names, strict=True), model, strict=True)
    ]

    def spread(name: str, empty: float | str) -> np.ndarray:
        dtype = object if isinstance(empty, str) else float
        grid: np.ndarray = np.full(shape, empty, dtype=dtype)
        if name in frame:
            for (row, column), number in zip(at, frame[name].to_numpy(dtype=dtype, na_value=empty), strict=True):
                if row >= 0:
                    grid[row, column] = number
        return grid

    counted = "support" if "class" in frame and "support" in frame else "n"  # of a class, not of all rows
    numbers = {name: spread(name, np.nan) for name in ("value", "ci_low", "ci_high", counted)}
    first = [at for at, key in enumerate(order) if not key[0]]
    return _Rows(
        names=[name for _, name in order],
        models=models,
        y=np.arange(len(order)) + _GAP * np.array([key[0] for key in order]) * bool(first),
        overall=first[0] if len(first) == 1 else None,
        total=total,
        value=numbers["value"],
        low=numbers["ci_low"],
        high=numbers["ci_high"],
        n=numbers[counted],
        counted=counted,
        flags=spread("flag", ""),
        notes=spread("note", ""),
        pooled=(spread("pooled", np.nan), spread("pooled_low", np.nan), spread("pooled_high", np.nan)),
    )


def _metric(frame: pd.DataFrame) -> str:
    return str(frame["metric"].iloc[0]) if "metric" in frame and len(frame) else "value"


def _set_up(ax: Axes, rows: _Rows, metric: str, title: str, level: float | None) -> None:
    left_out = rows.total - len(rows.names)
    note = (
        f" (first {len(rows.names) - (rows.overall is not None)} of {rows.total - (rows.overall is not None)} cohorts)"
    )
    heading = style.plain(title or metric, 80) + (note if left_out else "")
    ax.set_title(heading, pad=24 if len(rows.models) > 1 else 20)
    ax.set_yticks(rows.y, style.plain_names(rows.names))
    ax.set_ylim((rows.y[-1] if len(rows.y) else 0) + 0.6, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.set_axisbelow(True)
    ax.set_xlabel(style.plain(metric) + (f", with {level * 100:g}% interval" if level is not None else ""))
    names_shown = ax.get_yticklabels()  # none where another panel of the row shows them
    if rows.overall is not None and names_shown:
        names_shown[rows.overall].set_fontweight("bold")
    ax.set_xlim(*_limits(rows))


def _limits(rows: _Rows) -> tuple[float, float]:
    """Room for every value and for every interval that is not hopeless."""
    sure = ~rows.few
    ends = np.concatenate([rows.value.ravel(), rows.low[sure], rows.high[sure]])
    ends = ends[np.isfinite(ends)]
    if not ends.size:
        return 0.0, 1.0
    low, high = float(ends.min()), float(ends.max())
    margin = 0.05 * (high - low) or 0.05 * max(abs(high), 1.0)
    return low - margin, high + margin


def _draw_reference(ax: Axes, rows: _Rows) -> None:
    if rows.overall is None or len(rows.names) == 1:
        return
    several = len(rows.models) > 1
    for at in range(len(rows.models)):
        value, low, high = (part[rows.overall, at] for part in (rows.value, rows.low, rows.high))
        if not np.isfinite(value):
            continue
        color = style.color(ax, at) if several else style.ink(ax)[1]
        ax.axvline(value, color=color, linewidth=1, linestyle=(0, (4, 3)), zorder=1, alpha=0.8, gid="overall")
        if not several and np.isfinite(high - low):
            ax.axvspan(low, high, color=color, alpha=0.12, linewidth=0, zorder=0)


def _draw_model(ax: Axes, rows: _Rows, at: int, *, flags: bool) -> None:
    several = len(rows.models) > 1
    y = rows.y + (at - (len(rows.models) - 1) / 2) * 0.72 / len(rows.models)
    low, high, few = rows.low[:, at], rows.high[:, at], rows.few[:, at]
    color, grey, ground = style.color(ax, at), style.ink(ax)[1], ax.get_facecolor()
    is_overall = (np.arange(len(y)) == rows.overall) & (not several)
    known = ~np.isnan(low) & ~np.isnan(high)
    ends = _within(ax, low, high)
    solid: tuple[float, Sequence[float]] = (0, ())
    for group, shade, fill, dash in (
        (~is_overall & ~few, color, color, solid),
        (~is_overall & few, color, ground, (0, (2.0, 1.5))),
        (is_overall, grey, grey, solid),
    ):
        lines = group & known
        if lines.any():
            ax.hlines(y[lines], ends[0][lines], ends[1][lines], colors=shade, linewidth=2, linestyles=dash)
        if group.any():
            ax.plot(
                rows.value[group, at], y[group], _MARKERS[at % len(_MARKERS)], color=shade, markerfacecolor=fill,
                markeredgewidth=1.3, markersize=5.5, zorder=3, label="_",
            )  # fmt: skip
    _draw_arrows(ax, y, low, high, color)
    _draw_pooled(ax, rows, at, y + 0.24 / len(rows.models))
    if flags:
        _draw_flags(ax, y, rows, at)


def _draw_pooled(ax: Axes, rows: _Rows, at: int, y: np.ndarray) -> None:
    """Pooled values of the cohorts, muted, below the raw ones."""
    value, low, high = (part[:, at] for part in rows.pooled)
    shown = ~np.isnan(value) & (np.arange(len(value)) != rows.overall)
    if not shown.any():
        return
    text, muted = style.ink(ax)
    ends = _within(ax, low, high)
    ax.hlines(y[shown], ends[0][shown], ends[1][shown], colors=muted, linewidth=1, zorder=2, gid="pooled")
    ax.plot(value[shown], y[shown], "D", color=muted, markerfacecolor=ax.get_facecolor(), markersize=3.5, zorder=3,
            gid="pooled")  # fmt: skip
    if at == 0:
        ax.annotate("◇ pooled", (0, 0), (0, -38), xycoords="axes fraction", textcoords="offset points", ha="left",
                    fontsize=8, color=text)  # fmt: skip


def _name_models(ax: Axes, models: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=style.color(ax, at), marker=_MARKERS[at % len(_MARKERS)], markersize=5.5, linewidth=2)
        for at in range(len(models))
    ]
    ax.legend(
        handles, style.plain_names(models, 30), loc="lower left", bbox_to_anchor=(-0.015, 0.995),
        ncols=min(len(models), 4), handlelength=1.6, columnspacing=1.4, borderpad=0.2,
    )  # fmt: skip


def _within(ax: Axes, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    left, right = ax.get_xlim()
    return np.clip(low, left, right), np.clip(high, left, right)


def _draw_arrows(ax: Axes, y: np.ndarray, low: np.ndarray, high: np.ndarray, color: str) -> None:
    left, right = ax.get_xlim()
    inset = 0.008 * (right - left)
    for beyond, edge, marker in ((low < left, left + inset, "<"), (high > right, right - inset, ">")):
        if beyond.any():
            ax.plot(np.full(beyond.sum(), edge), y[beyond], marker, color=color, markersize=5, label="_", zorder=3)


def _draw_flags(ax: Axes, y: np.ndarray, rows: _Rows, at: int) -> None:
    """Symbols beside the intervals, where no text at the right says it."""
    text, muted = style.ink(ax)
    _, right = ax.get_xlim()
    shown = np.isin(rows.flags, ("lower", "higher"))
    if shown.any() and at == int(np.flatnonzero(shown.any(axis=0))[0]):
        ax.annotate(
            "▲ ▼ differs from the rest", (1, 0), (0, -38), xycoords="axes fraction", textcoords="offset points",
            ha="right", fontsize=8, color=muted,
        )  # fmt: skip
    for row, flag in enumerate(rows.flags[:, at]):
        if flag in ("lower", "higher") and np.isfinite(rows.value[row, at]):
            end = np.fmin(np.fmax(rows.high[row, at], rows.value[row, at]), right)
            ax.annotate(
                _FLAGS[flag][0], (end, y[row]), (4, 0), textcoords="offset points", va="center", fontsize=7, color=text,
            )  # fmt: skip


def _write_right(ax: Axes, rows: _Rows, values: bool, n: bool) -> None:
    text, muted = style.ink(ax)
    options: dict[str, Any] = {
        "xycoords": ax.get_yaxis_transform(),
        "textcoords": "offset points",
        "va": "center",
        "fontsize": 8.5,
        "annotation_clip": False,
    }
    start = 8.0
    if n and not np.isnan(rows.n).all():
        counts = [_counts(row) for row in rows.n]
        start += 5.6 * max(map(len, [*counts, rows.counted]))
        for y, said in zip([-0.75, *rows.y], [rows.counted, *counts], strict=True):
            ax.annotate(said, (1, y), (start, 0), ha="right", color=muted if y < 0 else text, **options)
        start += 12
    if values:
        ax.annotate("value [interval]", (1, -0.75), (start, 0), ha="left", color=muted, **options)
        for row, y in enumerate(rows.y):
            weight = "bold" if row == rows.overall else "normal"
            ax.annotate(_value(rows, row), (1, y), (start, 0), ha="left", color=text, fontweight=weight, **options)


def _counts(n: np.ndarray) -> str:
    known = n[~np.isnan(n)]
    if not known.size:
        return ""
    low, high = float(known.min()), float(known.max())
    return words.count(low) if low == high else f"{words.count(low)}–{words.count(high)}"


def _value(rows: _Rows, row: int) -> str:
    value = rows.value[row, 0]
    if np.isnan(value):
        why = style.plain(rows.notes[row, 0], 28)
        return f"undefined: {why}" if why else "undefined"
    flag = _FLAGS.get(str(rows.flags[row, 0]), "")
    return f"{words.estimate(value, rows.low[row, 0], rows.high[row, 0])}  {flag}".rstrip()


def _words(rows: _Rows, title: str, level: float | None) -> str:
    parts = []
    for at, model in enumerate(rows.models):
        value = rows.value[:, at]
        shown = [row for row in range(len(rows.names)) if row != rows.overall and np.isfinite(value[row])]
        said = f"{model}: " if len(rows.models) > 1 else ""
        if rows.overall is not None:
            ends = value[rows.overall], rows.low[rows.overall, at], rows.high[rows.overall, at]
            said += f"overall {words.estimate(*ends)}; "
        if shown:
            least, most = min(shown, key=lambda row: value[row]), max(shown, key=lambda row: value[row])
            said += f"lowest {rows.names[least]} {words.number(value[least])}, "
            said += f"highest {rows.names[most]} {words.number(value[most])}"
        parts.append(said.rstrip("; "))
    cohorts = len(rows.names) - (rows.overall is not None)
    with_level = f" with {level * 100:g}% intervals" if level is not None else ""
    below = "" if np.isnan(rows.pooled[0]).all() else " Pooled values stand below the raw ones."
    return f"Forest chart of {title} for {cohorts} cohorts{with_level}. {'. '.join(parts)}.{below}"

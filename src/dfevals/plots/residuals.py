"""Charts of the errors of a regression: clouds as hexagons, normal quantiles, errors per cohort and by size of the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import words as write
from dfevals.exceptions import DataError
from dfevals.plots import forest, heatmap, lines, panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dfevals.inference.shapes import Cloud, Hexagons

__all__ = ["draw"]

ERROR = "error (predicted − actual)"
_TITLES = {
    "residual": "Error by prediction",
    "actual": "Predicted and actual",
    "qq": "Normal quantiles of the errors",
    "decile": "Error by size of the target",
}
_BANDED = 5  # rows below which the band of a decile is not drawn
_SPARSE = 3  # rows per hexagon below which points are drawn instead


def draw(
    kind: str,
    frame: pd.DataFrame,
    *,
    cloud: Cloud | None = None,
    deciles: pd.DataFrame | None = None,
    ax: Axes | None = None,
    cohort_columns: Sequence[str] = (),
    title: str = "",
    limit: int = 30,
    dark: bool | None = None,
) -> Axes | np.ndarray:
    """Draw one chart of the errors of one model, or an overview of four.

    Parameters
    ----------
    kind : {"overview", "residual", "actual", "qq", "distribution", "decile", "map", "interval", "worst"}
    frame : DataFrame
        One row per cohort, as in `ResidualsResult.frame`.
    cloud : Cloud, optional
        For "overview", "residual", "actual" and "qq".
    deciles : DataFrame, optional
        For "overview" and "decile".
    ax : Axes, optional
        For a single panel.
    cohort_columns : sequence of str
    title : str
    limit : int
        Cohorts drawn at most.
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes, or array of four Axes for "overview"
    """
    if kind == "overview":
        if ax is not None:
            raise DataError(
                "ax= holds one panel, but an overview has four. Pass kind='residual', 'actual', 'qq' or 'decile'."
            )
        assert cloud is not None
        assert deciles is not None
        with style.theme(dark):
            axes = panels.small_multiples(list(_TITLES.values()), (4.0, 3.3), columns=2, title=title)
            for panel, one in zip(axes, _TITLES, strict=True):
                if one == "decile":
                    _decile(panel, deciles, cohort_columns)
                else:
                    _CLOUDS[one](panel, cloud)
        return axes
    if kind == "map":
        return _map(frame, ax, cohort_columns, title, dark)
    if kind in ("interval", "worst"):
        return _forest(kind, frame, ax, cohort_columns, title, limit, dark)
    with style.theme(dark):
        size = (5.6, 1.2 + 0.32 * min(len(frame), limit + 1)) if kind == "distribution" else (5.2, 4.2)
        ax = panels.single(ax, size)
        if kind == "distribution":
            _distribution(ax, frame, cohort_columns, limit)
        elif kind == "decile":
            assert deciles is not None
            _decile(ax, deciles, cohort_columns)
        else:
            assert cloud is not None
            _CLOUDS[kind](ax, cloud)
        if kind in _TITLES:
            ax.set_title(style.plain(title or _TITLES[kind]))
        elif title:
            ax.set_title(style.plain(title))
    return ax


# Clouds


def _hexagons(ax: Axes, cells: Hexagons, n: int) -> None:
    """Hexagons shaded by the logarithm of their count; single points where rows are few."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import LogNorm

    if n <= _SPARSE * max(len(cells.count), 1) and n <= 2000:
        ax.scatter(
            cells.x, cells.y, s=18 * np.sqrt(cells.count), color=style.color(ax, 0), alpha=0.7, lw=0, gid="cloud"
        )
    else:
        corner = np.array([(0.5, -1 / 6), (0.5, 1 / 6), (0, 1 / 3), (-0.5, 1 / 6), (-0.5, -1 / 6), (0, -1 / 3)])
        shape = corner * (cells.width, cells.height)
        corners = np.stack([cells.x, cells.y], axis=1)[:, None, :] + shape
        norm = LogNorm(1, max(float(cells.count.max(initial=1)), 2))
        ax.add_collection(
            PolyCollection(
                list(corners), array=cells.count, norm=norm, cmap=_shades(ax), lw=0.2, edgecolors="face", gid="cloud"
            )
        )
    for at, step, limits in ((cells.x, cells.width, ax.set_xlim), (cells.y, cells.height, ax.set_ylim)):
        low, high = float(at.min()), float(at.max())
        margin = max(step, 0.05 * (high - low)) or 0.05 * max(abs(high), 1.0)
        limits(low - margin, high + margin)


def _shades(ax: Axes) -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    dark = style.is_dark(ax)
    ends = ("#1F3B52", "#4FA8E0", "#E3F3FD") if dark else ("#CFE3F1", "#4B97CC", "#08306B")
    return LinearSegmentedColormap.from_list("dfevals_density", ends)


def _residual(ax: Axes, cloud: Cloud) -> None:
    text, grey = style.ink(ax)
    _axes(ax, "predicted", ERROR)
    if _empty(ax, cloud.n, cloud.name, "Errors against predictions"):
        return
    _hexagons(ax, cloud.residual, cloud.n)
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, -0.05 * (high - low)), max(high, 0.05 * (high - low)))  # no error is always in view
    ax.axhline(0, color=grey, lw=1, ls=(0, (4, 3)))
    ax.axhline(cloud.centre, color=text, lw=1.2)
    _corner(ax, f"n = {write.count(cloud.n)}\nmean error {write.number(cloud.centre)}")
    style.describe(
        ax,
        f"Errors of {cloud.name} against predictions, n = {write.count(cloud.n)}: mean {write.number(cloud.centre)}, "
        f"standard deviation {write.number(cloud.spread)}.",
    )


def _actual(ax: Axes, cloud: Cloud) -> None:
    _, grey = style.ink(ax)
    _axes(ax, "actual", "predicted")
    if _empty(ax, cloud.n, cloud.name, "Predictions against actual values"):
        return
    _hexagons(ax, cloud.actual, cloud.n)
    low = min(ax.get_xlim()[0], ax.get_ylim()[0])
    high = max(ax.get_xlim()[1], ax.get_ylim()[1])
    ax.plot([low, high], [low, high], color=grey, lw=1, ls=(0, (4, 3)), gid="diagonal", scalex=False, scaley=False)
    _corner(ax, f"n = {write.count(cloud.n)}")
    style.describe(
        ax,
        f"Predictions of {cloud.name} against actual values, n = {write.count(cloud.n)}; the line marks equal values.",
    )


def _qq(ax: Axes, cloud: Cloud) -> None:
    _, grey = style.ink(ax)
    _axes(ax, "normal quantile", ERROR)
    if _empty(ax, cloud.n, cloud.name, "Normal quantiles of errors"):
        return
    ax.plot(cloud.normal, cloud.error, "o", ms=3, color=style.color(ax, 0), gid="quantiles")
    line = cloud.centre + cloud.spread * cloud.normal
    ax.plot(cloud.normal, line, color=grey, lw=1, ls=(0, (4, 3)), gid="diagonal")
    _corner(ax, f"n = {write.count(cloud.n)}")
    tail = [
        word
        for word, gap in (("lower", line[0] - cloud.error[0]), ("upper", cloud.error[-1] - line[-1]))
        if gap > cloud.spread
    ]
    heavy = f"the {' and '.join(tail)} tail is heavier than normal" if tail else "no tail is much heavier than normal"
    style.describe(ax, f"Errors of {cloud.name} against normal quantiles, n = {write.count(cloud.n)}: {heavy}.")


_CLOUDS = {"residual": _residual, "actual": _actual, "qq": _qq}


def _axes(ax: Axes, x: str, y: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.set_xlabel(x)
    ax.set_ylabel(y)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(lambda tick, _: _tick(tick)))


def _tick(value: float) -> str:
    if abs(value) >= 10_000:
        return ("−" if value < 0 else "") + write.compact(abs(value))
    return f"{value:,.10g}".replace("-", "−")


def _empty(ax: Axes, n: int, name: str, what: str) -> bool:
    if n:
        return False
    lines.empty(ax, "no rows")
    style.describe(ax, f"{what} of {name}: no rows.")
    return True


def _corner(ax: Axes, text: str) -> None:
    ax.text(
        0.03, 0.97, text, transform=ax.transAxes, ha="left", va="top", fontsize=8.5, color=style.ink(ax)[0], zorder=6,
        bbox={"facecolor": ax.get_facecolor(), "alpha": 0.6, "linewidth": 0, "pad": 0.6},
    )  # fmt: skip


# Cohorts


def _distribution(ax: Axes, frame: pd.DataFrame, cohort_columns: Sequence[str], limit: int) -> None:
    """Middle half, nine tenths, median and mean of the errors, one line per cohort."""
    text, grey = style.ink(ax)
    shown = frame.iloc[: limit + 1]
    names = forest.names(shown, cohort_columns)
    y = np.arange(len(shown))[::-1]
    for at, (_, row) in zip(y, shown.iterrows(), strict=True):
        overall = bool(row["is_overall"])
        color = grey if overall else style.color(ax, 0)
        if not np.isfinite(row["median_error"]):
            ax.text(0, at, "no rows", ha="center", va="center", color=grey, fontsize=8)
            continue
        ax.plot([row["q05"], row["q95"]], [at, at], color=color, lw=1.2)
        ax.plot([row["q25"], row["q75"]], [at, at], color=color, lw=7, alpha=0.55, solid_capstyle="butt")
        ax.plot(row["median_error"], at, "|", color=text, ms=9, mew=1.6)
        ax.plot(row["mean_error"], at, "D", color=text, ms=4)
        ax.text(
            1.01,
            at,
            f"n = {write.count(row['n'])}",
            transform=ax.get_yaxis_transform(),
            va="center",
            fontsize=8,
            color=text,
        )
    ax.axvline(0, color=grey, lw=1, ls=(0, (4, 3)), zorder=0)
    ax.set_yticks(y, style.plain_names(names))
    ax.set_ylim(-0.7, len(shown) - 0.3)
    _axes(ax, ERROR, "")
    ax.set_yticks(y, style.plain_names(names))
    ax.tick_params(axis="y", length=0)
    more = f"; first {len(shown) - 1} of {len(frame) - 1} cohorts" if len(shown) < len(frame) else ""
    ax.set_title(f"Bar: middle half · line: 5–95 % · ◆ mean · | median{more}", fontsize=8.5, fontweight="normal")
    inner = shown[~shown["is_overall"].to_numpy(dtype=bool)].dropna(subset=["mean_error"])
    words = f"Distribution of the errors of {len(shown)} groups."
    if len(inner):
        place = dict(zip(shown.index, names, strict=True))
        mean = inner["mean_error"].to_numpy(float)
        low, high = int(mean.argmin()), int(mean.argmax())
        words += (
            f" Mean error from {write.number(float(mean[low]))} ({place[inner.index[low]]}) to "
            f"{write.number(float(mean[high]))} ({place[inner.index[high]]})."
        )
    style.describe(ax, words)


def _decile(ax: Axes, deciles: pd.DataFrame, cohort_columns: Sequence[str], limit: int = 6) -> None:
    """Mean error by decile of the target, overall in grey and up to some cohorts in colour."""
    text, grey = style.ink(ax)
    names = np.array(forest.names(deciles, cohort_columns), dtype=object)
    groups = list(dict.fromkeys(names))
    several = len(groups) > 2
    ends: list[tuple[str, str, float, float]] = []
    for at, name in enumerate(groups[: limit + 1]):
        part = deciles[names == name]
        whole = bool(part["is_overall"].all())
        color = grey if whole and several else text if whole else style.color(ax, at - 1)
        x, y = part["bin"].to_numpy(float) + 1, part["mean_error"].to_numpy(float)
        enough = part["n"].to_numpy() >= _BANDED
        low, high = (np.where(enough, part[name].to_numpy(float), y) for name in ("ci_low", "ci_high"))
        ax.fill_between(x, low, high, color=color, alpha=0.18, lw=0)
        ax.plot(x, y, "o-", color=color, ms=3.5, lw=1.4)
        if several and len(x):
            ends.append((name, color, float(x[-1]), float(y[-1])))
    ax.axhline(0, color=grey, lw=1, ls=(0, (4, 3)), zorder=0)
    _axes(ax, "decile of the actual value", ERROR)
    ax.set_xticks(range(1, 11))
    lines.name_ends(ax, ends)
    left = len(groups) - limit - 1
    total = deciles.loc[deciles["is_overall"].to_numpy(dtype=bool), "n"].sum()
    said = [f"n = {write.count(float(total))}"] if total else []
    _corner(ax, "\n".join([*said, *([f"first {limit} of {len(groups) - 1} cohorts"] if left > 0 else [])]))
    every = deciles.loc[deciles["is_overall"].to_numpy(dtype=bool), "mean_error"].to_numpy(float)
    if len(every):
        first, last = float(every[0]), float(every[-1])
        style.describe(
            ax,
            f"Mean error by decile of the actual value: {write.number(first)} in the lowest, {write.number(last)} in the highest.",
        )
    else:
        style.describe(ax, "Mean error by decile of the actual value: no rows.")


def _map(frame: pd.DataFrame, ax: Axes | None, cohort_columns: Sequence[str], title: str, dark: bool | None) -> Axes:
    """Mean error over two cohort columns; the middle of the colours is 0."""
    if frame["is_overall"].all():
        with style.theme(dark):
            ax = panels.single(ax, heatmap.size(1, 1))
            lines.empty(ax, "no rows")
            ax.set_title(title or "Mean error")
            style.describe(ax, "Mean error over two cohort columns: no rows.")
            return ax
    flag = np.where(frame["verdict"] == "too few", "too few", "")
    cells = frame.assign(value=frame["mean_error"], flag=flag, metric="mean_error")
    inner = cells.loc[~cells["is_overall"].to_numpy(dtype=bool) & (flag != "too few"), "value"].abs()
    end = float(inner.max()) if inner.notna().any() else 1.0
    cells.loc[cells["is_overall"].to_numpy(dtype=bool), "value"] = 0.0
    overall = frame.loc[frame["is_overall"].to_numpy(dtype=bool), "mean_error"]
    heading = title or f"Mean error (overall {write.number(float(overall.iloc[0]))})"
    return heatmap.draw(
        cells, ax, rows=cohort_columns[0], columns=cohort_columns[1], title=heading, limits=(-end, end), dark=dark
    )


def _forest(
    kind: str,
    frame: pd.DataFrame,
    ax: Axes | None,
    cohort_columns: Sequence[str],
    title: str,
    limit: int,
    dark: bool | None,
) -> Axes:
    name = "interval_coverage" if kind == "interval" else "mae"
    part = frame.drop(columns=["ci_low", "ci_high"]).rename(
        columns={name: "value", f"{name}_low": "ci_low", f"{name}_high": "ci_high"}
    )
    if kind == "worst":
        first = part["is_overall"].to_numpy(dtype=bool)
        part = pd.concat([part[first], part[~first].sort_values("value", ascending=False)])
    part = part.assign(metric="coverage" if kind == "interval" else "mean absolute error")
    keep = [*cohort_columns, "model", "metric", "n", "value", "ci_low", "ci_high", "flag", "note", "is_overall"]
    if kind == "interval":
        keep.remove("flag")
    heading = title or (
        "Share of actual values inside the predicted interval" if kind == "interval" else "Mean absolute error"
    )
    return forest.draw(part[keep], ax, cohort_columns=cohort_columns, title=heading, limit=limit, dark=dark)

"""Charts of comparisons: differences with their intervals and verdicts, and rows that only one model gets right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import words
from dfevals.plots import forest, panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "draw_discordant"]

_HEADS = 9  # points that the heads of the columns on the right take above the axes
_OPEN = ("no evidence", "too few")


def draw(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    cohort_columns: Sequence[str] = (),
    level: float | None = 0.95,
    margin: float | None = None,
    title: str = "",
    limit: int = 60,
    dark: bool | None = None,
) -> Axes:
    """Draw differences of one metric as a forest, coloured by verdict.

    Parameters
    ----------
    frame : DataFrame
        Cohort columns, `metric, a, b, difference, ci_low, ci_high, verdict, n, is_overall`; one row per cohort and
        pair. Nothing is computed from it.
    ax : Axes, optional
    cohort_columns : sequence of str
    level : float or None
        Level of the intervals, for the label.
    margin : float, optional
        Differences within ± margin do not matter: shaded.
    title : str
        Default: the metric and the pair.
    limit : int
        Rows drawn at most; the title says how many are left out.
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes
        Filled markers are verdicts for a model, open ones "no evidence", small grey ones "too few".
    """
    rows, total = _ordered(frame, limit)
    pairs = list(dict.fromkeys(zip(rows["a"], rows["b"], strict=True)))
    names = _names(rows, cohort_columns, pairs)
    y = np.arange(len(rows)) + 0.4 * (~rows["is_overall"].to_numpy(bool)) * bool(rows["is_overall"].any())
    metric = str(rows["metric"].iloc[0]) if len(rows) else "difference"
    with style.theme(dark):
        ax = panels.single(ax, (style.beside(names, 7.6), 1.35 + 0.27 * len(rows)))
        winners = _winners(rows)
        _set_up(ax, rows, y, names, metric, pairs, title, level, total)
        if margin is not None:
            ax.axvspan(-margin, margin, color=style.color(ax, 3), alpha=0.1, linewidth=0, zorder=0, gid="margin")
        _draw_rows(ax, rows, y, winners)
        _write_right(ax, rows, y)
        _legend(ax, rows, winners)
    style.describe(ax, _words(rows, names, metric, pairs))
    return ax


def _ordered(frame: pd.DataFrame, limit: int) -> tuple[pd.DataFrame, int]:
    ordered = frame.sort_values("is_overall", ascending=False, kind="stable")
    return ordered.head(max(limit, 1)).reset_index(drop=True), len(frame)


def _names(rows: pd.DataFrame, cohort_columns: Sequence[str], pairs: list[Any]) -> list[str]:
    cohorts = forest.names(rows, cohort_columns)
    if len(pairs) == 1 or (len(set(cohorts)) == len(rows)):
        return cohorts
    both = [f"{a} − {b}" for a, b in zip(rows["a"], rows["b"], strict=True)]
    return both if not cohort_columns else [f"{c} · {p}" for c, p in zip(cohorts, both, strict=True)]


def _winners(rows: pd.DataFrame) -> list[str]:
    """Names that some verdict gives, in the order of the pairs; their places are their colours."""
    contenders = list(dict.fromkeys([*rows["a"], *rows["b"]]))
    return [name for name in contenders if (rows["verdict"] == name).any()] if len(contenders) > 4 else contenders


def _shade(ax: Axes, verdict: str, winners: list[str]) -> str:
    if verdict in winners:
        return style.color(ax, winners.index(verdict))
    return style.color(ax, 3) if verdict in ("equivalent", "different") else style.ink(ax)[1]


def _set_up(
    ax: Axes,
    rows: pd.DataFrame,
    y: np.ndarray,
    names: list[str],
    metric: str,
    pairs: Any,
    title: str,
    level: Any,
    total: int,
) -> None:
    pair = f"{pairs[0][0]} − {pairs[0][1]}" if len(pairs) == 1 else "first − second"
    left = f" (first {len(rows)} of {total})" if len(rows) < total else ""
    ax.set_title(style.plain(title or f"Difference in {metric}: {pair}", 90) + left, pad=24 + _HEADS)
    ax.set_yticks(y, style.plain_names(names))
    ax.set_ylim((y[-1] if len(y) else 0) + 0.6, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.set_axisbelow(True)
    with_level = f", with {level * 100:g}% interval" if level is not None else ""
    ax.set_xlabel(f"difference in {style.plain(metric)}{with_level}")
    sure = (rows["verdict"] != "too few").to_numpy()
    ends = np.concatenate([rows["difference"], rows["ci_low"][sure], rows["ci_high"][sure], [0.0]])
    ends = ends[np.isfinite(ends)]
    margin = 0.06 * float(np.ptp(ends)) or 0.01
    ax.set_xlim(float(ends.min()) - margin, float(ends.max()) + margin)
    ax.axvline(0, color=style.ink(ax)[0], linewidth=1, zorder=1, gid="zero")
    for tick, overall in zip(ax.get_yticklabels(), rows["is_overall"], strict=False):
        tick.set_fontweight("bold" if overall and len(rows) > 1 else "normal")


def _draw_rows(ax: Axes, rows: pd.DataFrame, y: np.ndarray, winners: list[str]) -> None:
    left, right = ax.get_xlim()
    ground = ax.get_facecolor()
    for at, row in enumerate(rows.to_dict("records")):
        color, verdict = _shade(ax, row["verdict"], winners), row["verdict"]
        few = verdict == "too few"
        low, high = np.clip([row["ci_low"], row["ci_high"]], left, right)
        if np.isfinite(low + high):
            ax.hlines(y[at], low, high, colors=color, linewidth=2, linestyles=(0, (2, 1.5)) if few else "solid")
        if np.isfinite(row["difference"]):
            ax.plot(
                row["difference"], y[at], "D" if row["is_overall"] and len(rows) > 1 else "o", color=color,
                markerfacecolor=ground if verdict in _OPEN else color, markeredgewidth=1.3, markersize=5.5, zorder=3, label="_",
            )  # fmt: skip


def _write_right(ax: Axes, rows: pd.DataFrame, y: np.ndarray) -> None:
    text, muted = style.ink(ax)
    options: dict[str, Any] = {
        "xycoords": ax.get_yaxis_transform(), "textcoords": "offset points", "va": "center", "fontsize": 8.5,
        "annotation_clip": False,
    }  # fmt: skip
    width = 8 + 5.6 * max((len(words.count(n)) for n in rows["n"]), default=1)
    ax.annotate("n", (1, -0.75), (width, 0), ha="right", color=muted, **options)
    ax.annotate("verdict (corrected p)", (1, -0.75), (width + 12, 0), ha="left", color=muted, **options)
    for at, row in enumerate(rows.to_dict("records")):
        ax.annotate(words.count(row["n"]), (1, y[at]), (width, 0), ha="right", color=text, **options)
        p = row.get("p_corrected", np.nan)
        tested = np.isfinite(p) and row["verdict"] not in ("equivalent", "too few")
        said = style.plain(row["verdict"], 26) + (f" ({words.p_value(p)})" if tested else "")
        color = muted if row["verdict"] in _OPEN else text
        ax.annotate(said, (1, y[at]), (width + 12, 0), ha="left", color=color, **options)


def _legend(ax: Axes, rows: pd.DataFrame, winners: list[str]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.transforms import ScaledTranslation

    verdicts = list(dict.fromkeys(rows["verdict"]))
    shown = [v for v in (*winners, "equivalent", "different", "no evidence", "too few") if v in verdicts]
    handles = [
        Line2D(
            [], [], color=_shade(ax, v, winners), marker="o", markersize=5.5, linewidth=2,
            linestyle=(0, (2, 1.5)) if v == "too few" else "solid",
            markerfacecolor=ax.get_facecolor() if v in _OPEN else _shade(ax, v, winners),
        )
        for v in shown
    ]  # fmt: skip
    texts = [f"{style.plain(v, 24)} is better" if v in winners else v for v in shown]
    above = ax.transAxes + ScaledTranslation(0, _HEADS / 72, ax.figure.dpi_scale_trans)  # of the columns on the right
    ax.legend(
        handles, texts, loc="lower left", bbox_to_anchor=(-0.015, 0.995), bbox_transform=above, ncols=4, handlelength=1.6,
        columnspacing=1.4, borderpad=0.2,
    )  # fmt: skip


def _words(rows: pd.DataFrame, names: list[str], metric: str, pairs: Any) -> str:
    counts = rows["verdict"].value_counts(sort=False)
    verdicts = ", ".join(f"{verdict}: {count}" for verdict, count in counts.items())
    pair = f"{pairs[0][0]} minus {pairs[0][1]}" if len(pairs) == 1 else f"{len(pairs)} pairs of models"
    first = rows.iloc[0] if len(rows) else None
    value = (
        ""
        if first is None
        else f" {names[0]} {words.estimate(first['difference'], first['ci_low'], first['ci_high'])}."
    )
    return f"Differences in {metric}, {pair}.{value} Verdicts: {verdicts}."


def draw_discordant(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    cohort_columns: Sequence[str] = (),
    share: bool | None = None,
    limit: int = 40,
    dark: bool | None = None,
) -> Axes:
    """Draw how many rows the first model fixes and breaks in each cohort, compared with the second.

    Parameters
    ----------
    frame : DataFrame
        Cohort columns, `a, b, fixed, broken, n, is_overall` of one pair (the first pair is drawn).
    ax : Axes, optional
    cohort_columns : sequence of str
    share : bool, optional
        Bars as shares of the cohort's rows (default where there are cohorts) or as counts; counts are written anyway.
    limit : int
        Cohorts drawn at most.
    dark : bool, optional
    """
    first = frame.iloc[0]
    rows, total = _ordered(frame[(frame["a"] == first["a"]) & (frame["b"] == first["b"])], limit)
    share = len(rows) > 1 if share is None else share
    divisor = np.maximum(rows["n"].to_numpy(float), 1) if share else np.ones(len(rows))
    fixed, broken = rows["fixed"].to_numpy(float) / divisor, rows["broken"].to_numpy(float) / divisor
    names = forest.names(rows, cohort_columns)
    y = np.arange(len(rows)) + 0.4 * (~rows["is_overall"].to_numpy(bool)) * bool(rows["is_overall"].any())
    with style.theme(dark):
        ax = panels.single(ax, (7.2, 1.5 + 0.3 * len(rows)))
        text = style.ink(ax)[0]
        ax.barh(
            y, -broken, 0.66, color=style.color(ax, 1), label=f"broken: only {style.plain(first['b'], 24)} is right"
        )
        ax.barh(y, fixed, 0.66, color=style.color(ax, 0), label=f"fixed: only {style.plain(first['a'], 24)} is right")
        most = max(float(fixed.max(initial=0)), float(broken.max(initial=0))) or 1.0
        for at, row in enumerate(rows.to_dict("records")):
            ax.annotate(
                words.count(row["broken"]),
                (-broken[at], y[at]),
                (-4, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=8.5,
                color=text,
            )
            ax.annotate(
                words.count(row["fixed"]),
                (fixed[at], y[at]),
                (4, 0),
                textcoords="offset points",
                ha="left",
                va="center",
                fontsize=8.5,
                color=text,
            )
        ax.axvline(0, color=text, linewidth=1)
        ax.set_xlim(-1.18 * most, 1.18 * most)
        ax.xaxis.set_major_formatter(lambda v, _: words.percent(abs(v)) if share else words.compact(abs(v)))
        ax.set_yticks(y, style.plain_names(names))
        ax.set_ylim((y[-1] if len(y) else 0) + 0.6, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.grid(axis="x")
        ax.set_axisbelow(True)
        ax.set_xlabel("share of the cohort's rows; counts at the bars" if share else "rows")
        left = f" (first {len(rows)} of {total})" if len(rows) < total else ""
        ax.set_title("Rows that only one model gets right" + left, pad=24)
        ax.legend(loc="lower left", bbox_to_anchor=(-0.015, 0.995), ncols=2, handlelength=1.2, borderpad=0.2)
    shown = "; ".join(
        f"{n} {int(f)} fixed, {int(b)} broken"
        for n, f, b in zip(names[:8], rows["fixed"], rows["broken"], strict=False)
    )
    style.describe(ax, f"Rows that only one of {first['a']} and {first['b']} gets right: {shown}.")
    return ax

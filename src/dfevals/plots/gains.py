"""Charts of the gains table: cumulative gain, lift, rate, KS, profit and return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import words
from dfevals.exceptions import MetricError, check_choice
from dfevals.plots import lines, style
from dfevals.plots.curves import _keyed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["KINDS", "caption", "draw"]

KINDS = ("gain", "lift", "rate", "ks", "profit", "roi")
_TITLES = {
    "gain": "Cumulative gain",
    "lift": "Lift by bin",
    "rate": "Rate of positives by bin",
    "ks": "Kolmogorov–Smirnov distance",
    "profit": "Profit by depth",
    "roi": "Return by depth",
}


def caption(row: Any) -> str:
    """KS, AUC, Gini and concordance of one model and cohort in words."""
    if row["note"]:
        return str(row["note"])
    ks = words.estimate(row["ks"], row["ks_low"], row["ks_high"])
    auc = words.estimate(row["roc_auc"], row["roc_auc_low"], row["roc_auc_high"])
    return (
        f"KS {ks} at score {words.number(row['ks_score'])} (best {words.percent(row['ks_depth'])}); AUC {auc}; "
        f"Gini {words.number(row['gini'])}; concordant {words.percent(row['concordant'])}"
    )


def draw(
    frames: Mapping[str, pd.DataFrame],
    kind: str,
    ax: Axes | None = None,
    *,
    cohort_columns: Sequence[str] = (),
    model: str | Sequence[str] | None = None,
    level: float | None = 0.95,
    title: str | None = None,
    limit: int = 12,
    dark: bool | None = None,
) -> Any:
    """Draw one chart of the gains table.

    Parameters
    ----------
    frames : mapping
        `frame` (bins), `curve`, `summary`, and for money `profit` and `best`.
    kind : {"gain", "lift", "rate", "ks", "profit", "roi"}
    ax, cohort_columns, model, level, title, limit, dark
        As in `dfevals.plots.curves.draw`.

    Returns
    -------
    Axes, or array of Axes where there are several panels
    """
    check_choice("kind", kind, KINDS, MetricError)
    summary = frames["summary"]
    models = lines.models_of(summary, model, one=kind == "ks")
    rows = _keyed(summary, cohort_columns)
    source = {"gain": "curve", "ks": "curve", "profit": "profit", "roi": "profit"}.get(kind, "frame")
    parts = _keyed(frames[source], cohort_columns)
    bins = _keyed(frames["frame"], cohort_columns)
    best = _keyed(frames["best"], cohort_columns) if "best" in frames else {}

    n = {place: float(row["n"].iloc[0]) for place, row in rows.items()}

    def draw_one(axis: Axes, panel: lines.Panel) -> None:
        axis.grid(True)
        axis.set_axisbelow(True)
        drawn, missing = [], []
        own = [line for line in panel.lines if not line.quiet]
        for line in panel.lines:
            place = (line.cohort, line.model)
            row = rows[place].iloc[0]
            reason = _undefined(row, kind)
            if reason:
                missing.append((line, reason))
                continue
            offset = (own.index(line) - (len(own) - 1) / 2) * min(0.2, 0.7 / len(own)) if line in own else 0.0
            drawn.append((line, _DRAW[kind](axis, line, parts[place], row, bins[place], best.get(place), offset)))
        _finish(axis, kind)
        corner = "lower right" if kind in ("gain", "ks") else None
        told = lines.explain(axis, panel, drawn, missing, n, corner=corner, room=corner is None)
        name = f" of {panel.title}" if panel.title else ""
        style.describe(axis, f"{_TITLES[kind]}{name} with {words.bounds(level)}. {told}")

    only = f" · {models[0]}" if kind == "ks" and summary["model"].nunique() > 1 else ""
    heading = title if title is not None else _TITLES[kind] + only
    return lines.draw_panels(
        summary, ax, draw_one, cohort_columns=cohort_columns, models=models, title=heading, limit=limit, dark=dark,
        sharey=kind != "profit", grey=kind not in ("ks", "profit"),
        size=(3.7, 3.1) if kind not in ("gain", "ks") else (3.5, 3.4),
    )  # fmt: skip


def _undefined(row: Any, kind: str) -> str:
    note = str(row["note"])
    return "" if kind in ("gain", "lift", "rate", "profit", "roi") and note == "no negatives" else note


def _gain(ax: Axes, line: lines.Line, curve: Any, row: Any, bins: Any, best: Any, offset: float) -> str:
    x = curve["depth"].to_numpy(float)
    lines.band(ax, line, x, *(curve[name].to_numpy(float) for name in ("gain", "gain_low", "gain_high")))
    grey = style.ink(ax)[1]
    dashed: dict[str, Any] = {"color": grey, "linewidth": 1, "linestyle": (0, (4, 3)), "zorder": 1, "label": "_"}
    if not line.quiet:
        if not any(other.get_gid() == "random" for other in ax.get_lines()):
            ax.plot([0, 1], [0, 1], gid="random", **dashed)
            ax.annotate("random", (0.62, 0.62), (0, -3), textcoords="offset points", fontsize=7.5, color=grey, va="top")
            base = float(row["base_rate"])
            ax.plot([0, base, 1], [0, 1, 1], gid="perfect", **dashed)
            ax.annotate("perfect", (base, 1), (3, 3), textcoords="offset points", fontsize=7.5, color=grey, va="bottom")
        total = bins["cum_n"].to_numpy(float)
        ax.plot(
            total / total[-1], bins["gain"].to_numpy(float), "o", color=lines.color(ax, line), markersize=3.5, zorder=4,
            gid="bins", label="_",
        )  # fmt: skip
    at = bins["gain"].to_numpy(float)
    depth = bins["cum_n"].to_numpy(float) / bins["cum_n"].to_numpy(float)[-1]
    use = int(np.argmin(np.abs(depth - 0.2)))
    return f"best {words.percent(depth[use])} hold {words.percent(at[use])}"


def _by_bin(name: str) -> Any:
    def one(ax: Axes, line: lines.Line, part: Any, row: Any, bins: Any, best: Any, offset: float) -> str:
        x = part["bin"].to_numpy(float) + offset
        value, low, high = (part[f"{name}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
        shade = lines.color(ax, line)
        if not line.quiet:
            ax.vlines(x, low, high, color=shade, linewidth=1.8, zorder=2.5, gid="band")
        ax.plot(
            x, value, "-o", color=shade, markersize=3 if line.quiet else 5, linewidth=1, alpha=0.9, zorder=3,
            gid="quiet" if line.quiet else "curve", label="_",
        )  # fmt: skip
        if name == "lift":
            return f"bin 1: {words.estimate(value[0], low[0], high[0])}"
        return f"bin 1: {words.percent(value[0])} [{words.percent(low[0])}, {words.percent(high[0])}]"

    return one


def _ks(ax: Axes, line: lines.Line, curve: Any, row: Any, bins: Any, best: Any, offset: float) -> str:
    x = curve["depth"].to_numpy(float)
    lines.band(ax, line, x, *(curve[name].to_numpy(float) for name in ("gain", "gain_low", "gain_high")))
    grey = style.ink(ax)[1]
    ax.plot(x, curve["negatives"].to_numpy(float), color=grey, linewidth=1.6, zorder=2.5, gid="curve", label="_")
    depth, top, bottom = (float(row[name]) for name in ("ks_depth", "ks_gain", "ks_negatives"))
    ax.vlines(depth, bottom, top, color=style.ink(ax)[0], linewidth=1.6, linestyles="dotted", zorder=4, gid="ks")
    ax.annotate("positives", (0.6, float(np.interp(0.6, x, curve["gain"]))), (-5, 5), textcoords="offset points",
                fontsize=8, color=lines.color(ax, line), ha="right", va="bottom")  # fmt: skip
    ax.annotate("negatives", (0.6, float(np.interp(0.6, x, curve["negatives"]))), (0, -6), textcoords="offset points",
                fontsize=8, color=grey, ha="left", va="top")  # fmt: skip
    return f"KS {words.estimate(row['ks'], row['ks_low'], row['ks_high'])} at score {words.number(row['ks_score'])}"


def _money(name: str) -> Any:
    def one(ax: Axes, line: lines.Line, part: Any, row: Any, bins: Any, best: Any, offset: float) -> str:
        known = part["contacts"].to_numpy(float) > 0 if name == "roi" else np.ones(len(part), bool)
        x = part["depth"].to_numpy(float)[known]
        value, low, high = (part[f"{name}{end}"].to_numpy(float)[known] for end in ("", "_low", "_high"))
        if name == "roi":  # the return of a handful of contacts is anything
            few = part["contacts"].to_numpy(float)[known] >= min(30, part["contacts"].max() / 10)
            x, value, low, high = x[few], value[few], low[few], high[few]
        lines.band(ax, line, x, value, low, high)
        found = best.iloc[0]
        if line.quiet or not np.isfinite(found["depth"]):
            return str(found["note"])
        shade = lines.color(ax, line)
        height = float(np.interp(found["depth"], x, value)) if len(x) else 0.0
        ax.plot(
            found["depth"],
            height,
            "o",
            color=shade,
            markersize=6.5,
            markeredgecolor=ax.get_facecolor(),
            zorder=5,
            gid="best",
        )
        ax.hlines(
            height,
            found["depth_low"],
            found["depth_high"],
            color=shade,
            linewidth=3,
            alpha=0.6,
            zorder=4,
            gid="interval",
        )
        if str(found["note"]).startswith("contacting nobody"):
            return "contact nobody: it never pays"
        note = f"{'best' if name == 'profit' else 'most profit at'} {words.percent(found['depth'])} [{words.percent(found['depth_low'])}, {words.percent(found['depth_high'])}]"
        return f"{note}: {_amount(found['profit'])}" if name == "profit" else note

    return one


def _amount(value: float) -> str:
    return words.compact(value) if value >= 0 else f"−{words.compact(-value)}"


def _return(share: float) -> str:
    return f"{share:.0%}" if abs(share) < 1000 else f"{_amount(100 * share)}%"


_DRAW: dict[str, Any] = {
    "gain": _gain,
    "lift": _by_bin("lift"),
    "rate": _by_bin("rate"),
    "ks": _ks,
    "profit": _money("profit"),
    "roi": _money("roi"),
}


def _top(ax: Axes) -> float:
    """The greatest value drawn; panels that share their scale each have their own."""
    return float(ax.dataLim.y1) if np.isfinite(ax.dataLim.y1) else 0.0


def _finish(ax: Axes, kind: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    percent = FuncFormatter(lambda value, _: f"{value:.0%}")
    if kind in ("gain", "ks"):
        ax.set_xlim(-0.01, 1.01)
        ax.set_ylim(-0.01, 1.07)
        ax.set_xlabel("share of rows, best first")
        ax.set_ylabel("share of positives" if kind == "gain" else "share of the class")
        ax.xaxis.set_major_formatter(percent)
        ax.yaxis.set_major_formatter(percent)
    elif kind in ("lift", "rate"):
        ax.set_xlabel("bin, best scores first")
        ax.set_ylabel("lift" if kind == "lift" else "rate of positives")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=11))
        ax.set_ylim(0, max(ax.get_ylim()[1], 1.05 * _top(ax)))
        if kind == "lift":
            ax.axhline(1, color=style.ink(ax)[1], linewidth=1, linestyle=(0, (4, 3)), zorder=1, gid="random")
        else:
            ax.yaxis.set_major_formatter(percent)
    else:
        ax.set_xlabel("share of rows contacted, best first")
        ax.set_ylabel("profit" if kind == "profit" else "return on spending")
        ax.set_xlim(-0.01, 1.01)
        ax.xaxis.set_major_formatter(percent)
        if kind == "roi":
            ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _return(value)))
        else:
            ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _amount(value)))
        ax.axhline(0, color=style.ink(ax)[1], linewidth=1, linestyle=(0, (4, 3)), zorder=1, gid="zero")

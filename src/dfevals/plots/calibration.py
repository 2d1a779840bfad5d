"""Reliability diagrams: observed rate against score with its band, and the histogram of scores below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dfevals import words as write
from dfevals.exceptions import DataError
from dfevals.plots import forest, lines, panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

_DRAWN = 400  # points of a band
_TOPS = (0.02, 0.04, 0.1, 0.2, 0.4)  # ends of the axes where nothing reaches 1


@dataclass(frozen=True)
class _View:
    """How far the axes reach, and whether they are square roots: rare events would sit in a corner otherwise."""

    top: float = 1.0
    root: bool = False

    @classmethod
    def of(cls, points: pd.DataFrame, band: pd.DataFrame) -> _View:
        """The view that holds everything drawn, as the bulk of the rows needs it."""
        drawn = [points[name].to_numpy(float) for name in ("score_max", "observed", "ci_high")]
        drawn += [band["high"].to_numpy(float)] if len(band) else []
        most = max((float(np.nanmax(part, initial=0)) for part in drawn), default=1.0)
        top = next((top for top in _TOPS if most <= top), 1.0) if most > 0 else 1.0
        n = points["n"].to_numpy(float)
        low = n[points["score_mean"].to_numpy(float) <= 0.15 * top].sum() >= 0.8 * n.sum() > 0
        return cls(top, bool(low))

    def at(self, values: pd.Series) -> pd.Series:
        """Where values lie on an axis, as a share of its length."""
        share = values / self.top
        return np.sqrt(share) if self.root else share

    def ticks(self) -> tuple[list[float], list[str]]:
        """Places and texts of the ticks."""
        known = (0, 0.025, 0.1, 0.25, 0.5, 1) if self.root else (0, 0.25, 0.5, 0.75, 1)
        ticks = [tick * self.top for tick in known]
        return ticks, [f"{tick:.3g}" for tick in ticks]

    def apply(self, ax: Axes) -> None:
        """Set the limits, the scale and the shape of a diagram."""
        if self.root:
            both = (lambda x: np.sqrt(np.maximum(x, 0)), np.square)
            ax.set_xscale("function", functions=both)
            ax.set_yscale("function", functions=both)
        ax.set(xlim=(0, self.top), ylim=(0, self.top), aspect="equal")
        ax.set_yticks(*self.ticks())
        ax.minorticks_off()


@dataclass(frozen=True)
class _Look:
    """What all panels of a figure share."""

    strategy: str
    band_kind: str | None
    level: float
    event: tuple[str, str]
    view: _View = _View()


def draw(
    points: pd.DataFrame,
    band: pd.DataFrame,
    bars: pd.DataFrame,
    errors: pd.DataFrame,
    ax: Axes | None = None,
    *,
    cohort_columns: Sequence[str] = (),
    strategy: str = "corp",
    band_kind: str | None = "consistency",
    level: float = 0.95,
    event: tuple[str, str] = ("predicted probability", "share of positives"),
    title: str = "",
    limit: int = 9,
    columns: int | None = None,
    dark: bool | None = None,
) -> Axes | np.ndarray:
    """Draw a reliability diagram, or one per cohort (and class) with the overall curve behind in grey.

    Parameters
    ----------
    points : DataFrame
        Cohort columns, `score_mean, observed, ci_low, ci_high, n, score_min, score_max, is_overall`, perhaps `class`.
    band : DataFrame
        Cohort columns, `score, low, high`; may be empty.
    bars : DataFrame
        Cohort columns, `score_min, score_max, n`.
    errors : DataFrame
        Cohort columns, `ece, ece_low, ece_high`; one row per panel.
    ax : Axes, optional
        For a single panel; the histogram is put below it.
    cohort_columns : sequence of str
    strategy : {"corp", "quantile", "uniform", "smooth"}
    band_kind : {"consistency", "confidence"} or None
    level : float
        Of the band, for the words.
    event : (str, str)
        Names of the two axes.
    title : str
    limit : int
        Panels drawn at most; the heading says how many are left out.
    columns : int, optional
        Panels side by side.
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes, or array of Axes where there are several panels

    Raises
    ------
    DataError
        Several panels are to go into one `ax`.
    """
    view = _View.of(points, band)
    event = (event[0] + " (root scale)", event[1]) if view.root else event
    look = _Look(strategy, band_kind, level, event, view)
    names = [np.array(forest.names(frame, cohort_columns), dtype=object) for frame in (points, band, bars, errors)]
    titles = list(dict.fromkeys(names[3]))
    shown = titles[: max(limit, 1)]
    overall = _overall(errors, names[3])
    frames = (points, band, bars, errors)

    def pick(name: object) -> list[pd.DataFrame]:
        return [frame[rows == name] for frame, rows in zip(frames, names, strict=True)]

    with style.theme(dark):
        if len(titles) == 1:
            ax = panels.single(ax, (4.6, 5.2))
            ax.set_title(style.plain(title or ("" if titles[0] == "(overall)" else titles[0])))
            _panel(ax, pick(titles[0]), look, titles[0], None)
            return ax
        if ax is not None:
            raise DataError(f"ax= holds one diagram, but there are {len(titles)}: {', '.join(map(str, titles[:4]))}, …")
        left_out = f"first {len(shown)} of {len(titles)}" if len(shown) < len(titles) else ""
        heading = " · ".join(filter(None, [title, left_out]))
        axes = panels.small_multiples(shown, (3.1, 3.9), columns=columns, title=heading, sharex=True, sharey=True)
        for panel, name in zip(axes, shown, strict=True):
            behind = overall.get(name, name)
            _panel(panel, pick(name), look, str(name), None if behind == name else points[names[0] == behind])
            panel.set_ylabel(panel.get_ylabel() if panel.get_subplotspec().is_first_col() else "")
        _label_lowest(axes)
    return axes


def _overall(errors: pd.DataFrame, names: np.ndarray) -> dict[object, object]:
    """The panel of all rows of its model, for every panel that has exactly one."""
    model = errors["model"].astype(str).to_numpy() if "model" in errors else np.full(len(errors), "")
    whole = errors["is_overall"].to_numpy(dtype=bool)
    found = {name: names[whole & (model == own)] for name, own in zip(names, model, strict=True)}
    return {name: every[0] for name, every in found.items() if len(every) == 1}


def _label_lowest(axes: np.ndarray) -> None:
    """Name the score only below the lowest panel of each column, and keep the rows apart."""
    spots = [panel.get_subplotspec() for panel in axes]
    lowest = {spot.colspan.start: spot.rowspan.start for spot in spots}
    for panel, spot in zip(axes, spots, strict=True):
        if lowest[spot.colspan.start] != spot.rowspan.start:
            panel.child_axes[0].set_xlabel("")
    axes[0].figure.get_layout_engine().set(hspace=0.08)


def _panel(ax: Axes, frames: list[pd.DataFrame], look: _Look, name: str, behind: pd.DataFrame | None) -> None:
    points, band, bars, errors = frames
    text, grey = style.ink(ax)
    own = bool(errors["is_overall"].to_numpy(dtype=bool).any()) and "class" not in errors
    color = text if own else style.color(ax, 0)
    look.view.apply(ax)
    ax.set_ylabel(look.event[1])
    ax.plot([0, 1], [0, 1], color=grey, lw=1, ls=(0, (4, 3)), zorder=1, gid="diagonal")
    below = _histogram(ax, bars, color, look.view)
    below.set_xlabel(look.event[0])
    if not len(points):
        reason = "too few rows for a smooth curve" if bars["n"].sum() > 0 else "no rows"
        lines.empty(ax, reason)
        style.describe(ax, f"Reliability diagram of {name}: {reason}.")
        return
    if behind is not None and len(behind):
        x, y = _line(behind, look.strategy)
        ax.plot(x, y, color=grey, lw=1.2, alpha=0.8, zorder=2, gid="overall")
    _band(ax, band, points, look, grey if look.band_kind == "consistency" else color)
    x, y = _line(points, look.strategy)
    if look.strategy in ("corp", "smooth"):
        ax.plot(x, y, color=color, lw=2, zorder=4, solid_joinstyle="round", gid="curve")
        if look.strategy == "corp" and len(points) < 3:
            ax.plot(points["score_mean"], points["observed"], "o", color=color, ms=5, zorder=4)
    else:
        _bins(ax, points, look, color, grey)
    _caption(ax, points, errors, look)
    style.describe(ax, _words(points, errors, look, name))


def _line(points: pd.DataFrame, strategy: str) -> tuple[np.ndarray, np.ndarray]:
    """The curve: level within isotonic pools, straight between them."""
    if strategy != "corp":
        return points["score_mean"].to_numpy(float), points["observed"].to_numpy(float)
    x = points[["score_min", "score_max"]].to_numpy(float).ravel()
    return x, np.repeat(points["observed"].to_numpy(float), 2)


def _band(ax: Axes, band: pd.DataFrame, points: pd.DataFrame, look: _Look, color: str) -> None:
    if not len(band) or band["low"].isna().all():
        return
    step = max(1, len(band) // _DRAWN)
    drawn = pd.concat([band.iloc[::step], band.iloc[-1:]])
    x, low, high = (drawn[name].to_numpy(float) for name in ("score", "low", "high"))
    if look.strategy == "corp":  # to the ends of the outer pools
        x = np.concatenate([[points["score_min"].min()], x, [points["score_max"].max()]])
        low, high = np.pad(low, 1, "edge"), np.pad(high, 1, "edge")
    if x[0] == x[-1]:
        ax.plot([x[0], x[0]], [low[0], high[0]], color=color, lw=5, alpha=0.3, solid_capstyle="butt", zorder=3)
        return
    ax.fill_between(x, low, high, color=color, alpha=0.28, lw=0, zorder=3, gid="band")


def _bins(ax: Axes, points: pd.DataFrame, look: _Look, color: str, grey: str) -> None:
    x, y = points["score_mean"].to_numpy(float), points["observed"].to_numpy(float)
    low, high = points["ci_low"].to_numpy(float), points["ci_high"].to_numpy(float)
    if look.band_kind == "consistency":
        ax.vlines(x, low, high, color=grey, lw=6, alpha=0.4, zorder=3)
    elif look.band_kind == "confidence":
        ax.vlines(x, low, high, color=color, lw=1.4, zorder=3)
    ax.plot(x, y, "o-", color=color, lw=1.2, ms=4.5, zorder=4, gid="curve")


def _histogram(ax: Axes, bars: pd.DataFrame, color: str, view: _View) -> Axes:
    """Counts of scores below the diagram; its greatest count is written."""
    below = ax.inset_axes((0, -0.2, 1, 0.14), sharex=ax)
    ax.tick_params(axis="x", labelbottom=False, length=0)
    n = bars["n"].to_numpy(float)
    left = bars["score_min"].to_numpy(float)
    width = bars["score_max"].to_numpy(float) - left
    below.bar(left, n, width=width * 0.9, align="edge", color=color, alpha=0.75, lw=0, gid="histogram")
    below.set(ylim=(0, max(n.max(initial=0), 1)), yticks=[])
    below.set_xticks(*view.ticks())
    below.minorticks_off()
    below.tick_params(axis="x", labelbottom=True)
    for side in ("left", "top", "right"):
        below.spines[side].set_visible(False)
    return below


def _caption(ax: Axes, points: pd.DataFrame, errors: pd.DataFrame, look: _Look) -> None:
    text, _ = style.ink(ax)
    n = float(errors["n"].iloc[0]) if "n" in errors else float(points["n"].sum())
    said = [f"n = {write.count(n)}"]
    row = errors.iloc[0]
    if np.isfinite(row["ece"]):
        places = write.places(row["ece"], row["ece_low"], row["ece_high"])
        said.append(f"ECE {write.number(row['ece'], places)}")
        said.append(write.interval(row["ece_low"], row["ece_high"], places))
    taken = bool(((look.view.at(points["score_min"]) < 0.5) & (look.view.at(points["observed"]) > 0.7)).any())
    x, y, side, edge = (0.97, 0.03, "right", "bottom") if taken else (0.03, 0.97, "left", "top")
    ax.text(
        x, y, "\n".join(said), transform=ax.transAxes, ha=side, va=edge, fontsize=8.5, color=text, zorder=6,
        bbox={"facecolor": ax.get_facecolor(), "alpha": 0.6, "linewidth": 0, "pad": 0.6},
    )  # fmt: skip


def _words(points: pd.DataFrame, errors: pd.DataFrame, look: _Look, name: str) -> str:
    n = float(errors["n"].iloc[0]) if "n" in errors else float(points["n"].sum())
    row = errors.iloc[0]
    words = f"Reliability diagram of {name}, n = {write.count(n)}: {look.event[1]} against {look.event[0]}."
    if np.isfinite(row["ece"]):
        words += f" ECE {write.estimate(row['ece'], row['ece_low'], row['ece_high'])}."
    gap = (points["observed"] - points["score_mean"]).to_numpy(float)
    weight = points["n"].to_numpy(float)
    above, below = (float(weight[side].sum() / max(weight.sum(), 1e-300)) for side in (gap > 0, gap < 0))
    words += f" The curve lies above the diagonal for {write.percent(above)} of the rows and below it for {write.percent(below)}."
    if look.band_kind == "consistency":
        out = (points["observed"] < points["ci_low"] - 1e-12) | (points["observed"] > points["ci_high"] + 1e-12)
        share = float(weight[out.to_numpy(dtype=bool)].sum() / max(weight.sum(), 1e-300))
        words += f" It leaves the {look.level:.0%} consistency band for {write.percent(share)} of them."
    return words

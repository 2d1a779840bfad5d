"""The look of all charts: colours that colour-blind readers can tell apart, light and dark, and text alternatives."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from dfevals import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "DIVERGING",
    "GRID",
    "OVERALL",
    "PALETTE",
    "alt_text",
    "beside",
    "color",
    "describe",
    "ink",
    "is_dark",
    "legible",
    "plain",
    "plain_names",
    "readable",
    "save",
    "theme",
    "wrapped",
]

#: Okabe & Ito 2008, "Color Universal Design"; black left out, because it vanishes on a dark ground.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
#: The same hues lighter, for a dark ground.
PALETTE_DARK = ("#4FA8E0", "#F08A4B", "#35C89B", "#E3A3C6", "#F2BC4C", "#9AD3F5", "#F6EE86")
#: Colour of everything that is overall: on light and on dark.
OVERALL = ("#6B6B6B", "#A8A8A8")
#: Lines between the cells of a matrix: on light and on dark.
GRID = ("#DFE3E8", "#343B44")
#: Below, at and above the overall value.
DIVERGING = ("#B24A00", "#F3A36B", "#F4F2EF", "#7DB8DE", "#005A94")

#: Letters of other scripts, where the system has them: names of cohorts come in every language.
_SCRIPTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans", "Hiragino Sans", "PingFang SC", "Microsoft YaHei", "Yu Gothic",
    "Malgun Gothic", "WenQuanYi Micro Hei", "Noto Sans Devanagari", "Noto Sans Thai", "Arial Unicode MS", "Segoe UI Symbol",
)  # fmt: skip

_ALT: WeakKeyDictionary[Axes, str] = WeakKeyDictionary()


@dataclass(frozen=True)
class _Alternative:
    """Metadata of a figure's picture in a notebook, asked for by IPython's display protocol; the picture itself is left to it."""

    text: str

    def __call__(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        return {}, {kind: {"alt": self.text} for kind in ("image/png", "image/jpeg", "image/svg+xml")}


@contextmanager
def theme(dark: bool | None = None) -> Iterator[None]:
    """The look of dfevals' charts within a `with` block; matplotlib's own settings are put back afterwards.

    Parameters
    ----------
    dark : bool, optional
        Light text on a dark ground; default follows the figure colour of the current matplotlib style.

    Examples
    --------
    >>> import matplotlib
    >>> before = matplotlib.rcParams["axes.titlesize"]
    >>> with theme(dark=True):
    ...     _ = matplotlib.rcParams["figure.facecolor"]
    >>> matplotlib.rcParams["axes.titlesize"] == before
    True
    """
    import matplotlib as mpl
    from cycler import cycler

    current = mpl.rcParams["figure.facecolor"]
    follows = dark is None
    dark = _is_dark(current) if dark is None else dark
    text, ground = ("#E8E8E8", "#16181C") if dark else ("#1F1F1F", "#FFFFFF")
    if follows:
        ground = current
    overall = OVERALL[dark]
    settings: Any = {
        "figure.facecolor": ground,
        "axes.facecolor": ground,
        "savefig.facecolor": ground,
        "text.color": text,
        "axes.labelcolor": text,
        "axes.titlecolor": text,
        "axes.edgecolor": overall,
        "xtick.color": overall,
        "ytick.color": overall,
        "xtick.labelcolor": text,
        "ytick.labelcolor": text,
        "grid.color": text,
        "grid.alpha": 0.12,
        "grid.linewidth": 0.8,
        "axes.prop_cycle": cycler(color=PALETTE_DARK if dark else PALETTE),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 9.5,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "font.size": 9.5,
        "font.family": [*mpl.rcParams["font.family"], *_other_scripts()],
    }
    with mpl.rc_context(settings):
        try:
            yield
        finally:
            interactive = mpl.is_interactive()
    mpl.interactive(interactive)  # a session's first figure loads the notebook's backend, which turns this on for good


def is_dark(ax: Axes) -> bool:
    """Whether the ground of `ax` is dark."""
    return _is_dark(ax.get_facecolor())


def color(ax: Axes, at: int) -> str:
    """The `at`-th colour of the palette that suits the ground of `ax`."""
    palette = PALETTE_DARK if is_dark(ax) else PALETTE
    return palette[at % len(palette)]


def ink(ax: Axes) -> tuple[str, str]:
    """Colours of text and of everything overall that suit the ground of `ax`."""
    dark = is_dark(ax)
    return ("#E8E8E8" if dark else "#1F1F1F"), OVERALL[dark]


def legible(ax: Axes, shade: str) -> str:
    """The colour as text on the ground of `ax`: mixed with ink until it can be read (contrast 4.5, WCAG 2)."""
    from matplotlib.colors import to_hex, to_rgb

    own, text = np.array(to_rgb(shade)), np.array(to_rgb(ink(ax)[0]))
    ground = _luminance(ax.get_facecolor())
    for mix in np.linspace(0, 1, 21):
        found = (1 - mix) * own + mix * text
        dark, light = sorted((_luminance(found), ground))
        if (light + 0.05) / (dark + 0.05) >= 4.5:
            return shade if mix == 0 else to_hex(tuple(found.tolist()))
    return ink(ax)[0]


def plain(text: object, limit: int = 48) -> str:
    """A name as chart text: hidden characters visible, `$` not taken for mathematics, long names shortened."""
    return words.shorten(words.visible(text), limit).replace("$", r"\$")


def plain_names(names: Iterable[object], limit: int = 48) -> list[str]:
    """Names that stand side by side as chart text: as `plain`, and different names stay different."""
    return [text.replace("$", r"\$") for text in words.shorten_apart(map(words.visible, names), limit)]


def beside(names: Iterable[object], width: float) -> float:
    """Width in inches of a chart with columns of text on its right, which long names on its left leave room for."""
    longest = max(map(len, plain_names(names)), default=0)
    return width + 0.11 * max(longest - 26, 0)


def wrapped(names: Sequence[str], width: int = 12, lines: int = 2) -> list[str] | None:
    """Names broken into at most `lines` lines of `width` characters, or None if one of them does not fit."""
    broken = [textwrap.wrap(name, width, break_long_words=False) or [""] for name in names]
    if any(len(parts) > lines or max(map(len, parts)) > width for parts in broken):
        return None
    return ["\n".join(parts) for parts in broken]


def readable(ax: Axes) -> None:
    """Write the numbers of a heat map dark or light, whichever stands out more from its cell."""
    cells = ax.collections[0]
    shape = cells.get_array().shape  # type: ignore[union-attr]
    cells.update_scalarmappable()
    grounds = cells.get_facecolors().reshape(*shape, 4)  # type: ignore[attr-defined]
    for text in ax.texts:
        column, row = text.get_position()
        if text.get_transform() == ax.transData and 0 <= row < shape[0] and 0 <= column < shape[1]:
            ground = grounds[int(row), int(column)]
            if ground[3] > 0:
                text.set_color(_ink_on(ground))


def describe(ax: Axes, text: str) -> None:
    """Give `ax` its text alternative; a notebook keeps that of the figure with the picture, as its `alt`."""
    _ALT[ax] = words.visible(text)
    figure: Any = ax.figure.canvas.figure
    figure._repr_mimebundle_ = _Alternative(alt_text(figure))


def alt_text(drawn: Axes | Figure) -> str:
    """What a chart shows, in words, for readers who cannot see it.

    Parameters
    ----------
    drawn : Axes or Figure
        A figure's text is that of its axes, in order.
    """
    from matplotlib.axes import Axes

    if isinstance(drawn, Axes):
        return _ALT.get(drawn, "")
    return " ".join(_ALT[ax] for ax in drawn.axes if ax in _ALT)


def save(drawn: Axes | Figure, path: str | Path, **options: Any) -> Path:
    """Write the figure of `drawn` with its text alternative as the file's description (PNG, SVG, PDF).

    Parameters
    ----------
    drawn : Axes or Figure
    path : str or Path
    **options
        For `Figure.savefig`.
    """
    from matplotlib.figure import Figure

    figure = drawn if isinstance(drawn, Figure) else drawn.figure.canvas.figure
    path = Path(path)
    key = {".png": "Description", ".svg": "Description", ".pdf": "Subject"}.get(path.suffix.lower())
    metadata = {key: alt_text(figure)} if key else None
    figure.savefig(path, **{"metadata": metadata, "bbox_inches": "tight", **options})
    return path


@cache
def _other_scripts() -> list[str]:
    """Installed fonts that have the letters which the usual ones lack."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return [name for name in _SCRIPTS if name in installed]


def _ink_on(ground: Any) -> str:
    """Dark or white; at a luminance of 0.21 both have the same contrast."""
    return "#1F1F1F" if _luminance(ground) > 0.21 else "#FFFFFF"


def _luminance(ground: Any) -> float:
    """Relative luminance (WCAG 2)."""
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in ground[:3]]
    return float(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])


def _is_dark(ground: Any) -> bool:
    from matplotlib.colors import to_rgba

    rgba = to_rgba(ground)
    return rgba[3] > 0 and _luminance(rgba) < 0.18
